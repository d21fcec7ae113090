/** The live Rust core calls services of our node, in all four shapes. Our calls have their own file. */
import assert from "node:assert/strict";
import { RpcStatusError } from "../../src/rpc/mod.ts";
import { EMPTY_BASELINE } from "../../src/services/capabilities/baseline.ts";
import { PSK } from "../services/capabilities/capability_kit.ts";
import { type CallingNode, startCallNode } from "./call_node.ts";
import { type LineProcess, startLineProcess } from "./line_process.ts";
import { eventually } from "./mesh_node.ts";
import type { RustCallerOperations, RustCallFacts } from "./rust_caller_process.ts";
import { rustPeerTest } from "./rust_peer.ts";
import type { RustNodeInfo } from "./rust_protocol.ts";

const TEXT = new TextEncoder();

interface Pair extends AsyncDisposable {
  readonly node: CallingNode;
  readonly rust: RustNodeInfo;
  readonly peer: LineProcess<RustCallerOperations>;
  /** Facts of a call of the core to our node. */
  to(service: string): RustCallFacts;
}

async function startPair(): Promise<Pair> {
  await using stack = new AsyncDisposableStack();
  const program = new URL("./rust_caller_process.ts", import.meta.url);
  const peer = stack.use(
    startLineProcess<RustCallerOperations>(program, { name: "Rust caller" }),
  );
  const rust = await peer.call("create", {
    psk: PSK,
    heartbeatIntervalMs: 200,
    sessionTimeoutMs: 1_000,
  });
  await peer.call("start", { node: rust.node });
  const node = stack.use(await startCallNode());
  await node.connect(rust);
  const owned = stack.move();
  return {
    node,
    rust,
    peer,
    to: (service) => ({ node: rust.node, peer: node.nodeId, service }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function readU32(bytes: Uint8Array | undefined): number {
  assert.ok(bytes !== undefined);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

const numbers = (items: readonly Uint8Array[]) => items.map(readU32);
const upTo = (count: number) => Array.from({ length: count }, (_, at) => at);
const runningOf = (node: CallingNode) => node.counters().net_rpc_handlers_running;
const untilIdle = (node: CallingNode) => eventually("no handler runs", () => runningOf(node) === 0);

rustPeerTest("the core's unary calls are served: answers, errors, deadline, cancel", async (t) => {
  await using pair = await startPair();
  const { node, rust, peer, to } = pair;
  const { rpc } = node;
  const body = TEXT.encode("body");
  rpc.serve("echo", (bytes) => bytes);
  await t.step("bodies of every length that one packet holds come back", async () => {
    for (const length of [0, 1, 64, 1_024, 7_900]) {
      const bytes = new Uint8Array(length).fill(length);
      const { items, error } = await peer.call("unary", { ...to("echo"), body: bytes });
      assert.deepEqual([items, error], [[bytes], null]);
    }
  });
  await t.step("the handler knows who calls, until when", async () => {
    const seen: unknown[] = [];
    rpc.serve("who", (bytes, { caller, headers, deadlineMs, callId }) => {
      seen.push([caller, headers.length, callId !== 0n]);
      assert.ok(deadlineMs !== undefined && Math.abs(deadlineMs - Date.now() - 5_000) < 1_000);
      return bytes;
    });
    const { error } = await peer.call("unary", { ...to("who"), body, deadlineMs: 5_000 });
    assert.equal(error, null);
    assert.deepEqual(seen, [[rust.nodeId, 0, true]]);
  });
  await t.step("200 at once are answered, each once", async () => {
    let runs = 0;
    rpc.serve("later", async (bytes) => {
      runs += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
      return bytes;
    });
    const ends = await peer.call("manyUnary", { ...to("later"), body, count: 200 });
    assert.ok(ends.every(({ error }) => error === null));
    assert.equal(runs, 200);
  });
  await t.step("what a handler throws is the status that the core shows", async () => {
    rpc.serve("panics", () => Promise.reject(new Error("out of order")));
    rpc.serve("chooses", () => {
      throw new RpcStatusError(0x8123, "mine");
    });
    const panic = await peer.call("unary", { ...to("panics"), body });
    assert.match(panic.error ?? "", /nrpc:server_error: status=0x0006 .*handler panicked: out of/);
    const chosen = await peer.call("unary", { ...to("chooses"), body });
    assert.match(chosen.error ?? "", /nrpc:server_error: status=0x8123 .*mine/);
  });
  await t.step("an answer that one packet does not hold is an error at once", async () => {
    rpc.serve("long", () => new Uint8Array(9_000));
    const startMs = performance.now();
    const { error } = await peer.call("unary", { ...to("long"), body, deadlineMs: 20_000 });
    assert.match(error ?? "", /body too large for this peer/);
    assert.ok(performance.now() - startMs < 3_000);
  });
  await t.step("its deadline and its cancel reach the handler's signal", async () => {
    const aborts: string[] = [];
    rpc.serve("hold", (_, { signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          aborts.push(String(signal.reason.message));
          reject(signal.reason);
        });
      }));
    const late = await peer.call("unary", { ...to("hold"), body, deadlineMs: 300 });
    assert.match(late.error ?? "", /nrpc:timeout|status=0x0003/);
    await untilIdle(node);
    const cancelled = await peer.call("unary", { ...to("hold"), body, cancelAfterMs: 200 });
    assert.match(cancelled.error ?? "", /nrpc:cancelled/);
    await untilIdle(node);
    assert.equal(aborts.length, 2);
    assert.match(aborts[1] ?? "", /server observed CANCEL during handler execution/);
  });
  await t.step("a service that is full says so with status 4", async () => {
    let finish = () => {};
    const held = new Promise<Uint8Array>((resolve) => finish = () => resolve(body));
    let runs = 0;
    rpc.serve("full", () => {
      runs += 1;
      return held;
    }, { runningMax: 3 });
    const calls = peer.call("manyUnary", { ...to("full"), body, count: 10 });
    await eventually("three run", () => runs === 3);
    await new Promise((resolve) => setTimeout(resolve, 300));
    finish();
    const ends = await calls;
    const errors = ends.flatMap(({ error }) => error ?? []);
    assert.equal(errors.length, 7);
    for (const error of errors) {
      assert.match(error, /nrpc:server_error: status=0x0004 .*try again in \d+ ms/);
    }
    assert.equal(runs, 3);
  });
  await t.step("a service that does not exist is refused", async () => {
    const { error } = await peer.call("unary", { ...to("nobody"), body, deadlineMs: 2_000 });
    assert.match(error ?? "", /nrpc:/);
  });
  await t.step("a service that was closed is refused, and again served afterwards", async () => {
    const served = rpc.serve("brief", (bytes) => bytes);
    assert.equal((await peer.call("unary", { ...to("brief"), body })).error, null);
    await served.close();
    const { error } = await peer.call("unary", { ...to("brief"), body, deadlineMs: 2_000 });
    assert.match(error ?? "", /status=0x0001 .*no service/);
    rpc.serve("brief", (bytes) => bytes);
    assert.equal((await peer.call("unary", { ...to("brief"), body })).error, null);
  });
});

rustPeerTest("the core's downloads are served at its pace", async (t) => {
  await using pair = await startPair();
  const { node, peer, to } = pair;
  let given = 0;
  let cleanUps = 0;
  node.rpc.serveStream("count", async function* (body, { signal }) {
    try {
      for (let at = 0; at < readU32(body) && !signal.aborted; at++) {
        given += 1;
        yield u32(at);
        // The core's own queue drops what comes faster than its program reads.
        if (at % 16 === 15) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    } finally {
      cleanUps += 1;
    }
  });
  await t.step("in order, with windows from 1 on and without", async () => {
    for (const streamWindow of [1, 2, 4, 64, undefined]) {
      const { items, error } = await peer.call("download", {
        ...to("count"),
        body: u32(100),
        streamWindow,
      });
      assert.deepEqual([numbers(items), error], [upTo(100), null], `window ${streamWindow}`);
    }
  });
  await t.step("none at all", async () => {
    const { items, error } = await peer.call("download", { ...to("count"), body: u32(0) });
    assert.deepEqual([items, error], [[], null]);
  });
  await t.step("no more than the window leaves before the core grants", async () => {
    given = 0;
    const end = await peer.call("download", {
      ...to("count"),
      body: u32(100_000),
      streamWindow: 4,
      take: 10,
    });
    assert.deepEqual(numbers(end.items), upTo(10));
    await untilIdle(node);
    assert.ok(given <= 10 + 2 * 4 + 1, `${given} were given`);
    assert.equal(cleanUps, 7);
  });
  await t.step("what a handler throws ends it behind its items", async () => {
    node.rpc.serveStream("breaks", function* () {
      yield u32(0);
      throw new RpcStatusError(0x8042, "no more");
    });
    const { items, error } = await peer.call("download", { ...to("breaks"), body: u32(0) });
    assert.deepEqual(numbers(items), [0]);
    assert.match(error ?? "", /status=0x8042 .*no more/);
  });
  await t.step("a cancel in mid-stream reaches the handler", async () => {
    const before = cleanUps;
    const { items } = await peer.call("download", {
      ...to("count"),
      body: u32(1_000_000),
      streamWindow: 8,
      cancelAfterMs: 200,
    });
    // To the core's program a cancelled stream looks like one that has ended.
    assert.deepEqual(numbers(items), upTo(items.length));
    await untilIdle(node);
    assert.equal(cleanUps, before + 1);
  });
});

rustPeerTest("the core's uploads are taken, and earn credit as they are", async (t) => {
  await using pair = await startPair();
  const { node, peer, to } = pair;
  let aborts = 0;
  node.rpc.serveClientStream("sum", async (items, { signal }) => {
    signal.addEventListener("abort", () => aborts += 1);
    let sum = 0;
    for await (const item of items) sum += readU32(item);
    return u32(sum);
  });
  await t.step("with and without a window, of every length", async () => {
    for (const requestWindow of [undefined, 1, 2, 16]) {
      for (const count of [0, 1, 2, 100]) {
        const items = upTo(count).map(u32);
        const end = await peer.call("upload", { ...to("sum"), items, requestWindow });
        const sum = upTo(count).reduce((left, right) => left + right, 0);
        assert.deepEqual([numbers(end.items), end.error], [[sum], null]);
      }
    }
  });
  await t.step("an answer before the end of it", async () => {
    node.rpc.serveClientStream("first", async (items) => {
      for await (const item of items) return item;
      return u32(0);
    });
    const items = [u32(7), u32(8), u32(9)];
    assert.deepEqual(
      numbers((await peer.call("upload", { ...to("first"), items })).items),
      [7],
    );
  });
  await t.step("one that is left aborts its handler", async () => {
    const items = [u32(1), u32(2)];
    const before = aborts;
    await peer.call("upload", { ...to("sum"), items, isLeft: true });
    await untilIdle(node);
    assert.equal(aborts, before + 1);
  });
});

rustPeerTest("the core's duplex calls are served both ways at once", async (t) => {
  await using pair = await startPair();
  const { node, peer, to } = pair;
  let aborts = 0;
  node.rpc.serveDuplex("mirror", async function* (items, { signal }) {
    signal.addEventListener("abort", () => aborts += 1);
    for await (const item of items) yield item;
    yield u32(99);
  });
  await t.step("turn by turn, with and without a window", async () => {
    for (const requestWindow of [undefined, 2]) {
      const items = upTo(40).map(u32);
      const end = await peer.call("duplex", { ...to("mirror"), items, requestWindow });
      assert.deepEqual([numbers(end.items), end.error], [[...upTo(40), 99], null]);
    }
  });
  await t.step("one that is left aborts its handler", async () => {
    const before = aborts;
    await peer.call("duplex", { ...to("mirror"), items: [u32(1)], isLeft: true });
    await untilIdle(node);
    assert.equal(aborts, before + 1);
  });
});

rustPeerTest("a gate that does not admit the core refuses it with status 8", async () => {
  await using pair = await startPair();
  const { node, rust, peer, to } = pair;
  let runs = 0;
  node.rpc.serve("guarded", (body) => {
    runs += 1;
    return body;
  });
  const call = () => peer.call("unary", { ...to("guarded"), body: u32(1), deadlineMs: 3_000 });
  assert.equal((await call()).error, null);
  const { capabilities } = node.capable;
  await capabilities.setBaseline({ ...EMPTY_BASELINE, allowedNodes: [12_345n] });
  assert.match((await call()).error ?? "", /status=0x0008|nrpc:capability_denied/);
  assert.equal(runs, 1);
  await capabilities.setBaseline({
    ...EMPTY_BASELINE,
    allowedNodes: [12_345n, rust.nodeId],
  });
  assert.equal((await call()).error, null);
});

rustPeerTest("a core that is killed in mid-call has its handlers aborted", async () => {
  await using pair = await startPair();
  const { node, peer, to } = pair;
  const aborted: number[] = [];
  node.rpc.serve("hold", (_, { signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        aborted.push(performance.now());
        reject(signal.reason);
      });
    }));
  const call = peer.call("unary", { ...to("hold"), body: u32(1), deadlineMs: 60_000 });
  call.catch(() => {});
  await eventually("it runs", () => runningOf(node) === 1);
  const startMs = performance.now();
  peer.kill();
  await untilIdle(node);
  assert.ok((aborted[0] ?? Infinity) - startMs < 2_000 + 200);
});
