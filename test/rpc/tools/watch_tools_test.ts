import assert from "node:assert/strict";
import { Emitter, NetError, utf8 } from "../../../src/base/mod.ts";
import {
  followToolWatch,
  type ListedTool,
  nextChanges,
  serveToolWatch,
  type ToolChange,
  WATCH_BUFFER_MAX,
  watchTools,
} from "../../../src/rpc/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { MemoryRpc } from "./memory_rpc.ts";
import { collect, tool } from "./samples.ts";

function listed(toolId: string, nodeCount = 1, tags: readonly string[] = []): ListedTool {
  const descriptor = { ...tool(toolId, { tags }), nodeCount };
  return { descriptor, omitted: [], providers: [1n] };
}

const show = (change: ToolChange | void) =>
  change === undefined
    ? "over"
    : change.kind === "node_count_changed"
    ? `${change.descriptor.toolId} ${change.previousNodeCount}->${change.descriptor.nodeCount}`
    : `${change.descriptor.toolId} ${change.kind}`;

function setUp() {
  const changed = new Emitter<[]>();
  const clock = new ManualClock();
  let tools: ListedTool[] = [];
  let lists = 0;
  return {
    clock,
    deps: {
      clock,
      list: () => {
        lists += 1;
        return tools;
      },
      onChange: (handler: () => void) => changed.on(handler),
    },
    set: (...now: ListedTool[]) => {
      tools = now;
      changed.emit();
    },
    lists: () => lists,
  };
}

Deno.test("watchTools() yields what is there, then what changes, and ends by its signal", async () => {
  const { deps, set } = setUp();
  set(listed("a"));
  const end = new AbortController();
  const watch = watchTools(deps, { signal: end.signal });
  const next = async () => show((await watch.next()).value);
  assert.equal(await next(), "a added");
  const pending = next();
  set(listed("a", 3), listed("b"));
  assert.equal(await pending, "a 1->3");
  // Somebody who comes and goes while nobody looks is not seen.
  set(listed("b"), listed("c"));
  set(listed("b"));
  assert.equal(await next(), "b added");
  assert.equal(await next(), "a removed");
  const last = next();
  end.abort();
  assert.equal(await last, "over");
});

Deno.test("watchTools() takes a signal that was given before", async () => {
  const { deps, lists } = setUp();
  for await (const _ of watchTools(deps, { signal: AbortSignal.abort() })) assert.fail();
  assert.equal(lists(), 0);
});

Deno.test("watchTools() sees a filtered tool come and go", async () => {
  const { deps, set } = setUp();
  set(listed("a"), listed("b", 1, ["x"]));
  const watch = watchTools(deps, { tags: ["x"] });
  assert.equal(show((await watch.next()).value), "b added");
  set(listed("a"));
  assert.equal(show((await watch.next()).value), "b removed");
  await watch.return();
});

Deno.test("watchTools() lists no more often than its interval", async () => {
  const { deps, clock, set, lists } = setUp();
  set(listed("a"));
  const end = new AbortController();
  const watch = watchTools(deps, { intervalMs: 50, signal: end.signal });
  await watch.next();
  const pending = watch.next();
  set(listed("b"));
  await settle();
  assert.equal(lists(), 1);
  await clock.advance(50);
  assert.equal(show((await pending).value), "b added");
  assert.equal(lists(), 2);
  // The end does not wait for the interval.
  await watch.next();
  const last = watch.next();
  set(listed("c"));
  await settle();
  end.abort();
  assert.equal((await last).done, true);
});

Deno.test("followToolWatch() sees what serveToolWatch() tells", async () => {
  const { deps, set } = setUp();
  const rpc = new MemoryRpc();
  const served = serveToolWatch(rpc, deps);
  set(listed("a"), listed("b", 2));
  const frames = followToolWatch(rpc, { target: 1n });
  const next = async () => (await frames.next()).value;
  assert.deepEqual(await next(), { kind: "added", descriptor: listed("a").descriptor });
  assert.deepEqual(await next(), { kind: "added", descriptor: listed("b", 2).descriptor });
  set(listed("b", 3));
  assert.deepEqual(await next(), {
    kind: "node_count_changed",
    descriptor: listed("b", 3).descriptor,
    previousNodeCount: 2,
  });
  assert.deepEqual(await next(), { kind: "removed", descriptor: listed("a").descriptor });
  await served.close();
  rpc.serveStream("tool.watch", async function* () {
    yield utf8('{"type":"resync"}');
    yield utf8("{}");
  });
  const broken = followToolWatch(rpc, { target: 1n });
  assert.deepEqual((await broken.next()).value, { kind: "resync" });
  await assert.rejects(
    collect(broken),
    (error) => error instanceof NetError && error.code === "failed",
  );
});

Deno.test("nextChanges() makes at most 256 at once, and the rest after them", () => {
  const many = Array.from({ length: 600 }, (_, i) => listed(`t${i}`));
  const known = new Map();
  const counts: number[] = [];
  for (let changes = nextChanges(known, many, {}); changes.length > 0;) {
    counts.push(changes.length);
    changes = nextChanges(known, many, {});
  }
  assert.deepEqual(counts, [WATCH_BUFFER_MAX, WATCH_BUFFER_MAX, 600 - 2 * WATCH_BUFFER_MAX]);
  assert.equal(nextChanges(known, [], {}).length, WATCH_BUFFER_MAX);
  assert.equal(known.size, 600 - WATCH_BUFFER_MAX);
});

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}
