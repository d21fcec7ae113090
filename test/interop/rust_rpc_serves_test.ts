/**
 * The live Rust core's calls of our services, in all four shapes, and what a hostile node of ours sends beside them.
 * The other direction has its own file.
 */
import assert from "node:assert/strict";
import { highHalf, lowHalf, utf8 } from "../../src/base/mod.ts";
import { requireChannelId } from "../../src/channel/mod.ts";
import {
  Dispatch,
  FRAME_BYTES,
  requestChannelName,
  type RpcContext,
  RpcStatusError,
} from "../../src/rpc/mod.ts";
import {
  chunkLength,
  NO_HEADERS,
  requestLength,
  writeChunk,
  writeFrameHead,
  writeRequest,
} from "../../src/rpc/wire/mod.ts";
import { PSK, until } from "../services/capabilities/capability_kit.ts";
import { type CallingNode, startCallNode } from "./call_node.ts";
import { type LineProcess, startLineProcess } from "./line_process.ts";
import type { CallerOperations } from "./rust_caller_process.ts";
import { rustPeerTest } from "./rust_peer.ts";
import type { RustNodeInfo } from "./rust_protocol.ts";

const SESSION_TIMEOUT_MS = 1_000;

interface Pair extends AsyncDisposable {
  readonly node: CallingNode;
  readonly peer: LineProcess<CallerOperations>;
  readonly rust: RustNodeInfo;
  /** What handlers knew of their calls, in order of their begin. */
  readonly contexts: RpcContext[];
  /** Who calls whom. */
  readonly way: { readonly node: number; readonly peer: bigint };
}

async function startPair(): Promise<Pair> {
  await using stack = new AsyncDisposableStack();
  const program = new URL("./rust_caller_process.ts", import.meta.url);
  const peer = stack.use(startLineProcess<CallerOperations>(program, { name: "Rust caller" }));
  const rust = await peer.call("create", {
    psk: PSK,
    heartbeatIntervalMs: 200,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
  });
  await peer.call("start", { node: rust.node });
  const node = stack.use(await startCallNode());
  await node.connect(rust);
  // The reply channel is open to nodes that announced themselves.
  await peer.call("announce", { node: rust.node, capabilities: {} });
  const contexts: RpcContext[] = [];
  serveAll(node, contexts);
  const owned = stack.move();
  return {
    node,
    peer,
    rust,
    contexts,
    way: { node: rust.node, peer: node.nodeId },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Serves one name of each shape, and those that fail, wait or count. */
function serveAll({ rpc }: CallingNode, contexts: RpcContext[]): void {
  const note = (context: RpcContext) => void contexts.push(context);
  rpc.serve("echo", (body, context) => {
    note(context);
    return body;
  });
  rpc.serve("slow", (body, context) => {
    note(context);
    return waited(readU32(body), context.signal, body);
  });
  rpc.serve("fails", (body) => {
    throw new Error(new TextDecoder().decode(body));
  });
  rpc.serve("refuses", () => {
    throw new RpcStatusError(0x8123, "not today");
  });
  rpc.serveStream("count", async function* (body, context) {
    note(context);
    const items = readU32(body);
    for (let at = 0; at < items; at++) yield await Promise.resolve(u32(at));
  });
  rpc.serveClientStream("sum", async (items, context) => {
    note(context);
    let bytes = 0;
    for await (const item of items) bytes += item.length;
    return u32(bytes);
  });
  rpc.serveDuplex("mirror", async function* (items, context) {
    note(context);
    for await (const item of items) yield item;
  });
}

/** The body after a while, or at once when the call is over. */
function waited(ms: number, signal: AbortSignal, body: Uint8Array): Promise<Uint8Array> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array>();
  const timer = setTimeout(() => resolve(body), ms);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    resolve(body);
  }, { once: true });
  return promise;
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

const numbers = (count: number) => Array.from({ length: count }, (_, at) => at);

