/**
 * What Prometheus expects of every process, by its usual names: memory, time on processors, open files, start.
 *
 * Reads the process table, which is memory of the system and no disk. What a platform does not tell is left out.
 */
import process from "node:process";
import type { MetricFamily, MetricType } from "./exposition.ts";

/** Families of this process. */
export function processFamilies(): readonly MetricFamily[] {
  const { user, system } = process.cpuUsage();
  const { rss, heapTotal, heapUsed } = Deno.memoryUsage();
  const rows: [string, MetricType, string, number | undefined][] = [
    [
      "process_cpu_seconds_total",
      "counter",
      "Time on processors, of user and system.",
      (user + system) / 1e6,
    ],
    ["process_resident_memory_bytes", "gauge", "Memory of the process in RAM.", rss],
    ["process_virtual_memory_bytes", "gauge", "Addresses the process has.", virtualBytes()],
    ["process_open_fds", "gauge", "Open files and sockets.", openFiles()],
    ["process_max_fds", "gauge", "Files and sockets it may have open.", openFilesMax()],
    [
      "process_start_time_seconds",
      "gauge",
      "When the process started, since the Unix epoch.",
      performance.timeOrigin / 1000,
    ],
    ["net_process_heap_used_bytes", "gauge", "Heap of the runtime in use.", heapUsed],
    ["net_process_heap_size_bytes", "gauge", "Heap of the runtime.", heapTotal],
  ];
  return rows.flatMap(([name, type, help, value]) =>
    value === undefined ? [] : [{ name, type, help, samples: [{ value }] }]
  );
}

function openFiles(): number | undefined {
  try {
    // The folder itself is open while it is read.
    return Array.from(Deno.readDirSync("/proc/self/fd")).length - 1;
  } catch {
    return undefined;
  }
}

function openFilesMax(): number | undefined {
  const [, soft] = /^Max open files\s+(\S+)/m.exec(readTable("limits")) ?? [];
  if (soft === undefined) return undefined;
  return soft === "unlimited" ? Infinity : Number(soft);
}

function virtualBytes(): number | undefined {
  const [, kibibytes] = /^VmSize:\s+(\d+) kB/m.exec(readTable("status")) ?? [];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

function readTable(name: string): string {
  try {
    return Deno.readTextFileSync(`/proc/self/${name}`);
  } catch {
    return "";
  }
}
