/** Makes long logs, and opens them. */
import { type Disk, type DiskFile, systemClock, systemDisk } from "../src/base/mod.ts";
import { openRedex } from "../src/log/mod.ts";
import {
  completeTaskEvent,
  createTaskEvent,
  encodeEvent,
  TASKS_CHANNEL,
} from "../src/state/mod.ts";
import { type LogHandlers, type OwnLogOperations, taskTime, taskTitle } from "./_log_operations.ts";

const ORIGIN = 1n;
const CHANNEL = "bench/log";
const BATCH_EVENTS = 1_000;
const PAYLOAD_BYTES = 1_024;

/** Handlers of the operations. */
export const MAKING_HANDLERS: LogHandlers<OwnLogOperations> = {
  makeTaskLog: async ({ folder, count }) => {
    await using redex = openRedex({ clock: systemClock, disk: systemDisk }, { folder });
    const file = await redex.open(TASKS_CHANNEL, { isPersistent: true });
    for (let first = 0; first < count; first += BATCH_EVENTS) {
      file.appendBatch(
        Array.from(
          { length: Math.min(BATCH_EVENTS, count - first) },
          (_, i) => taskEvent(first + i),
        ),
      );
    }
    return null;
  },
  makeSparseLog: async ({ folder, bytes }) => {
    await using redex = openRedex({ clock: systemClock, disk: SPARSE_DISK }, { folder });
    const file = await redex.open(CHANNEL, { isPersistent: true });
    const batch = Array.from({ length: BATCH_EVENTS }, () => new Uint8Array(PAYLOAD_BYTES));
    for (let done = 0; done < bytes; done += BATCH_EVENTS * PAYLOAD_BYTES) {
      file.appendBatch(batch);
      // Full segments are sealed meanwhile.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return null;
  },
  openLog: async ({ folder }) => {
    const begin = performance.now();
    await using redex = openRedex({ clock: systemClock, disk: systemDisk }, { folder });
    const file = await redex.open(CHANNEL, { isPersistent: true });
    const last = file.read(file.nextSeq - 1n);
    const ms = performance.now() - begin;
    if (last?.payload.length !== PAYLOAD_BYTES) throw new Error("The last event is not there");
    return { ms, events: file.stat().events };
  },
};

/** The machine's, but what is written to payload files are holes: for payloads that are zeros. */
const SPARSE_DISK: Disk = {
  ...systemDisk,
  open: (path, options) => {
    const file = systemDisk.open(path, options);
    return path.endsWith("/dat") ? sparse(file) : file;
  },
};

function sparse(file: DiskFile): DiskFile {
  return {
    size: () => file.size(),
    readAt: (offset, into) => file.readAt(offset, into),
    writeAt: (offset, bytes) => file.truncate(offset + bytes.length),
    truncate: (size) => file.truncate(size),
    sync: () => file.sync(),
    syncNow: () => file.syncNow(),
    close: () => file.close(),
  };
}

function taskEvent(index: number): Uint8Array {
  const id = index >> 1;
  const { dispatch, tail } = index % 2 === 0
    ? createTaskEvent(BigInt(id), taskTitle(id), taskTime(id))
    : completeTaskEvent(BigInt(id), taskTime(id));
  return encodeEvent({ dispatch, flags: 0, origin: ORIGIN, appSeq: BigInt(index) }, tail);
}
