/**
 * Runs a systemd service unit where there is no systemd: what it says of starting, readiness, signs of life,
 * restarts and exit codes, on a real process.
 *
 * Knows the settings that units of ours use and nothing of their sandbox.
 */
import { waitFor } from "./harness.ts";

/** Fields of one message of the service. */
export type Note = Readonly<Record<string, string>>;

/** A unit that runs. */
export interface RunningUnit extends AsyncDisposable {
  /** Process of the service; 0 when none runs. */
  readonly pid: number;
  /** Everything the service told, oldest first. */
  readonly notes: readonly Note[];
  /** Times it was started. */
  readonly starts: number;
  /** Exit codes, with 128 added to the numbers of signals. */
  readonly exits: readonly number[];
  /** What it printed. */
  output(): string;
  /** Waits until the service of the `start`th start told `name`. */
  told(name: string, start?: number): Promise<Note>;
  /** Tells it to stop as systemd does, and waits. */
  stop(): Promise<number>;
}

/** Where and with what a unit runs. */
export interface RunUnitOptions {
  readonly cwd: string;
  /** Environment of the manager. */
  readonly env: Readonly<Record<string, string>>;
  /** What specifiers such as `%E` stand for. */
  readonly specifiers: Readonly<Record<string, string>>;
}

/** Sections of a unit: values by name, in their order. */
export function parseUnit(text: string): ReadonlyMap<string, readonly string[]> {
  const values = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [, name, value] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    values.set(name, [...values.get(name) ?? [], value]);
  }
  return values;
}

/** Words of a command line as systemd splits them. */
export function splitCommand(text: string): readonly string[] {
  const words = text.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
  return words.map((word) =>
    (word.startsWith('"') ? word.slice(1, -1).replace(/\\(.)/g, "$1") : word)
      .replaceAll("%%", "%").replaceAll("$$", "$")
  );
}

/** Starts a unit. */
export async function runUnit(text: string, options: RunUnitOptions): Promise<RunningUnit> {
  const unit = parseUnit(text);
  const one = (name: string) => unit.get(name)?.at(-1) ?? "";
  if (one("Type") !== "notify") throw new Error("Only services that notify are known here");
  const folder = await Deno.makeTempDir({ prefix: "net-unit-" });
  const notifyPath = `${folder}/notify`;
  const receiver = Deno.listenDatagram({ transport: "unixpacket", path: notifyPath });
  const words = splitCommand(one("ExecStart"));
  const env = {
    ...options.env,
    ...await environmentOf(unit, options.specifiers),
    NOTIFY_SOCKET: notifyPath,
    WATCHDOG_USEC: String(seconds(one("WatchdogSec")) * 1_000_000),
  };
  const prevented = new Set(one("RestartPreventExitStatus").split(" ").map(Number));
  const notes: (Note & { start: string })[] = [];
  const exits: number[] = [];
  let output = "";
  let starts = 0;
  let child: Deno.ChildProcess | undefined;
  let isStopping = false;

  const listening = (async () => {
    try {
      for await (const [bytes] of receiver) {
        const lines = new TextDecoder().decode(bytes).split("\n");
        const fields = lines.map((line) => [
          line.slice(0, line.indexOf("=")),
          line.slice(line.indexOf("=") + 1),
        ]);
        notes.push({ ...Object.fromEntries(fields), start: String(starts) });
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  })();
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const part of stream) output += decoder.decode(part, { stream: true });
  };
  const running = (async () => {
    for (;;) {
      starts++;
      // The number of the process is known to itself alone before it runs.
      child = new Deno.Command("sh", {
        args: ["-c", 'WATCHDOG_PID=$$ exec "$@"', "sh", ...words],
        cwd: options.cwd,
        clearEnv: true,
        env,
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const [status] = await Promise.all([child.status, read(child.stdout), read(child.stderr)]);
      child = undefined;
      exits.push(status.code);
      const isFailure = status.code !== 0;
      if (isStopping || one("Restart") !== "on-failure" || !isFailure) return;
      if (prevented.has(status.code)) return;
      await new Promise((resolve) => setTimeout(resolve, seconds(one("RestartSec")) * 1000));
    }
  })();
  const stop = async () => {
    isStopping = true;
    child?.kill("SIGTERM");
    const timer = setTimeout(() => child?.kill("SIGKILL"), seconds(one("TimeoutStopSec")) * 1000);
    await running;
    clearTimeout(timer);
    return exits.at(-1) ?? -1;
  };
  return {
    get pid() {
      return child?.pid ?? 0;
    },
    get starts() {
      return starts;
    },
    notes,
    exits,
    output: () => output,
    told: (name, start = starts) =>
      waitFor(
        `the service tells ${name}`,
        () => notes.find((note) => note.start === String(start) && name in note),
      ).catch((error) => {
        throw new Error(`${error.message}\n${JSON.stringify(notes)}\n${output}`);
      }),
    stop,
    [Symbol.asyncDispose]: async () => {
      isStopping = true;
      child?.kill("SIGKILL");
      await running;
      receiver.close();
      await listening;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Variables of the unit, of which those in files win. */
async function environmentOf(
  unit: ReadonlyMap<string, readonly string[]>,
  specifiers: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const expand = (text: string) =>
    text.replace(/%(.)/g, (whole, letter: string) => specifiers[letter] ?? whole);
  const lines = (unit.get("Environment") ?? []).map(expand);
  for (const file of unit.get("EnvironmentFile") ?? []) {
    const path = expand(file.replace(/^-/, ""));
    const text = await Deno.readTextFile(path).catch((error) => {
      if (file.startsWith("-")) return "";
      throw error;
    });
    lines.push(...text.split("\n").filter((line) => /^[A-Za-z_]+=/.test(line)));
  }
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}

function seconds(text: string): number {
  const [, number, unit] = /^([0-9.]+)(ms|s)?$/.exec(text) ?? [];
  if (number === undefined) throw new Error(`No duration: ${text}`);
  return Number(number) / (unit === "ms" ? 1000 : 1);
}
