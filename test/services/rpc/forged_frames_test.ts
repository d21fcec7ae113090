/**
 * Frames that no honest peer sends, from a peer with a compat session: none runs a handler, none ends another's call,
 * each is counted (`nrpc.md` 5, RP-22).
 */
import assert from "node:assert/strict";
import { highHalf, lowHalf, utf8 } from "../../../src/base/mod.ts";
import { requireChannelId } from "../../../src/channel/mod.ts";
import type { SendStream } from "../../../src/core/transport/mod.ts";
import {
  Dispatch,
  FRAME_BYTES,
  type FrameSink,
  NO_HEADERS,
  NO_LINK_ROOM,
  requestChannelName,
  responseLength,
  type ServerPeer,
  Status,
  writeFrameHead,
  writeResponse,
} from "../../../src/rpc/mod.ts";
import {
  chunkLength,
  requestLength,
  writeChunk,
  writeRequest,
  writeRequestGrant,
  writeStreamGrant,
} from "../../../src/rpc/wire/mod.ts";
import { type CallNode, RpcKit } from "./rpc_kit.ts";

const SERVICE = "hold";

/** A frame, as far as it differs from one that the node itself would send. */
interface Forgery {
  readonly dispatch?: number;
  readonly call?: number;
  readonly origin?: bigint;
  /** Service whose channel the route word names. */
  readonly routed?: string;
  /** Service that the request names. */
  readonly named?: string;
  /** In place of the body of a request. */
  readonly body?: Uint8Array;
}

/** Sends whatever it is told on the request channel of a service. */
class Forger {
  readonly #node: CallNode;
  readonly #stream: SendStream;

  /** @param label Origin in the headers of its packets; its own when left out. */
  constructor(node: CallNode, target: bigint, label = node.identity.originHash) {
    const { streamId, wireHash } = requireChannelId(requestChannelName(SERVICE));
    this.#node = node;
    this.#stream = node.node.transport.openSendStream(target, streamId, {
      isReliable: false,
      label: { channelHash: wireHash, priority: 0, originHash: label },
    });
  }

  /** Sends bytes as they are. */
  raw(frame: Uint8Array): void {
    if (!this.#stream.trySend(frame)) {
      throw new Error(`no room for a frame of ${frame.length} bytes`);
    }
  }

  send(forgery: Forgery): void {
    const { dispatch = Dispatch.request, call = 1, routed = SERVICE, named = SERVICE } = forgery;
    const { origin = this.#node.identity.originHash } = forgery;
    const body = forgery.body ?? encodedRequest(named);
    const frame = new Uint8Array(FRAME_BYTES + body.length);
    const { hash } = requireChannelId(requestChannelName(routed));
    const route = {
      originLow: lowHalf(origin),
      originHigh: highHalf(origin),
      channelLow: lowHalf(hash),
      channelHigh: highHalf(hash),
    };
    frame.set(body, writeFrameHead(frame, 0, dispatch, route, call, 0, 0));
    this.raw(frame);
  }
}

function encodedRequest(named: string): Uint8Array {
  const body = new Uint8Array(requestLength(utf8(named), NO_HEADERS, new Uint8Array(0)));
  writeRequest(body, 0, utf8(named), 0, 0, NO_HEADERS, new Uint8Array(0));
  return body;
}

function encodedChunk(call: number): Uint8Array {
  const body = new Uint8Array(chunkLength(NO_HEADERS, utf8("x")));
  writeChunk(body, 0, call, 0, 0, NO_HEADERS, utf8("x"));
  return body;
}

/** A server that holds every call, an honest caller, and a forger with a compat session. */
async function startThree(kit: RpcKit) {
  const [server, caller] = [await kit.node(1), await kit.node(2)];
  const other = await kit.node(3, { isOurs: false, isExtended: false });
  await kit.connect(caller, server);
  await kit.connect(other, server);
  const runs: { readonly caller: bigint; readonly signal: AbortSignal }[] = [];
  const finish: (() => void)[] = [];
  server.rpc.serve(SERVICE, (body, context) => {
    runs.push({ caller: context.caller, signal: context.signal });
    return new Promise((resolve) => finish.push(() => resolve(utf8(`${body.length} bytes`))));
  }, { handlerTimeoutMs: 0 });
  const call = caller.rpc.client.call(server.nodeId, SERVICE, utf8("abc"), { timeoutMs: 600_000 });
  call.catch(() => {});
  assert.ok(await kit.until(() => runs.length === 1, 10_000));
  assert.equal(server.node.transport.peer(other.nodeId)?.isSealed, false);
  return { server, caller, other, runs, finish, call, forger: new Forger(other, server.nodeId) };
}

