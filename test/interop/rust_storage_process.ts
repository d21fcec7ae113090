/**
 * The Rust core's logs, folds, databases and daemons in a process of their own; its clients are the
 * `rust_storage_*_test.ts`.
 *
 * Argument order and results were found by calling release 0.36.0. What a test has to know:
 *
 * - `openFile` with `fsyncEveryN`, `fsyncIntervalMs` or `replication` aborts the whole process.
 * - A root hands out the file it has open, closed ones too: a folder that somebody else wrote to is opened
 *   with a root of its own.
 * - A state that was restored in front of a shorter log ignores new events until the log is behind it.
 */
import { Buffer } from "node:buffer";
import { loadRustAddon, type RustMesh, toBuffer } from "./rust_addon.ts";
import { serveLines } from "./serve_lines.ts";

/** An event of a channel as the core reads it. */
export interface RustLogEvent {
  readonly seq: bigint;
  readonly payload: Uint8Array;
  readonly isInline: boolean;
}

/** A state with the number it stands for. */
export interface RustStateSnapshot {
  readonly stateBytes: Uint8Array;
  readonly lastSeq?: bigint;
}

/** Folds of the core. */
export type RustModel = "tasks" | "memories" | "workflow";

/** One call on a fold: a method of the addon and its arguments. */
export interface RustModelCall {
  readonly method: string;
  readonly args: readonly unknown[];
}

/** Operations of this process. Handles are numbers. */
export interface StorageOperations {
  /** Opens a channel of a folder with a root of its own. */
  openChannel: [{ readonly folder: string; readonly name: string }, number];
  appendBatch: [{ readonly channel: number; readonly payloads: readonly Uint8Array[] }, bigint];
  readRange: [
    { readonly channel: number; readonly from: bigint; readonly to: bigint },
    readonly RustLogEvent[],
  ];
  channelLength: [{ readonly channel: number }, bigint];
  syncChannel: [{ readonly channel: number }, null];
  closeChannel: [{ readonly channel: number }, null];
  /** The first `count` events of a tail. */
  tailChannel: [
    { readonly channel: number; readonly from: bigint; readonly count: number },
    readonly RustLogEvent[],
  ];
  /** Opens a fold over a folder, from a snapshot if there is one. */
  openModel: [
    {
      readonly model: RustModel;
      readonly folder: string;
      readonly origin: bigint;
      readonly snapshot?: RustStateSnapshot;
    },
    number,
  ];
  /** Opens tasks and memories of a folder, from a bundle if there is one. */
  openDatabase: [
    { readonly folder: string; readonly origin: bigint; readonly bundle?: Uint8Array },
    { readonly database: number; readonly tasks: number; readonly memories: number },
  ];
  /** The bundle of a database. */
  bundleOf: [{ readonly database: number }, Uint8Array];
  /** Calls a fold, one after the other; the results. */
  callModel: [
    { readonly handle: number; readonly calls: readonly RustModelCall[] },
    readonly unknown[],
  ];
  closeModel: [{ readonly handle: number }, null];
  /** A daemon that emits two outputs for each event and has the number of events as its state; its origin. */
  spawnDaemon: [{ readonly seed: Uint8Array; readonly snapshot?: Uint8Array }, bigint];
  /** Outputs of one event, in order. */
  deliver: [
    {
      readonly daemon: bigint;
      readonly origin: bigint;
      readonly sequence: bigint;
      readonly payload: Uint8Array;
    },
    readonly Uint8Array[],
  ];
  /** `CDS1` bytes. */
  daemonSnapshot: [{ readonly daemon: bigint }, Uint8Array];
  stopDaemon: [{ readonly daemon: bigint }, null];
}

interface AddonFile {
  appendBatch(payloads: readonly Buffer[]): bigint;
  readRange(from: bigint, to: bigint): RustLogEvent[];
  len(): bigint;
  sync(): Promise<void>;
  close(): Promise<void>;
  tail(from: bigint): Promise<{ next(): Promise<RustLogEvent | null>; close(): unknown }>;
}

interface AddonModelClass {
  open(root: unknown, origin: bigint, isPersistent: boolean): Promise<AddonModel>;
  openFromSnapshot(
    root: unknown,
    origin: bigint,
    state: Buffer,
    lastSeq: bigint | undefined,
    isPersistent: boolean,
  ): Promise<AddonModel>;
}

type AddonModel = Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;

interface AddonDatabase {
  readonly tasks: AddonModel;
  readonly memories: AddonModel;
  snapshot(): { readonly stateBytes: Buffer };
  close(): unknown;
}

interface DeliveredEvent {
  readonly originHash: bigint;
  readonly sequence: bigint;
  readonly payload: Buffer;
}

interface AddonDaemons {
  start(): Promise<void>;
  registerFactory(kind: string, make: () => object): unknown;
  spawn(...args: readonly unknown[]): Promise<{ readonly originHash: bigint }>;
  spawnFromSnapshot(...args: readonly unknown[]): Promise<{ readonly originHash: bigint }>;
  deliver(origin: bigint, event: DeliveredEvent): Promise<Buffer[]>;
  snapshot(origin: bigint): Promise<Buffer>;
  stop(origin: bigint): Promise<void>;
}

