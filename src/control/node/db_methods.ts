/** Methods about the database of a node; all of them privileged. */
import * as v from "../../schema/mod.ts";
import { isMissing, NetError, toNetError } from "../../base/mod.ts";
import type { Node } from "../../node.ts";
import { defineMethod, type Method } from "../method.ts";
import { dbMemoryMethods } from "./db_memory_methods.ts";
import { dbTaskMethods } from "./db_task_methods.ts";
import { dbWorkflowMethods } from "./db_workflow_methods.ts";

const PATH = v.pipe(v.string(), v.startsWith("/"), v.maxLength(4_096));
/** Largest snapshot that is read (`operator.md`). */
const SNAPSHOT_BYTES_MAX = 4 * 1024 ** 3;

/** The part of a node that the database is told of by. */
export type DbNode = Pick<Node, "db">;

/** The methods about the database. */
export function dbMethods(node: DbNode): readonly Method[] {
  return [
    ...dbTaskMethods(node),
    ...dbMemoryMethods(node),
    ...dbWorkflowMethods(node),
    defineMethod({
      name: "db.stat",
      access: "privileged",
      summary: "Collections of the database: rows, how far they are folded, what was set aside",
      isReadOnly: true,
      params: v.object({}),
      handle: async () => {
        const { tasks, memories, workflow } = await node.db.open();
        const collections = { tasks, memories, workflow };
        return {
          collections: Object.entries(collections).map(([name, { adapter, size }]) => ({
            name,
            channel: adapter.channel,
            rows: size,
            folded_seq: seqView(adapter.foldedSeq),
            applied_seq: seqView(adapter.appliedSeq),
            running: adapter.isRunning,
            failure: adapter.failure ?? null,
            set_aside: adapter.setAsideTotal,
            last_set_aside: adapter.setAside.slice(-10).map(({ seq, dispatch, reason }) => ({
              seq: Number(seq),
              dispatch: dispatch ?? null,
              reason,
            })),
          })),
        };
      },
    }),
    defineMethod({
      name: "db.snapshot.save",
      access: "privileged",
      summary: "Write the whole database, of one moment, to a file of this machine",
      isReadOnly: false,
      params: v.object({ path: PATH, overwrite: v.optional(v.boolean(), false) }),
      handle: async ({ path, overwrite }, { signal }) => {
        if (!overwrite) await requireAbsent(path);
        const bytes = await node.db.snapshot(signal);
        await writeWhole(path, bytes);
        return { path, bytes: bytes.length };
      },
    }),
    defineMethod({
      name: "db.snapshot.load",
      access: "privileged",
      summary: "Fill the database from a file of this machine",
      isReadOnly: false,
      params: v.object({ path: PATH, replace: v.optional(v.boolean(), false) }),
      handle: async ({ path, replace }) => {
        const bytes = await readWhole(path);
        const { parts, ignored } = await node.db.restore(bytes, replace);
        return { path, bytes: bytes.length, parts, ignored };
      },
    }),
  ];
}

function seqView(seq: bigint | undefined): number | null {
  return seq === undefined ? null : Number(seq);
}

async function requireAbsent(path: string): Promise<void> {
  try {
    await Deno.lstat(path);
  } catch (error) {
    if (isMissing(error)) return;
    throw toNetError(error, `Cannot write snapshot "${path}"`);
  }
  throw new NetError("conflict", `Cannot write snapshot "${path}": it is there already`, {
    next: "replace it with --force",
  });
}

/** The old file or the new one, whole and on the device, also after a crash. */
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const half = `${path}.${crypto.randomUUID().slice(0, 8)}.part`;
  try {
    const file = await Deno.open(half, { createNew: true, write: true, mode: 0o600 });
    try {
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.syncData();
    } finally {
      file.close();
    }
    await Deno.rename(half, path);
    using folder = await Deno.open(path.slice(0, path.lastIndexOf("/")) || "/");
    await folder.sync();
  } catch (error) {
    await Deno.remove(half).catch(() => {});
    const code = isMissing(error) ? "not_found" : undefined;
    if (code === undefined) throw toNetError(error, `Cannot write snapshot "${path}"`);
    throw new NetError(code, `Cannot write snapshot "${path}": there is no such folder`, {
      cause: error,
      next: "name a file in a folder that is there",
    });
  }
}

async function readWhole(path: string): Promise<Uint8Array> {
  try {
    const { size } = await Deno.stat(path);
    if (size > SNAPSHOT_BYTES_MAX) {
      throw new NetError(
        "limit",
        `Cannot read snapshot "${path}": it has ${size} bytes, must be at most ${SNAPSHOT_BYTES_MAX}`,
      );
    }
    return await Deno.readFile(path);
  } catch (error) {
    if (!isMissing(error)) throw toNetError(error, `Cannot read snapshot "${path}"`);
    throw new NetError("not_found", `Cannot read snapshot "${path}": it is not there`, {
      cause: error,
      next: "make one with net db snapshot save",
    });
  }
}
