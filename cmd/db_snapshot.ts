/** `net db snapshot save` and `load`, and `net db stat`. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { absolutePath } from "../src/config/mod.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { DB_ANSWER_MS, ROWS_FOR_READING, withDb } from "./db_common.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag } from "./flags.ts";
import {
  formatBytes,
  formatCount,
  formatTable,
  listOf,
  numberOf,
  recordOf,
  textOf,
} from "./format.ts";
import { runVerb } from "./verb.ts";

interface ForceFlags extends SharedFlags {
  readonly force?: boolean;
}

const FILE_ARGUMENT = { parse: String, placeholder: "FILE" } as const;
const COPY_BYTES = 256 * 1024;

/** The verb that writes one. */
export const dbSnapshotSaveCommand = buildCommand<ForceFlags, [string], NetContext>({
  docs: {
    brief: "Write the whole database to a file",
    fullDescription:
      "Writes tasks, memories and workflow, as they are at one moment, to FILE, or " +
      "with - to standard output. The file appears under its name when it is whole and on the " +
      "device. The Rust core reads the tasks and memories of it, and its bundles are read here.\n\n" +
      "EXAMPLES\n  net db snapshot save today.netdb\n  net db snapshot save - | gzip > today.netdb.gz",
  },
  parameters: {
    flags: bareRecord({
      force: switchFlag("Replace a file that exists"),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [{ ...FILE_ARGUMENT, brief: "File to write; - is standard output" }],
    },
  },
  async func(flags, file) {
    await withDb(this, flags, async ({ node, output, signal }) => {
      const save = async (path: string, overwrite: boolean) =>
        recordOf(await node.call("db.snapshot.save", { path, overwrite }, { signal }));
      if (file !== "-") {
        const path = absolutePath(file, this.io.cwd);
        const result = await save(path, flags.force ?? false);
        output.result("db.snapshot.save", result, () => textOf(result.path));
        output.note(`saved ${formatBytes(numberOf(result.bytes) ?? 0)}`);
        return;
      }
      if (output.isJson) {
        throw new NetError("usage", "Cannot use - and --json: both go to standard output", {
          next: "name a file",
        });
      }
      await withPrivateFile(async (path) => {
        await save(path, false);
        using source = await Deno.open(path);
        const piece = new Uint8Array(COPY_BYTES);
        for (;;) {
          const count = await source.read(piece);
          if (count === null) break;
          await this.io.writeOutBytes(piece.subarray(0, count));
        }
      });
    });
  },
});

/** The verb that reads one. */
export const dbSnapshotLoadCommand = buildCommand<ForceFlags, [string], NetContext>({
  docs: {
    brief: "Fill the database from a file",
    fullDescription: "Fills the database from a snapshot of this program or a bundle of the Rust " +
      "core, - is standard input. It takes new writes at once. A database that has events is " +
      "refused; --force replaces it, with all that is in it.\n\n" +
      "EXAMPLES\n  net db snapshot load today.netdb\n" +
      "  net db snapshot load today.netdb --force --family spare",
  },
  parameters: {
    flags: bareRecord({
      force: switchFlag("Replace what is in the database"),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [{ ...FILE_ARGUMENT, brief: "File to read; - is standard input" }],
    },
  },
  async func(flags, file) {
    await withDb(this, flags, async ({ node, output, signal }) => {
      const load = async (path: string) => {
        const params = { path, replace: flags.force ?? false };
        const result = recordOf(await node.call("db.snapshot.load", params, { signal }));
        output.result("db.snapshot.load", result, () => loadedText(result));
        const ignored = listOf(result.ignored).map(textOf);
        if (ignored.length > 0) output.warn(`left out, not known here: ${ignored.join(", ")}`);
      };
      if (file !== "-") return await load(absolutePath(file, this.io.cwd));
      await withPrivateFile(async (path) => {
        using target = await Deno.open(path, { createNew: true, write: true, mode: 0o600 });
        const piece = new Uint8Array(COPY_BYTES);
        for (;;) {
          const count = await this.io.readStdin(piece);
          if (count === null) break;
          signal.throwIfAborted();
          for (let at = 0; at < count;) at += await target.write(piece.subarray(at, count));
        }
        await load(path);
      });
    });
  },
});

/** The verb that shows how the collections stand. */
export const dbStatCommand = buildCommand<SharedFlags, [], NetContext>({
  docs: {
    brief: "Show the collections of the database",
    fullDescription: "Shows the collections of the database: their rows, the log that they are " +
      "folded out of, how far, and events that could not be read and were set aside.\n\n" +
      "EXAMPLES\n  net db stat\n  net db stat --json",
  },
  parameters: { flags: bareRecord(SHARED_FLAGS) },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectOrOpen(this, flags, signal, ROWS_FOR_READING);
      try {
        const result = recordOf(await node.call("db.stat", {}, { signal }));
        output.result("db.stat", result, () => statText(result));
        for (const { name, failure } of listOf(result.collections).map(recordOf)) {
          if (typeof failure === "string") output.warn(`${textOf(name)} halted: ${failure}`);
        }
      } finally {
        await node.close();
      }
    }, { timeoutMs: DB_ANSWER_MS });
  },
});

function statText(result: Readonly<Record<string, unknown>>): string {
  const rows = listOf(result.collections).map(recordOf).map((collection) => [
    textOf(collection.name),
    formatCount(numberOf(collection.rows) ?? 0),
    textOf(collection.channel),
    textOf(collection.applied_seq) || "-",
    formatCount(numberOf(collection.set_aside) ?? 0),
    collection.running === true ? "ok" : "halted",
  ]);
  const heading = ["COLLECTION", "ROWS", "LOG", "FOLDED TO", "SET ASIDE", "STATE"];
  return formatTable([heading, ...rows], { right: [1, 3, 4] });
}

function loadedText(result: Readonly<Record<string, unknown>>): string {
  const parts = listOf(result.parts).map(recordOf).map((part) =>
    `${textOf(part.name)} ${formatCount(numberOf(part.events) ?? 0)} events`
  );
  return `loaded ${formatBytes(numberOf(result.bytes) ?? 0)}: ${parts.join(", ")}`;
}

/** A file that nobody else can read, gone afterwards. */
async function withPrivateFile(body: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "net-" });
  try {
    await body(`${folder}/snapshot`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