interface StorageAddon {
  readonly Redex: new (folder: string) => {
    openFile(name: string, options: { readonly persistent: true }): AddonFile;
  };
  readonly TasksAdapter: AddonModelClass;
  readonly MemoriesAdapter: AddonModelClass;
  readonly WorkflowAdapter: AddonModelClass;
  readonly NetDb: {
    open(options: object): Promise<AddonDatabase>;
    openFromSnapshot(options: object, bundle: { stateBytes: Buffer }): Promise<AddonDatabase>;
  };
  readonly DaemonRuntime: { create(mesh: RustMesh): AddonDaemons };
  readonly Identity: { fromSeed(seed: Buffer): unknown };
}

type StorageHandlers = {
  readonly [Name in keyof StorageOperations]: (
    args: StorageOperations[Name][0],
  ) => StorageOperations[Name][1] | Promise<StorageOperations[Name][1]>;
};

const KIND = "counting";

function createStorageHandlers(): StorageHandlers {
  const mesh = loadRustAddon();
  const addon = mesh as unknown as StorageAddon;
  const channels: AddonFile[] = [];
  const models: AddonModel[] = [];
  const databases: AddonDatabase[] = [];
  let daemons: Promise<AddonDaemons> | undefined;

  const startDaemons = async () => {
    const node = await mesh.NetMesh.create({ bindAddr: "127.0.0.1:0", psk: "31".repeat(32) });
    await node.start();
    const runtime = addon.DaemonRuntime.create(node);
    await runtime.start();
    runtime.registerFactory(KIND, () => ({}));
    return runtime;
  };
  const runtime = () => daemons ??= startDaemons();
  const classOf = (model: RustModel): AddonModelClass =>
    ({
      tasks: addon.TasksAdapter,
      memories: addon.MemoriesAdapter,
      workflow: addon.WorkflowAdapter,
    })[model];

  return {
    openChannel: ({ folder, name }) =>
      channels.push(new addon.Redex(folder).openFile(name, { persistent: true })) - 1,
    appendBatch: ({ channel, payloads }) =>
      at(channels, channel).appendBatch(payloads.map((payload) => toBuffer(payload))),
    readRange: ({ channel, from, to }) => at(channels, channel).readRange(from, to),
    channelLength: ({ channel }) => at(channels, channel).len(),
    syncChannel: async ({ channel }) => {
      await at(channels, channel).sync();
      return null;
    },
    closeChannel: async ({ channel }) => {
      await at(channels, channel).close();
      return null;
    },
    tailChannel: async ({ channel, from, count }) => {
      const tail = await at(channels, channel).tail(from);
      const events: RustLogEvent[] = [];
      while (events.length < count) {
        const event = await tail.next();
        if (event === null) break;
        events.push(event);
      }
      await tail.close();
      return events;
    },
    openModel: async ({ model, folder, origin, snapshot }) => {
      const root = new addon.Redex(folder);
      const opened = snapshot === undefined
        ? await classOf(model).open(root, origin, true)
        : await classOf(model).openFromSnapshot(
          root,
          origin,
          toBuffer(snapshot.stateBytes),
          snapshot.lastSeq,
          true,
        );
      return models.push(opened) - 1;
    },
    openDatabase: async ({ folder, origin, bundle }) => {
      const options = {
        originHash: origin,
        persistent: true,
        withTasks: true,
        withMemories: true,
        persistentDir: folder,
      };
      const database = bundle === undefined
        ? await addon.NetDb.open(options)
        : await addon.NetDb.openFromSnapshot(options, { stateBytes: toBuffer(bundle) });
      return {
        database: databases.push(database) - 1,
        tasks: models.push(database.tasks) - 1,
        memories: models.push(database.memories) - 1,
      };
    },
    bundleOf: ({ database }) => at(databases, database).snapshot().stateBytes,
    callModel: async ({ handle, calls }) => {
      const model = at(models, handle);
      const results: unknown[] = [];
      for (const { method, args } of calls) results.push(await model[method]?.(...args) ?? null);
      return results;
    },
    closeModel: async ({ handle }) => {
      await at(models, handle).close?.();
      return null;
    },
    spawnDaemon: async ({ seed, snapshot }) => {
      const identity = addon.Identity.fromSeed(Buffer.from(seed));
      let events = 0;
      const parts = [
        ({ payload }: DeliveredEvent) => {
          events += 1;
          return [0, 1].map((output) => Buffer.concat([payload, Buffer.from([output])]));
        },
        () => Buffer.from(String(events)),
        (state: Buffer) => void (events = Number(state.toString())),
      ];
      const daemon = snapshot === undefined
        ? await (await runtime()).spawn(KIND, identity, ...parts)
        : await (await runtime()).spawnFromSnapshot(
          KIND,
          identity,
          toBuffer(snapshot),
          ...parts,
        );
      return daemon.originHash;
    },
    deliver: async ({ daemon, origin, sequence, payload }) =>
      await (await runtime()).deliver(daemon, {
        originHash: origin,
        sequence,
        payload: toBuffer(payload),
      }),
    daemonSnapshot: async ({ daemon }) => await (await runtime()).snapshot(daemon),
    stopDaemon: async ({ daemon }) => {
      await (await runtime()).stop(daemon);
      return null;
    },
  };
}

function at<T>(handles: readonly T[], handle: number): T {
  const value = handles[handle];
  if (value === undefined) throw new RangeError(`Nothing has the handle ${handle}`);
  return value;
}

if (import.meta.main) await serveLines(createStorageHandlers());