rustPeerTest(
  "the Rust core calls our unary services: answers, errors, deadline, cancel",
  async (t) => {
    await using pair = await startPair();
    const { peer, way, contexts, rust } = pair;
    const call = (service: string, body: Uint8Array, more = {}) =>
      peer.call("unary", { ...way, service, body, deadlineMs: 10_000, ...more });
    await t.step("answers come back, up to what one packet holds", async () => {
      for (const length of [0, 1, 64, 1_024, 7_900]) {
        const body = new Uint8Array(length).fill(length & 0xff);
        assert.deepEqual(await call("echo", body), { items: [body] });
      }
      assert.ok(contexts.every(({ caller }) => caller === rust.nodeId));
      assert.equal(new Set(contexts.map(({ callId }) => callId)).size, contexts.length);
    });
    await t.step("100 at a time, none lost, none mixed up", async () => {
      const ends = await Promise.all(numbers(100).map((at) => call("echo", u32(at))));
      assert.deepEqual(ends.map(({ items }) => readU32(items[0])), numbers(100));
    });
    await t.step("what a handler throws is its status and text", async () => {
      const { error: panic } = await call("fails", utf8("out of paper"));
      assert.match(
        panic ?? "",
        /^nrpc:server_error: status=0x0006 .*handler panicked: out of paper/,
      );
      const { error: chosen } = await call("refuses", u32(0));
      assert.match(chosen ?? "", /^nrpc:server_error: status=0x8123 .*not today/);
      const { error: byText } = await call("fails", utf8("nrpc:app_error:0x9001:by text"));
      assert.match(byText ?? "", /^nrpc:server_error: status=0x9001 .*by text/);
    });
    await t.step("the deadline ends the call on both sides", async () => {
      const before = contexts.length;
      const { error } = await call("slow", u32(60_000), { deadlineMs: 300 });
      assert.match(error ?? "", /^nrpc:timeout|status=0x0003/);
      const context = contexts[before];
      assert.ok(context?.deadlineMs !== undefined);
      await until("the handler is aborted", () => context.signal.aborted);
    });
    await t.step("a caller that the gate does not admit is told so", async () => {
      const { capabilities } = pair.node.capable;
      const { baseline } = capabilities;
      await capabilities.setBaseline({ ...baseline, allowedNodes: [7n] });
      const before = contexts.length;
      const { error } = await call("echo", u32(1));
      assert.match(error ?? "", /status=0x0008|^nrpc:capability_denied/);
      assert.equal(contexts.length, before);
      await capabilities.setBaseline({ ...baseline, allowedNodes: [rust.nodeId] });
      assert.deepEqual(await call("echo", u32(1)), { items: [u32(1)] });
      await capabilities.setBaseline(baseline);
    });
    await t.step("a cancel token of the core aborts the handler", async () => {
      const before = contexts.length;
      const { error } = await call("slow", u32(60_000), { cancelAfterMs: 300 });
      assert.match(error ?? "", /^nrpc:cancelled|status=0x0005/);
      await until("the handler is aborted", () => contexts[before]?.signal.aborted === true);
    });
  },
);

rustPeerTest("the Rust core reads our streams, within its window", async (t) => {
  await using pair = await startPair();
  const { peer, way, contexts } = pair;
  for (const window of [undefined, 1, 2, 4, 64]) {
    await t.step(`window ${window ?? "none"}`, async () => {
      const facts = { ...way, service: "count", body: u32(50), window, deadlineMs: 10_000 };
      const { items, error } = await peer.call("download", facts);
      assert.equal(error, undefined);
      assert.deepEqual(items.map(readU32), numbers(50));
    });
  }
  await t.step("a reader that goes away ends the handler", async () => {
    const before = contexts.length;
    const facts = { ...way, service: "count", body: u32(0xffff_ffff), window: 4, itemsMax: 5 };
    const { items } = await peer.call("download", facts);
    assert.deepEqual(items.map(readU32), numbers(5));
    await until("the handler is aborted", () => contexts[before]?.signal.aborted === true);
  });
});

rustPeerTest("the Rust core uploads to our services, with and without a window", async (t) => {
  await using pair = await startPair();
  const { peer, way, contexts } = pair;
  for (const window of [undefined, 1, 2, 16]) {
    await t.step(`window ${window ?? "none"}`, async () => {
      for (const count of [1, 2, 40]) {
        const items = numbers(count).map(u32);
        const facts = { ...way, items, window, deadlineMs: 10_000 };
        const sum = await peer.call("upload", { ...facts, service: "sum" });
        assert.deepEqual(sum, { items: [u32(4 * count)] });
        const both = await peer.call("both", { ...facts, service: "mirror" });
        assert.equal(both.error, undefined);
        assert.deepEqual(both.items, items);
      }
    });
  }
  for (const [name, service] of [["upload", "sum"], ["both", "mirror"]] as const) {
    await t.step(`a call of ${service} that is closed early ends its handler`, async () => {
      const before = contexts.length;
      await peer.call(name, { ...way, service, items: [u32(1)], isClosed: true });
      await until("the handler is aborted", () => contexts[before]?.signal.aborted === true);
    });
  }
});

/** What the node's serving engine counted. */
function counted(node: CallingNode, name: string): number {
  const found = Object.entries(node.counters()).find(([key]) =>
    key.endsWith(`_server_${name}_total`)
  );
  assert.ok(found !== undefined, name);
  return found[1];
}

