/** Logs of tasks, memories and workflows that both sides write, and snapshots that both sides restore. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { systemClock } from "../../src/base/mod.ts";
import type { Redex } from "../../src/log/mod.ts";
import {
  type CortexAdapter,
  type CortexSnapshot,
  createMemoryModel,
  createTaskModel,
  createWorkflowModel,
  decodeCortexSnapshot,
  type FoldModel,
  openCortex,
  openMemories,
  openTasks,
  openWorkflow,
  WORKFLOW_STATUSES,
} from "../../src/state/mod.ts";
import { isRustPlatform } from "./rust_addon.ts";
import {
  makeTestFolder,
  openOwnRedex,
  type RustStorage,
  startRustStorage,
} from "./rust_storage.ts";
import type { RustModel, RustModelCall, RustStateSnapshot } from "./rust_storage_process.ts";

const SEED = 90_817;
const OUR_ORIGIN = 0x42n;
const THEIR_ORIGIN = 0x4300_0000_0000_0001n;
const ROUNDS = 10;
const PER_ROUND = 12;

const id = fc.bigInt({ min: 0n, max: 9n });
const time = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const text = fc.constantFrom("", "Fox", "Straße", "ΣΊΣΥΦΟΣ", "x".repeat(300));
const tags = fc.array(fc.constantFrom("a", "b", "ß"), { maxLength: 3 });
const call = (method: string, ...args: fc.Arbitrary<unknown>[]): fc.Arbitrary<RustModelCall> =>
  fc.tuple(...args).map((drawn) => ({ method, args: drawn }));

/** A model on our side, and what can be called on it on both. */
interface Subject {
  readonly model: RustModel;
  readonly calls: fc.Arbitrary<RustModelCall>;
  /** Opens it, as a collection with the core's methods. */
  readonly open: (
    redex: Redex,
    snapshot?: CortexSnapshot,
  ) => Promise<{ readonly adapter: CortexAdapter<unknown>; call(call: RustModelCall): void }>;
  /** A state as bytes that are equal when the states are. */
  readonly canonical: (bytes: Uint8Array) => string;
}

function canonicalBy<State>(model: FoldModel<State>): (bytes: Uint8Array) => string {
  return (bytes) => model.encode(model.decode(decodeCortexSnapshot(bytes).inner)).toHex();
}

type Methods = Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;

function opened<State>(collection: { readonly adapter: CortexAdapter<State> }) {
  const methods = collection as unknown as Methods;
  return {
    adapter: collection.adapter as CortexAdapter<unknown>,
    call: ({ method, args }: RustModelCall) => {
      const [memory, content, tagList, source, atNs] = args;
      const own = method === "store" ? [memory, { content, tags: tagList, source }, atNs] : args;
      assert.ok(method in methods, method);
      methods[method]?.(...own);
    },
  };
}

const deps = (redex: Redex) => ({ redex, clock: systemClock });

const SUBJECTS: readonly Subject[] = [
  {
    model: "tasks",
    calls: fc.oneof(
      call("create", id, text, time),
      call("create", id, text, time),
      call("rename", id, text, time),
      call("complete", id, time),
      call("delete", id),
    ),
    open: async (redex, snapshot) =>
      opened(await openTasks(deps(redex), { origin: OUR_ORIGIN, snapshot })),
    canonical: canonicalBy(createTaskModel()),
  },
  {
    model: "memories",
    calls: fc.oneof(
      call("store", id, text, tags, text, time),
      call("store", id, text, tags, text, time),
      call("retag", id, tags, time),
      call("pin", id, time),
      call("unpin", id, time),
      call("delete", id),
    ),
    open: async (redex, snapshot) =>
      opened(await openMemories(deps(redex), { origin: OUR_ORIGIN, snapshot })),
    canonical: canonicalBy(createMemoryModel()),
  },
  {
    model: "workflow",
    calls: fc.oneof(
      call("submit", id),
      call("submit", id),
      call("transition", id, fc.constantFrom(...WORKFLOW_STATUSES)),
      call("advance", id),
      call("retry", id),
      call("link", id, id),
      call("requestCancel", id),
      call("delete", id),
    ),
    open: async (redex, snapshot) =>
      opened(await openWorkflow(deps(redex), { origin: OUR_ORIGIN, snapshot })),
    canonical: canonicalBy(createWorkflowModel()),
  },
];

function rustTests(
  name: (model: string) => string,
  run: (subject: Subject, rust: RustStorage) => Promise<void>,
): void {
  Deno.test({
    name: name("tasks, memories and workflows"),
    ignore: !isRustPlatform(),
    fn: async (t) => {
      await using rust = startRustStorage();
      for (const subject of SUBJECTS) await t.step(subject.model, () => run(subject, rust));
    },
  });
}

const draw = ({ calls }: Subject, count: number, seed = SEED): readonly RustModelCall[] =>
  fc.sample(calls, { seed, numRuns: count });

/** Calls a fold of ours over a folder, and takes it down. */
async function foldOwn(
  subject: Subject,
  folder: string,
  calls: readonly RustModelCall[] = [],
  snapshot?: CortexSnapshot,
): Promise<CortexSnapshot> {
  await using redex = openOwnRedex(folder);
  const { adapter, call } = await subject.open(redex, snapshot);
  await using _ = adapter;
  for (const one of calls) call(one);
  assert.ok(adapter.isRunning && adapter.setAsideTotal === 0, adapter.failure);
  return adapter.snapshot();
}

