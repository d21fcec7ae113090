/**
 * Asks a node for liveness at a steady pace, and in the same breath a server that has nothing else to do,
 * told what to do by JSON lines. What the idle server takes is what the machine itself takes.
 *
 * With `--yardstick PATH` it is that server.
 */

import { serveLines } from "../interop/serve_lines.ts";

/** Times of one kind of question in milliseconds. */
export interface ProbeTimes {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What the probe measured. */
export interface ProbeReport {
  /** Over connections that stay open. */
  readonly node: ProbeTimes;
  /** Over a connection of its own for each question, from connecting to the reply. */
  readonly fresh: ProbeTimes;
  readonly yardstick: ProbeTimes;
}

/** Every operation: its arguments and its result. */
export interface ProbeOperations {
  probe: [{ socketPath: string; yardstickPath: string; seconds: number }, ProbeReport];
}

/** Pause between two questions of one kind. */
const PACE_MS = 10;

const QUESTION = new TextEncoder().encode(
  '{"jsonrpc":"2.0","method":"health.liveness","id":1}\n',
);
const ANSWER = new TextEncoder().encode(
  '{"jsonrpc":"2.0","result":{"status":"healthy","alive":true},"id":1}\n',
);

async function ask(conn: Deno.Conn, buffer: Uint8Array): Promise<void> {
  await conn.write(QUESTION);
  const count = await conn.read(buffer);
  const text = new TextDecoder().decode(buffer.subarray(0, count ?? 0));
  if (!text.includes('"alive":true')) throw new Error(`liveness was answered with "${text}"`);
}

async function probe(
  { socketPath, yardstickPath, seconds }: ProbeOperations["probe"][0],
): Promise<ProbeReport> {
  const endMs = performance.now() + seconds * 1000;
  const measure = async (path: string, isFresh: boolean): Promise<ProbeTimes> => {
    const times: number[] = [];
    const buffer = new Uint8Array(4096);
    let conn: Deno.Conn | undefined;
    while (performance.now() < endMs) {
      const startMs = performance.now();
      conn ??= await Deno.connect({ transport: "unix", path });
      await ask(conn, buffer);
      times.push(performance.now() - startMs);
      if (isFresh) {
        conn.close();
        conn = undefined;
      }
      await new Promise((resolve) => setTimeout(resolve, PACE_MS));
    }
    conn?.close();
    return summarize(times);
  };
  const [node, fresh, yardstick] = await Promise.all([
    measure(socketPath, false),
    measure(socketPath, true),
    measure(yardstickPath, false),
  ]);
  return { node, fresh, yardstick };
}

function summarize(times: number[]): ProbeTimes {
  const sorted = times.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? Infinity;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** Answers every question at once. */
async function serveYardstick(path: string): Promise<void> {
  const listener = Deno.listen({ transport: "unix", path });
  for await (const conn of listener) {
    void (async () => {
      const buffer = new Uint8Array(4096);
      while (await conn.read(buffer).catch(() => null) !== null) await conn.write(ANSWER);
    })();
  }
}

if (import.meta.main) {
  const [flag, path] = Deno.args;
  if (flag === "--yardstick" && path !== undefined) await serveYardstick(path);
  else await serveLines({ probe });
}
