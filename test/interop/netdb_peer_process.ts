/**
 * The core's folds and its database, driven by a test: calls go in, rows, snapshots and bundles come out. Its client
 * is `netdb_peer.ts`.
 */
import { createRequire } from "node:module";
import type { Buffer } from "node:buffer";
import { RUST_PACKAGE, toBuffer } from "./rust_addon.ts";
import { serveLines } from "./serve_lines.ts";

/** A method of an adapter and its arguments. */
export type PeerCall = readonly [method: string, args: readonly unknown[]];

/** Rows as the addon gives them. */
export type PeerRow = Readonly<Record<string, unknown>>;

/** What an adapter came to. */
export interface PeerFold {
  readonly stateBytes: Uint8Array;
  readonly lastSeq: bigint | null;
  /** Ids that each filter found, as decimal texts. */
  readonly found: readonly (readonly string[])[];
}

/** What a database came to. */
export interface PeerDatabase {
  readonly tasks: readonly PeerRow[];
  readonly memories: readonly PeerRow[];
  readonly bundle: Uint8Array;
}

/** One step with a workflow, its triggers, or a group of shards. */
export interface PeerStep {
  readonly on: "workflow" | "triggers" | "group";
  readonly method: string;
  readonly args: readonly unknown[];
}

/** Operations of this process. */
export interface NetDbOperations {
  fold: [
    {
      readonly adapter: "tasks" | "memories" | "workflow";
      readonly calls: readonly PeerCall[];
      readonly filters?: readonly object[];
    },
    PeerFold,
  ];
  database: [
    {
      readonly folder?: string;
      readonly bundle?: Uint8Array;
      readonly tasks?: readonly PeerCall[];
      readonly memories?: readonly PeerCall[];
    },
    PeerDatabase,
  ];
  coordinate: [
    {
      readonly shards: readonly bigint[];
      readonly join: bigint;
      readonly steps: readonly PeerStep[];
    },
    /** What triggers and joins gave, step by step; null for writes. */
    readonly unknown[],
  ];
}

interface Adapter {
  snapshot(): { readonly stateBytes: Buffer; readonly lastSeq: bigint | null };
  waitForSeq(seq: bigint): Promise<void>;
  /** The workflow's has none. */
  close?(): void;
  listTasks(filter?: object): PeerRow[];
  listMemories(filter?: object): PeerRow[];
}

interface Database {
  readonly tasks: Adapter;
  readonly memories: Adapter;
  snapshot(): { readonly stateBytes: Buffer };
  close(): void;
}

interface Addon {
  readonly Redex: new () => unknown;
  readonly TasksAdapter: { open(redex: unknown, origin: bigint): Promise<Adapter> };
  readonly MemoriesAdapter: { open(redex: unknown, origin: bigint): Promise<Adapter> };
  readonly WorkflowAdapter: { open(redex: unknown, origin: bigint): Promise<Adapter> };
  readonly TriggerEngine: new (workflow: Adapter) => object;
  readonly ShardGroup: new (shards: readonly bigint[], join: bigint) => object;
  readonly NetDb: {
    open(config: object): Promise<Database>;
    openFromSnapshot(config: object, bundle: { readonly stateBytes: Buffer }): Promise<Database>;
  };
}

const ORIGIN = 0x42n;
/** The core's fold ends when it is 1024 events behind. */
const WAIT_EVERY = 200;

const addon = createRequire(import.meta.url)(RUST_PACKAGE) as Addon;

async function fold(
  { adapter: kind, calls, filters = [] }: NetDbOperations["fold"][0],
): Promise<PeerFold> {
  const classes = {
    tasks: addon.TasksAdapter,
    memories: addon.MemoriesAdapter,
    workflow: addon.WorkflowAdapter,
  };
  const adapter = await classes[kind].open(new addon.Redex(), ORIGIN);
  await callAll(adapter, calls);
  const found = filters.map((filter) => {
    const rows = kind === "tasks" ? adapter.listTasks(filter) : adapter.listMemories(filter);
    return rows.map((row) => String(row.id));
  });
  const { stateBytes, lastSeq } = adapter.snapshot();
  adapter.close?.();
  return { stateBytes: new Uint8Array(stateBytes), lastSeq, found };
}

async function database(
  { folder, bundle, tasks = [], memories = [] }: NetDbOperations["database"][0],
): Promise<PeerDatabase> {
  const config = {
    originHash: ORIGIN,
    withTasks: true,
    withMemories: true,
    ...(folder === undefined ? {} : { persistent: true, persistentDir: folder }),
  };
  const db = bundle === undefined
    ? await addon.NetDb.open(config)
    : await addon.NetDb.openFromSnapshot(config, { stateBytes: toBuffer(bundle) });
  await callAll(db.tasks, tasks);
  await callAll(db.memories, memories);
  const result = {
    tasks: db.tasks.listTasks(),
    memories: db.memories.listMemories(),
    bundle: new Uint8Array(db.snapshot().stateBytes),
  };
  db.close();
  return result;
}

async function coordinate(
  { shards, join, steps }: NetDbOperations["coordinate"][0],
): Promise<readonly unknown[]> {
  const workflow = await addon.WorkflowAdapter.open(new addon.Redex(), ORIGIN);
  const triggers = new addon.TriggerEngine(workflow);
  const group = new addon.ShardGroup(shards, join);
  const answers: unknown[] = [];
  for (const { on, method, args } of steps) {
    const target = on === "triggers" ? triggers : workflow;
    const given = on === "group" ? [group] : args;
    const answer = (target as Methods)[method]?.call(target, ...given);
    const seq = typeof answer === "bigint" ? answer : (answer as { seq?: bigint } | undefined)?.seq;
    if (seq !== undefined) await workflow.waitForSeq(seq);
    answers.push(typeof answer === "bigint" ? null : answer ?? null);
  }
  return answers;
}

type Methods = Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;

async function callAll(adapter: Adapter, calls: readonly PeerCall[]): Promise<void> {
  const methods = adapter as unknown as Readonly<Record<string, (...args: unknown[]) => bigint>>;
  for (const [at, [method, args]] of calls.entries()) {
    const seq = methods[method]?.call(adapter, ...args);
    const isLast = at === calls.length - 1;
    if (seq !== undefined && (isLast || at % WAIT_EVERY === 0)) await adapter.waitForSeq(seq);
  }
}

if (import.meta.main) await serveLines({ fold, database, coordinate });
