/**
 * What the command line sees of its process: streams, environment, signals.
 *
 * Handed to every verb, so that tests run the whole program in memory.
 */
import type { Environment } from "../src/config/mod.ts";
import { createGoneCheck } from "./output_reader.ts";

/** A process as the verbs see it. */
export interface Io {
  readonly env: Environment;
  /** Folder that relative paths start from. */
  readonly cwd: string;
  readonly hostname: string | undefined;
  readonly isStdinTerminal: boolean;
  readonly isStdoutTerminal: boolean;
  readonly isStderrTerminal: boolean;
  /** Writes text to standard output; throws `BrokenPipe` when nobody reads it. */
  writeOut(text: string): void;
  /** Writes bytes to standard output. */
  writeOutBytes(bytes: Uint8Array): Promise<void>;
  /** Asks, without writing, whether the reader of standard output has left. */
  isOutGone(): boolean;
  /** Writes text to standard error; one that takes nothing is ignored. */
  writeErr(text: string): void;
  /** Reads from standard input; `null` at its end. */
  readStdin(into: Uint8Array): Promise<number | null>;
  /** Calls `handler` on each such signal; the result stops that. */
  onSignal(signal: "SIGINT" | "SIGTERM" | "SIGHUP", handler: () => void): () => void;
  /** Ends the process at once. */
  exit(code: number): never;
  /** Milliseconds that never go backwards. */
  now(): number;
}

/** The real process. */
export function systemIo(): Io {
  let isOutGone: (() => boolean) | undefined;
  return {
    env: Deno.env.toObject(),
    cwd: workingFolder(),
    hostname: hostname(),
    isStdinTerminal: Deno.stdin.isTerminal(),
    isStdoutTerminal: Deno.stdout.isTerminal(),
    isStderrTerminal: Deno.stderr.isTerminal(),
    writeOut: (text) => writeAllSync(Deno.stdout, text),
    writeOutBytes: async (bytes) => {
      let offset = 0;
      while (offset < bytes.length) offset += await Deno.stdout.write(bytes.subarray(offset));
    },
    isOutGone: () => {
      isOutGone ??= createGoneCheck();
      return isOutGone();
    },
    writeErr: (text) => {
      try {
        writeAllSync(Deno.stderr, text);
      } catch {
        // The reader has gone, the terminal was closed, the log's disk is full: what cannot be said is lost,
        // and no reason for work to end. The next words may get through again.
      }
    },
    readStdin: (into) => Deno.stdin.read(into),
    onSignal: (signal, handler) => {
      Deno.addSignalListener(signal, handler);
      return () => Deno.removeSignalListener(signal, handler);
    },
    exit: (code) => Deno.exit(code),
    now: () => performance.now(),
  };
}

function writeAllSync(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  let offset = 0;
  while (offset < bytes.length) {
    try {
      offset += stream.writeSync(bytes.subarray(offset));
    } catch (error) {
      // A pipe that another process made non-blocking: its reader is behind, so wait a moment.
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

function workingFolder(): string {
  try {
    return Deno.cwd();
  } catch {
    // The folder was removed under us; absolute paths still work.
    return "/";
  }
}

function hostname(): string | undefined {
  try {
    return Deno.hostname();
  } catch {
    // Without the permission the node has a plain label.
    return undefined;
  }
}