/** The same with the core's. */
async function foldRust(
  { model }: Subject,
  rust: RustStorage,
  folder: string,
  calls: readonly RustModelCall[] = [],
  snapshot?: CortexSnapshot,
): Promise<CortexSnapshot> {
  const handle = await rust.call("openModel", {
    model,
    folder,
    origin: THEIR_ORIGIN,
    snapshot: snapshot === undefined
      ? undefined
      : { stateBytes: snapshot.bytes, lastSeq: snapshot.lastSeq },
  });
  const seqs = await rust.call("callModel", { handle, calls }) as readonly bigint[];
  const last = seqs.at(-1);
  const wait = last === undefined ? [] : [{ method: "waitForSeq", args: [last] }];
  const take = { method: "snapshot", args: [] };
  const results = await rust.call("callModel", { handle, calls: [...wait, take] });
  await rust.call("closeModel", { handle });
  const taken = results.at(-1) as RustStateSnapshot;
  return { bytes: taken.stateBytes, lastSeq: taken.lastSeq };
}

rustTests(
  (models) => `a log that both write in turn is folded to equal ${models} on both sides`,
  async (subject, rust) => {
    using folder = makeTestFolder();
    const calls = draw(subject, ROUNDS * PER_ROUND);
    for (let round = 0; round < ROUNDS; round++) {
      const part = calls.slice(round * PER_ROUND, (round + 1) * PER_ROUND);
      const [writer, reader] = round % 2 === 0
        ? [await foldOwn(subject, folder.path, part), await foldRust(subject, rust, folder.path)]
        : [await foldRust(subject, rust, folder.path, part), await foldOwn(subject, folder.path)];
      assert.equal(subject.canonical(reader.bytes), subject.canonical(writer.bytes));
      assert.equal(writer.lastSeq, BigInt((round + 1) * PER_ROUND - 1));
      assert.equal(reader.lastSeq, writer.lastSeq);
    }
  },
);

rustTests(
  (models) => `snapshots of ${models} go on, on the other side, with the log behind them`,
  async (subject, rust) => {
    for (const isOurs of [true, false]) {
      using folder = makeTestFolder();
      const calls = draw(subject, 3 * PER_ROUND, SEED + 1);
      const [before, behind, more] = [0, 1, 2].map((part) =>
        calls.slice(part * PER_ROUND, (part + 1) * PER_ROUND)
      );
      const snapshot = isOurs
        ? await foldOwn(subject, folder.path, before)
        : await foldRust(subject, rust, folder.path, before);
      await foldOwn(subject, folder.path, behind);
      const restored = isOurs
        ? await foldRust(subject, rust, folder.path, more, snapshot)
        : await foldOwn(subject, folder.path, more, snapshot);
      const folded = isOurs
        ? await foldOwn(subject, folder.path)
        : await foldRust(subject, rust, folder.path);
      assert.equal(subject.canonical(restored.bytes), subject.canonical(folded.bytes));
      assert.equal(restored.lastSeq, BigInt(calls.length - 1));
    }
  },
);

rustTests(
  (models) =>
    `a snapshot of ${models} that the core took starts an empty log here, which takes writes at once`,
  async (subject, rust) => {
    using source = makeTestFolder();
    using target = makeTestFolder();
    const calls = draw(subject, 2 * PER_ROUND, SEED + 2);
    const [before, after] = [calls.slice(0, PER_ROUND), calls.slice(PER_ROUND)];
    const snapshot = await foldRust(subject, rust, source.path, before);
    const restored = await foldOwn(subject, target.path, after, snapshot);
    const expected = await foldRust(subject, rust, source.path, after);
    assert.equal(subject.canonical(restored.bytes), subject.canonical(expected.bytes));
    assert.equal(restored.lastSeq, expected.lastSeq);
    // The log's numbers go on behind the snapshot, so that the core finds what was written here too.
    const theirs = await foldRust(subject, rust, target.path, [], snapshot);
    assert.equal(subject.canonical(theirs.bytes), subject.canonical(expected.bytes));
  },
);

rustTests(
  (models) => `a snapshot of ${models} that we took starts an empty log in the core`,
  async (subject, rust) => {
    using source = makeTestFolder();
    using target = makeTestFolder();
    const snapshot = await foldOwn(subject, source.path, draw(subject, PER_ROUND, SEED + 3));
    const theirs = await foldRust(subject, rust, target.path, [], snapshot);
    assert.equal(subject.canonical(theirs.bytes), subject.canonical(snapshot.bytes));
    assert.equal(theirs.lastSeq, snapshot.lastSeq);
  },
);

Deno.test({
  name: "the writer's count goes on from a snapshot of the other side",
  ignore: !isRustPlatform(),
  fn: async () => {
    await using rust = startRustStorage();
    const [subject] = SUBJECTS;
    assert.ok(subject !== undefined);
    using folder = makeTestFolder();
    const ours = await foldOwn(subject, folder.path, draw(subject, 5));
    assert.equal(decodeCortexSnapshot(ours.bytes).appSeq, 5n);
    const theirs = await foldRust(subject, rust, folder.path, draw(subject, 3), ours);
    // It is a count of the one whose snapshot it is; the core takes it over with the state.
    assert.equal(decodeCortexSnapshot(theirs.bytes).appSeq, 8n);
    await using redex = openOwnRedex(folder.path);
    await using again = await openCortex(deps(redex), createTaskModel(), {
      origin: OUR_ORIGIN,
      snapshot: theirs,
    });
    assert.equal(decodeCortexSnapshot(again.snapshot().bytes).appSeq, 8n);
  },
});
