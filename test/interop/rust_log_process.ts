/** Channel files of the Rust core, told what to do by JSON lines; the client is in `rust_log_files_test.ts`. */
import { loadRustAddon, toBuffer } from "./rust_addon.ts";
import { serveLines } from "./serve_lines.ts";

/** A record as the core gives it. */
export interface CoreRecord {
  readonly seq: bigint;
  readonly payload: Uint8Array;
}

/** Operations of this process; each opens the file and closes it again. */
export interface RustLogOperations {
  read: [{ readonly folder: string; readonly channel: string }, readonly CoreRecord[]];
  /** Appends one by one, or all at once; the first number. */
  append: [
    {
      readonly folder: string;
      readonly channel: string;
      readonly payloads: readonly Uint8Array[];
      readonly isBatch: boolean;
    },
    bigint,
  ];
}

interface CoreFile {
  append(payload: Uint8Array): bigint;
  appendBatch(payloads: Uint8Array[]): bigint;
  readRange(from: bigint, to: bigint): CoreRecord[];
  sync(): Promise<void>;
  close(): Promise<void>;
}

const END = 1n << 62n;

async function use<T>(
  { folder, channel }: { readonly folder: string; readonly channel: string },
  action: (file: CoreFile) => T,
): Promise<T> {
  const { Redex } = loadRustAddon() as unknown as {
    Redex: new (folder: string) => { openFile(name: string, options: object): CoreFile };
  };
  // One manager per use: it would give the closed file again.
  const file = new Redex(folder).openFile(channel, { persistent: true });
  try {
    return action(file);
  } finally {
    await file.close();
  }
}

type Handlers = {
  [Name in keyof RustLogOperations]: (
    args: RustLogOperations[Name][0],
  ) => Promise<RustLogOperations[Name][1]>;
};

const handlers: Handlers = {
  read: (args) =>
    use(args, (file) =>
      file.readRange(0n, END).map(({ seq, payload }) => ({
        seq,
        payload: new Uint8Array(payload),
      }))),
  append: (args) =>
    use(args, (file) => {
      const payloads = args.payloads.map(toBuffer);
      if (args.isBatch) return file.appendBatch(payloads);
      const [first] = payloads.map((payload) => file.append(payload));
      if (first === undefined) throw new Error("Nothing to append");
      return first;
    }),
};

if (import.meta.main) await serveLines(handlers);