/** Sends frames that nobody should believe, from a node of ours. */
async function startForger(server: CallingNode, service: string) {
  const node = await startCallNode({ join: server });
  const { transport } = node.capable.mesh;
  const isConnected = (from: CallingNode, to: bigint) =>
    from.capable.mesh.transport.peer(to)?.state === "connected";
  await until(
    "both have the session",
    () => isConnected(node, server.nodeId) && isConnected(server, node.nodeId),
  );
  const channel = requireChannelId(requestChannelName(service));
  const handle = transport.openSendStream(server.nodeId, channel.streamId, { isReliable: true });
  const own = node.keys.identity.originHash;
  const route = (originHash = own, channelHash = channel.hash) => ({
    originLow: lowHalf(originHash),
    originHigh: highHalf(originHash),
    channelLow: lowHalf(channelHash),
    channelHigh: highHalf(channelHash),
  });
  const send = (bytes: Uint8Array) => handle.send(bytes);
  const head = (
    bytes: Uint8Array,
    dispatch: number,
    callId: bigint,
    origin?: bigint,
    to?: bigint,
  ) => writeFrameHead(bytes, 0, dispatch, route(origin, to), lowHalf(callId), highHalf(callId), 0);
  return {
    node,
    request: (callId: bigint, more: { origin?: bigint; to?: bigint; service?: string } = {}) => {
      const name = utf8(more.service ?? service);
      const bytes = new Uint8Array(FRAME_BYTES + requestLength(name, NO_HEADERS, u32(0)));
      const at = head(bytes, Dispatch.request, callId, more.origin, more.to);
      writeRequest(bytes, at, name, 0, 0, NO_HEADERS, u32(0));
      return send(bytes);
    },
    chunk: (callId: bigint) => {
      const bytes = new Uint8Array(FRAME_BYTES + chunkLength(NO_HEADERS, u32(0)));
      const at = head(bytes, Dispatch.requestChunk, callId);
      writeChunk(bytes, at, lowHalf(callId), highHalf(callId), 0, NO_HEADERS, u32(0));
      return send(bytes);
    },
    cancel: (callId: bigint, origin?: bigint) => {
      const bytes = new Uint8Array(FRAME_BYTES);
      head(bytes, Dispatch.cancel, callId, origin);
      return send(bytes);
    },
    raw: send,
  };
}

rustPeerTest(
  "forged frames of a third node are dropped and counted, and change nothing",
  async (t) => {
    await using pair = await startPair();
    const { node, peer, way, contexts, rust } = pair;
    const forger = await startForger(node, "slow");
    await using _forging = forger.node;
    const meter = node.rpc.meters.of("slow");
    const counters = () => ({
      malformed: counted(node, "malformed"),
      misrouted: counted(node, "misrouted"),
      misnamed: counted(node, "misnamed"),
      duplicates: counted(node, "duplicates"),
      late: counted(node, "late"),
    });
    const running = peer.call("unary", {
      ...way,
      service: "slow",
      body: u32(1_500),
      deadlineMs: 10_000,
    });
    await until("the core's call runs", () => contexts.length === 1);
    const [victim] = contexts;
    assert.ok(victim !== undefined);
    const { callId, origin } = victim;
    assert.equal(victim.caller, rust.nodeId);

    await t.step("another's origin", async () => {
      const before = meter.packetOriginMismatchDropped;
      await forger.request(77n, { origin });
      await forger.cancel(callId, origin);
      await until("both are counted", () => meter.packetOriginMismatchDropped === before + 2);
    });
    await t.step("another service's text, another channel's route word", async () => {
      const { misnamed, misrouted } = counters();
      await forger.request(78n, { service: "echo" });
      await forger.request(79n, { to: requireChannelId(requestChannelName("echo")).hash });
      await until(
        "both are counted",
        () => counters().misnamed === misnamed + 1 && counters().misrouted === misrouted + 1,
      );
    });
    await t.step("a cancel and items for the core's call, from another session", async () => {
      const { late } = counters();
      await forger.cancel(callId);
      await forger.chunk(callId);
      await until("the item is counted", () => counters().late === late + 1);
    });
    await t.step("frames that are none", async () => {
      const { malformed } = counters();
      await forger.raw(new Uint8Array(FRAME_BYTES - 1));
      await forger.raw(new Uint8Array(0));
      await until("they are counted", () => counters().malformed >= malformed + 1);
    });
    await t.step("a request twice runs once", async () => {
      const { duplicates } = counters();
      await forger.request(80n);
      await until("it runs", () => contexts.some((context) => context.callId === 80n));
      await forger.request(80n);
      await until("the second is counted", () => counters().duplicates === duplicates + 1);
      assert.equal(contexts.filter((context) => context.callId === 80n).length, 1);
    });
    await t.step("the core's call ends as if nothing had been", async () => {
      assert.equal(victim.signal.aborted, false);
      assert.deepEqual(await running, { items: [u32(1_500)] });
      assert.deepEqual(contexts.map((context) => context.callId), [callId, 80n]);
    });
  },
);

rustPeerTest("a Rust core that is killed in mid-call has its handlers aborted", async () => {
  await using pair = await startPair();
  const { peer, way, contexts, node } = pair;
  const slow = { ...way, service: "slow", body: u32(60_000), deadlineMs: 60_000 };
  const calls = Promise.allSettled([
    peer.call("unary", slow),
    peer.call("download", { ...way, service: "count", body: u32(0xffff_ffff), window: 2 }),
  ]);
  await until("both run", () => contexts.length === 2);
  const startMs = performance.now();
  peer.kill();
  await until("both are aborted", () => contexts.every(({ signal }) => signal.aborted));
  assert.ok(performance.now() - startMs < 2 * SESSION_TIMEOUT_MS + 500);
  await until("nothing runs", () => node.rpc.services.every(({ running }) => running === 0));
  await calls;
});
