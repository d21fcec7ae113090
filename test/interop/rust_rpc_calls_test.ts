/** Our calls of services of the live Rust core, in all four shapes. The other direction has its own file. */
import assert from "node:assert/strict";
import { createPredicateHeader } from "../../src/core/capability/mod.ts";
import { type RpcClient, RpcError, Status, textHeader } from "../../src/rpc/mod.ts";
import { PSK } from "../services/capabilities/capability_kit.ts";
import { type CallingNode, startCallNode } from "./call_node.ts";
import type { CallOperations, SeenUpload } from "./call_peer_process.ts";
import { type LineProcess, startLineProcess } from "./line_process.ts";
import { rustPeerTest } from "./rust_peer.ts";
import type { RustNodeInfo } from "./rust_protocol.ts";

const SESSION_TIMEOUT_MS = 1_000;
const TEXT = new TextEncoder();

interface Pair extends AsyncDisposable {
  readonly node: CallingNode;
  readonly client: RpcClient;
  readonly peer: LineProcess<CallOperations>;
  readonly rust: RustNodeInfo;
  /** Node id of the core. */
  readonly target: bigint;
}

async function startPair(): Promise<Pair> {
  await using stack = new AsyncDisposableStack();
  const program = new URL("./call_peer_process.ts", import.meta.url);
  const peer = stack.use(startLineProcess<CallOperations>(program, { name: "Rust calls" }));
  const rust = await peer.call("create", {
    psk: PSK,
    heartbeatIntervalMs: 200,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
  });
  await peer.call("start", { node: rust.node });
  const node = stack.use(await startCallNode());
  await node.connect(rust);
  await peer.call("serveCalls", { node: rust.node });
  const owned = stack.move();
  return {
    node,
    client: node.rpc.client,
    peer,
    rust,
    target: rust.nodeId,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What the next upload's handler saw, once it ended. */
async function seenUpload({ peer }: Pair): Promise<SeenUpload> {
  for (let tries = 0; tries < 400; tries++) {
    const [seen] = await peer.call("uploads", {});
    if (seen !== undefined) return seen;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("no handler ended");
}

async function failure(call: Promise<unknown>): Promise<RpcError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof RpcError) return error;
    throw error;
  }
  throw new Error("it did not fail");
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

rustPeerTest("unary calls of the Rust core: answers, errors, deadlines", async (t) => {
  await using pair = await startPair();
  const { client, target } = pair;
  await t.step("answers come back, up to what one packet holds", async () => {
    for (const length of [0, 1, 64, 1_024, 7_900]) {
      const body = new Uint8Array(length).fill(length);
      assert.deepEqual(await client.call(target, "echo", body), body);
    }
  });
  await t.step("256 at a time, none lost, none mixed up", async () => {
    const calls = Array.from({ length: 256 }, (_, at) => client.call(target, "echo", u32(at)));
    for (const [at, answer] of (await Promise.all(calls)).entries()) {
      assert.equal(readU32(answer), at);
    }
  });
  await t.step("a handler's error is its status and text", async () => {
    const error = await failure(client.call(target, "fails", TEXT.encode("out of order")));
    assert.equal(error.kind, "server_error");
    assert.equal(error.status, Status.internal);
    assert.match(error.message, /out of order/);
    assert.match(error.bindingText, /^nrpc:server_error: status=0x0006 message=/);
  });
  await t.step("a deadline ends a call here", async () => {
    const startMs = performance.now();
    const error = await failure(client.call(target, "slow", u32(2_000), { timeoutMs: 200 }));
    assert.equal(error.kind, "timeout");
    assert.ok(performance.now() - startMs < 1_000);
  });
  await t.step("a service that it does not have is refused at once", async () => {
    const startMs = performance.now();
    const error = await failure(client.call(target, "nobody", u32(1)));
    assert.equal(error.kind, "server_error");
    assert.equal(error.code, "not_found");
    assert.ok(performance.now() - startMs < 2_000);
  });
  await t.step("a body that it cannot take is refused at once", async () => {
    const startMs = performance.now();
    for (const length of [8_100, 9_000, 1_000_000]) {
      const error = await failure(client.call(target, "echo", new Uint8Array(length)));
      assert.equal(error.kind, "too_large");
      assert.match(error.message, /body too large for this peer/);
    }
    assert.ok(performance.now() - startMs < 500);
  });
  await t.step("a node without a session cannot be reached", async () => {
    assert.equal((await failure(client.call(12_345n, "echo", u32(1)))).kind, "no_route");
  });
  await t.step("nothing was dropped that should not be", () => {
    assert.equal(client.counters.forgedDropped, 0);
    assert.equal(client.counters.pending, 0);
  });
});

rustPeerTest("server streams of the Rust core: in order, at the reader's pace", async (t) => {
  await using pair = await startPair();
  const { client, target, peer } = pair;
  await t.step("windows from 1 on", async () => {
    for (const streamWindow of [1, 2, 4, 256]) {
      const stream = await client.callStream(target, "count", u32(20), { streamWindow });
      const seen: number[] = [];
      for await (const item of stream) seen.push(readU32(item));
      assert.deepEqual(seen, Array.from({ length: 20 }, (_, at) => at));
    }
  });
  await t.step("no items", async () => {
    const stream = await client.callStream(target, "count", u32(0));
    assert.equal(await stream.read(), undefined);
  });
  await t.step("a reader that grants nothing gets its window and no more", async () => {
    const stream = await client.callStream(target, "count", u32(50), {
      streamWindow: 3,
      isManualGrant: true,
    });
    for (let at = 0; at < 3; at++) assert.equal(readU32(await stream.read()), at);
    const fourth = stream.read();
    const pause = new Promise((resolve) => setTimeout(() => resolve("nothing"), 200));
    assert.equal(await Promise.race([fourth, pause]), "nothing");
    stream.grant(1);
    assert.equal(readU32(await fourth), 3);
    stream.cancel();
  });
  await t.step("a unary service answers with one item", async () => {
    const stream = await client.callStream(target, "echo", u32(7));
    const seen: number[] = [];
    for await (const item of stream) seen.push(readU32(item));
    assert.deepEqual(seen, [7]);
  });
  await t.step("leaving the loop cancels at the core as well", async () => {
    const before = await peer.call("counted", {});
    const stream = await client.callStream(target, "count", u32(100_000));
    for await (const item of stream) if (readU32(item) === 5) break;
    assert.equal(client.counters.pending, 0);
    assert.ok(await peer.call("counted", {}) - before < 10_000);
  });
});

rustPeerTest("uploads to the Rust core: credit, ends, headers, cancel", async (t) => {
  await using pair = await startPair();
  const { client, target, node } = pair;
  await t.step("every form of end", async () => {
    const forms: [number, (last?: Uint8Array) => Uint8Array | undefined][] = [
      [0, () => undefined],
      [0, () => u32(1)],
      [3, () => undefined],
      [3, () => u32(1)],
    ];
    for (const [items, last] of forms) {
      const call = await client.callClientStream(target, "sum");
      for (let sent = 0; sent < items; sent++) await call.send(u32(1));
      const end = last();
      const sum = readU32(await call.finish(end));
      assert.equal(sum, 4 * (items + (end === undefined ? 0 : 1)));
      const seen = await seenUpload(pair);
      assert.equal(seen.callId, call.callId);
      assert.equal(seen.callerOrigin, node.keys.identity.originHash);
    }
  });
  await t.step("a window of 2 lets 40 items through, as they are consumed", async () => {
    const call = await client.callClientStream(target, "sum", { requestWindow: 2 });
    for (let sent = 0; sent < 40; sent++) {
      await call.send(u32(sent));
      assert.ok((call.credit ?? 0) <= 2);
    }
    assert.equal(readU32(await call.finish()), 160);
    assert.equal((await seenUpload(pair)).items, 40);
  });
  await t.step("deadline, trace, predicate and own headers reach the handler", async () => {
    const where = { kind: "metadata_exists", key: "intent" } as const;
    const beforeMs = Date.now();
    const call = await client.callClientStream(target, "sum", {
      timeoutMs: 5_000,
      headers: [textHeader("mine", "x")],
      where,
      trace: {
        traceId: "0af7651916cd43dd8448eb211c80319c",
        spanId: "b7ad6b7169203331",
        parentSpanId: undefined,
        isSampled: true,
        state: [["vendor", "here"]],
      },
    });
    await call.finish(u32(1));
    const { headers, deadlineNs } = await seenUpload(pair);
    const [whereName, whereValue] = createPredicateHeader(where);
    assert.deepEqual(headers, [
      { name: "traceparent", value: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
      { name: "tracestate", value: "vendor=here" },
      { name: whereName, value: new TextDecoder().decode(whereValue) },
      { name: "mine", value: "x" },
    ]);
    const deadlineMs = Number(deadlineNs / 1_000_000n);
    assert.ok(deadlineMs >= beforeMs + 5_000 && deadlineMs <= Date.now() + 5_000);
  });
  await t.step("a cancel ends the handler's stream, by hand, signal and token", async () => {
    const controller = new AbortController();
    const tokens = client.cancelTokens;
    const token = tokens.create();
    const ways = [
      { options: {}, act: (call: { cancel(): void }) => call.cancel() },
      { options: { signal: controller.signal }, act: () => controller.abort() },
      { options: { cancelToken: token }, act: () => tokens.cancel(token) },
    ];
    for (const { options, act } of ways) {
      const call = await client.callClientStream(target, "sum", options);
      await call.send(u32(1));
      act(call);
      assert.equal((await failure(call.finish())).kind, "cancelled");
      assert.equal((await seenUpload(pair)).callId, call.callId);
    }
  });
  await t.step("an item that it cannot take is refused at once, and the rest goes on", async () => {
    const call = await client.callClientStream(target, "sum");
    assert.equal((await failure(call.send(new Uint8Array(9_000)))).kind, "too_large");
    assert.equal(readU32(await call.finish(u32(1))), 4);
    await seenUpload(pair);
  });
});

rustPeerTest("duplex calls of the Rust core: both ways at once", async (t) => {
  await using pair = await startPair();
  const { client, target } = pair;
  await t.step("turn by turn", async () => {
    const call = await client.callDuplex(target, "mirror", { timeoutMs: 10_000 });
    for (let at = 0; at < 20; at++) {
      await call.requests.send(u32(at));
      assert.equal(readU32(await call.responses.read()), at);
    }
    await call.requests.finish();
    assert.equal(await call.responses.read(), undefined);
    assert.equal((await seenUpload(pair)).items, 20);
  });
  await t.step("halves by themselves, with credit for what is sent", async () => {
    const { requests, responses } = await client.callDuplex(target, "mirror", {
      requestWindow: 4,
      timeoutMs: 10_000,
    });
    const sending = (async () => {
      for (let at = 0; at < 50; at++) await requests.send(u32(at));
      await requests.finish(u32(50));
    })();
    const seen: number[] = [];
    for await (const item of responses) seen.push(readU32(item));
    await sending;
    assert.deepEqual(seen, Array.from({ length: 51 }, (_, at) => at));
    await seenUpload(pair);
  });
  await t.step("a cancel ends both halves, and the handler's stream", async () => {
    const call = await client.callDuplex(target, "mirror");
    await call.requests.send(u32(1));
    await call.responses.read();
    call.cancel();
    assert.equal((await failure(call.requests.send(u32(2)))).kind, "cancelled");
    assert.equal((await failure(call.responses.read())).kind, "cancelled");
    assert.equal((await seenUpload(pair)).callId, call.callId);
  });
});

rustPeerTest("a Rust core that is killed in mid-call leaves typed errors", async () => {
  await using pair = await startPair();
  const { client, target, peer } = pair;
  const stream = await client.callStream(target, "count", u32(1_000_000));
  const upload = await client.callClientStream(target, "sum");
  await upload.send(u32(1));
  await stream.read();
  const slow = failure(client.call(target, "slow", u32(60_000)));
  const reading = failure((async () => {
    for await (const _ of stream);
  })());
  const answer = failure(upload.finish());
  const startMs = performance.now();
  peer.kill();
  const kinds = (await Promise.all([slow, reading, answer])).map(({ kind }) => kind);
  assert.deepEqual(kinds, ["transport", "transport", "transport"]);
  assert.ok(performance.now() - startMs < 2 * SESSION_TIMEOUT_MS);
  assert.equal(client.counters.pending, 0);
});