/** Counters that are not what they were. */
function grown(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Record<string, number> {
  const names = [
    "server_malformed",
    "server_misrouted",
    "server_misnamed",
    "server_duplicates",
    "server_late",
    "server_unasked",
    "server_early_dropped",
  ];
  return Object.fromEntries(
    names.flatMap((name) => {
      const key = `net_rpc_${name}_total`;
      const more = (after[key] ?? NaN) - (before[key] ?? NaN);
      return more === 0 ? [] : [[name, more]];
    }),
  );
}

const originDrops = ({ rpc }: CallNode) =>
  rpc.meters.snapshot().services.find(({ service }) => service === SERVICE)
    ?.packet_origin_mismatch_dropped_total ?? 0;

Deno.test("forged frames to a server are dropped and counted, and nothing else happens", async (t) => {
  using kit = new RpcKit();
  const { server, caller, other, runs, finish, call, forger } = await startThree(kit);
  const settle = () => kit.clock.advance(200);

  const changes = async (act: () => void): Promise<Record<string, number>> => {
    const before = server.rpcCounters();
    const runsBefore = runs.length;
    act();
    await settle();
    assert.equal(runs.length, runsBefore, "no handler ran");
    assert.equal(runs[0]?.signal.aborted, false, "the honest call goes on");
    return grown(before, server.rpcCounters());
  };

  await t.step("an origin that is not the packet's", async () => {
    const before = originDrops(server);
    for (const origin of [caller.identity.originHash, server.identity.originHash, 0n, 7n]) {
      assert.deepEqual(await changes(() => forger.send({ origin, call: 100 })), {});
    }
    assert.equal(originDrops(server) - before, 4);
  });
  await t.step("another service in the text than the channel's", async () => {
    for (const named of ["echo", "", "hol", "holdx", "h".repeat(255)]) {
      assert.deepEqual(await changes(() => forger.send({ named, call: 101 })), {
        server_misnamed: 1,
      });
    }
  });
  await t.step("another route word than the channel's", async () => {
    assert.deepEqual(await changes(() => forger.send({ routed: "other", call: 102 })), {
      server_misrouted: 1,
    });
  });
  await t.step("short and unknown frames", async () => {
    for (const length of [0, 1, 23, 31]) {
      const { server_malformed } = await changes(() => forger.raw(new Uint8Array(length)));
      assert.equal(server_malformed, 1, `${length} bytes`);
    }
    const unknown = [0, 0x0f, Dispatch.response, 0x13, Dispatch.requestGrant, 0x17, 0x7f, 0xff];
    for (const dispatch of unknown) {
      const { server_malformed } = await changes(() => forger.send({ dispatch, call: 103 }));
      assert.equal(server_malformed, 1, `dispatch ${dispatch}`);
    }
  });
  await t.step("requests that cannot be read", async () => {
    for (const length of [0, 1, 5, 14, 19]) {
      const body = encodedRequest(SERVICE).subarray(0, length);
      await changes(() => forger.send({ body, call: 104 }));
    }
    const lying = encodedRequest(SERVICE);
    lying.fill(0xff, lying.length - 4);
    await changes(() => forger.send({ body: lying, call: 105 }));
  });
  await t.step("items for nobody's call", async () => {
    const act = () =>
      forger.send({ dispatch: Dispatch.requestChunk, call: 106, body: encodedChunk(106) });
    const seen = await changes(act);
    assert.deepEqual(seen, { server_late: 1 }, "items of a compat peer have no number");
  });
  await t.step("grants of absurd size, for nobody and for a call without a window", async () => {
    const body = new Uint8Array(4);
    writeStreamGrant(body, 0, 0xffff_ffff);
    for (let at = 0; at < 3; at++) {
      const act = () => forger.send({ dispatch: Dispatch.streamGrant, call: 107, body });
      assert.deepEqual(await changes(act), { server_late: 1 });
    }
    const short = () =>
      forger.send({ dispatch: Dispatch.streamGrant, call: 107, body: body.subarray(0, 3) });
    assert.deepEqual(await changes(short), { server_malformed: 1 });
  });
  await t.step("a CANCEL for another session's call", async () => {
    // The forger cannot know the id; even all those it may guess are looked for on its own session.
    for (let guess = 1; guess <= 50; guess++) {
      await changes(() =>
        forger.send({ dispatch: Dispatch.cancel, call: 1_000 + guess, body: new Uint8Array(0) })
      );
    }
  });
  await t.step("a call id twice, in flight and after its end", async () => {
    forger.send({ call: 200 });
    await settle();
    assert.deepEqual(runs.map(({ caller: by }) => by), [caller.nodeId, other.nodeId]);
    assert.deepEqual(await changes(() => forger.send({ call: 200 })), { server_duplicates: 1 });
    finish[1]?.();
    await settle();
    assert.deepEqual(await changes(() => forger.send({ call: 200 })), { server_duplicates: 1 });
  });
  await t.step("a request that was cancelled before it came", async () => {
    forger.send({ dispatch: Dispatch.cancel, call: 201, body: new Uint8Array(0) });
    assert.deepEqual(await changes(() => forger.send({ call: 201 })), { server_duplicates: 1 });
  });
  finish[0]?.();
  assert.equal(new TextDecoder().decode(await kit.settled(call)), "3 bytes");
  assert.equal(runs.length, 2);
});

Deno.test("one call id in two sessions is two calls; each session cancels its own", async () => {
  using kit = new RpcKit();
  const { server, other, runs, forger } = await startThree(kit);
  const third = await kit.node(4, { isOurs: false, isExtended: false });
  await kit.connect(third, server);
  const second = new Forger(third, server.nodeId);
  const before = runs.length;
  forger.send({ call: 5 });
  second.send({ call: 5 });
  await kit.clock.advance(1_000);
  const [first, other5] = runs.slice(before);
  assert.deepEqual([first?.caller, other5?.caller], [other.nodeId, third.nodeId]);
  second.send({ dispatch: Dispatch.cancel, call: 5, body: new Uint8Array(0) });
  await kit.clock.advance(1_000);
  assert.deepEqual([first?.signal.aborted, other5?.signal.aborted], [false, true]);
});

Deno.test("answers and grants from a node that was not called are dropped and counted", async () => {
  using kit = new RpcKit();
  const [server, caller] = [await kit.node(1), await kit.node(2)];
  const other = await kit.node(3, { isOurs: false, isExtended: false });
  await kit.connect(caller, server);
  await kit.connect(caller, other);
  let finish = () => {};
  let callId = 0n;
  server.rpc.serve(SERVICE, (_, context) => {
    callId = context.callId;
    return new Promise((resolve) => finish = () => resolve(utf8("true")));
  });
  const heard: ServerPeer[] = [];
  const nothing: FrameSink = { onFrame: () => {}, onRefused: () => {}, onEnd: () => {} };
  other.rpc.serverLinks.listen(SERVICE, {
    onPeer: (peer) => {
      heard.push(peer);
      return nothing;
    },
  });
  // A call of its own opens the way from the forger to the caller.
  const unanswered = caller.rpc.client.call(other.nodeId, SERVICE, utf8(""), { timeoutMs: 500 });
  await kit.settled(unanswered.catch(() => {}));
  const call = caller.rpc.client.call(server.nodeId, SERVICE, utf8(""), { timeoutMs: 600_000 });
  call.catch(() => {});
  assert.ok(await kit.until(() => callId !== 0n, 10_000));
  const origin = caller.identity.originHash;
  const link = heard[0]?.replies(lowHalf(origin), highHalf(origin));
  assert.ok(link !== undefined);
  const send = (dispatch: number, id: bigint, body: Uint8Array) => {
    const at = link.reserve(FRAME_BYTES + body.length);
    assert.notEqual(at, NO_LINK_ROOM);
    const { bytes, route } = link;
    const start = writeFrameHead(bytes, at, dispatch, route, lowHalf(id), highHalf(id), 0);
    bytes.set(body, start);
  };
  const answer = new Uint8Array(responseLength(NO_HEADERS, utf8("false")));
  writeResponse(answer, 0, Status.ok, NO_HEADERS, utf8("false"));
  const grant = new Uint8Array(12);
  writeRequestGrant(grant, 0, lowHalf(callId), highHalf(callId), 0xffff_ffff);
  send(Dispatch.response, callId, answer);
  send(Dispatch.requestGrant, callId, grant);
  send(Dispatch.response, callId ^ 1n, answer);
  await kit.clock.advance(1_000);
  const { forgedDropped, pending } = caller.rpc.client.counters;
  // Compat streams carry no acknowledgements of ours, so its transport sends the frames more than once.
  assert.ok(forgedDropped >= 2);
  assert.equal(pending, 1);
  finish();
  assert.equal(new TextDecoder().decode(await kit.settled(call)), "true");
});
