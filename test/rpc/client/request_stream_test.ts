import assert from "node:assert/strict";
import {
  type CallOptions,
  type ClientStreamCall,
  CONTINUE_HEADERS,
  Dispatch,
  type DuplexCall,
  END_HEADERS,
  headerText,
  RpcError,
  RpcFlag,
  Status,
} from "../../../src/rpc/mod.ts";
import { chunkOf, MemoryLink, requestOf, type SentFrame } from "../memory_links.ts";
import {
  bodyOf,
  type ClientKit,
  type ClientKitOptions,
  createClientKit,
  Outcome,
  PEER,
  SERVICE,
} from "./client_kit.ts";

const { clientStreaming, requestEnd, streamingResponse } = RpcFlag;

async function upload(options: CallOptions = {}, kitOptions: ClientKitOptions = {}) {
  const kit = createClientKit(kitOptions);
  return { kit, call: await kit.client.callClientStream(PEER, SERVICE, options) };
}

async function duplex(options: CallOptions = {}, kitOptions: ClientKitOptions = {}) {
  const kit = createClientKit(kitOptions);
  return { kit, call: await kit.client.callDuplex(PEER, SERVICE, options) };
}

/** Frames as their flags, number and bytes. */
function describe(frames: readonly SentFrame[]): [number, number, ...number[]][] {
  return frames.map((frame) => {
    const read = frame.dispatch === Dispatch.request ? requestOf(frame) : chunkOf(frame);
    return [read.flags, frame.item, ...read.body];
  });
}

Deno.test("callClientStream() sends nothing before its first item", async () => {
  const { kit, call } = await upload();
  assert.deepEqual(kit.link.take(), []);
  call.cancel();
  assert.deepEqual(kit.link.take(), [], "and no cancel of what the server never heard of");
});

Deno.test("finish() ends in the canonical form where the last item is given", async () => {
  const { kit, call } = await upload();
  await call.send(bodyOf(1));
  await call.send(bodyOf(2));
  const answer = new Outcome(call.finish(bodyOf(3)));
  const frames = kit.link.take();
  assert.deepEqual(describe(frames), [
    [clientStreaming, 1, 1],
    [0, 2, 2],
    [requestEnd, 3, 3],
  ]);
  const [request] = frames as [SentFrame];
  assert.equal(headerText(requestOf(request).headers, "nrpc-request-window-initial"), "64");
  kit.links.respond(kit.link, request, { body: bodyOf(9) });
  await kit.clock.advance(0);
  assert.deepEqual(answer.value, bodyOf(9));
  assert.deepEqual(await call.finish(), bodyOf(9), "asking again gives the same");
  assert.equal(kit.meter.inFlight, 0);
});

Deno.test("finish() has forms for no item, one, an empty one, and an end by itself", async () => {
  const forms: [(call: ClientStreamCall) => unknown, number[][]][] = [
    [(call) => call.finish(), [[clientStreaming | requestEnd, 1]]],
    [(call) => call.finish(bodyOf(5)), [[clientStreaming | requestEnd, 1, 5]]],
    [(call) => call.finish(bodyOf()), [[clientStreaming, 1], [requestEnd, 2]]],
    [(call) => (void call.send(bodyOf(5)), call.finish()), [
      [clientStreaming, 1, 5],
      [requestEnd, 2],
    ]],
  ];
  for (const [act, wanted] of forms) {
    const { kit, call } = await upload();
    const answer = new Outcome(act(call) as Promise<Uint8Array>);
    await kit.clock.advance(0);
    const frames = kit.link.take();
    assert.deepEqual(describe(frames), wanted);
    kit.links.respond(kit.link, frames[0] as SentFrame);
    await kit.clock.advance(0);
    assert.equal(answer.settled, 1);
  }
});

Deno.test("callClientStream() numbers nothing and asks for no window where the peer is not ours", async () => {
  const { kit, call } = await upload({}, { isExtended: false });
  await call.send(bodyOf(1));
  await call.send(bodyOf(2));
  const frames = kit.link.take();
  assert.deepEqual(frames.map(({ item }) => item), [0, 0]);
  assert.deepEqual(requestOf(frames[0] as SentFrame).headers, []);
  assert.equal(call.credit, undefined);
  kit.client.stop();
});

Deno.test("send() waits without credit, and goes on in order", async () => {
  const { kit, call } = await upload({ requestWindow: 2 });
  const sends = [1, 2, 3, 4, 5].map((byte) => new Outcome(call.send(bodyOf(byte))));
  const answer = new Outcome(call.finish());
  await kit.clock.advance(0);
  const [request, ...others] = kit.link.take() as [SentFrame];
  assert.equal(others.length, 1);
  assert.equal(call.credit, 0);
  assert.deepEqual(sends.map(({ settled }) => settled), [1, 1, 0, 0, 0]);
  kit.links.grantRequests(kit.link, request, 2);
  await kit.clock.advance(0);
  assert.deepEqual(describe(kit.link.take()), [[0, 3, 3], [0, 4, 4]]);
  kit.links.grantRequests(kit.link, request, 4_000_000_000);
  await kit.clock.advance(0);
  // The end without an item costs no credit.
  assert.deepEqual(describe(kit.link.take()), [[0, 5, 5], [requestEnd, 6]]);
  assert.equal(call.credit, 999_999, "absurd credit is capped");
  kit.links.respond(kit.link, request);
  await kit.clock.advance(0);
  assert.equal(answer.settled, 1);
});

Deno.test("send() waits for room on the link, in order, also behind long items", async () => {
  const { kit, call } = await upload();
  await call.send(bodyOf(1));
  kit.link.holdsLarge = true;
  const sends = [new Uint8Array(20_000).fill(2), bodyOf(3)].map((body) =>
    new Outcome(call.send(body))
  );
  await kit.clock.advance(0);
  assert.equal(kit.link.take().length, 1);
  kit.link.room = 0;
  kit.link.releaseLarge();
  await kit.clock.advance(0);
  assert.deepEqual(sends.map(({ settled }) => settled), [1, 0]);
  kit.link.addRoom(1);
  await kit.clock.advance(0);
  assert.deepEqual(describe(kit.link.take()).map(([, item, byte]) => [item, byte]), [[2, 2], [
    3,
    3,
  ]]);
  kit.client.stop();
});

Deno.test("send() refuses only the item that is too large for the peer", async () => {
  const { kit, call } = await upload({}, { isExtended: false });
  const large = new Outcome(call.send(new Uint8Array(9_000)));
  await kit.clock.advance(0);
  assert.equal(large.error?.kind, "too_large");
  await call.send(bodyOf(1));
  assert.deepEqual(describe(kit.link.take()), [[clientStreaming, 0, 1]]);
  const answer = new Outcome(call.finish(new Uint8Array(9_000)));
  await kit.clock.advance(0);
  assert.equal(answer.error?.kind, "too_large", "a last item that cannot be sent ends the call");
  assert.deepEqual(kit.link.take().map(({ dispatch }) => dispatch), [Dispatch.cancel]);
});

Deno.test("send() lets a bounded number wait", async () => {
  const { kit, call } = await upload({ requestWindow: 1 });
  const sends = Array.from({ length: 1_026 }, () => new Outcome(call.send(bodyOf(1))));
  await kit.clock.advance(0);
  assert.equal(sends.at(-1)?.error?.kind, "backpressure");
  assert.equal(sends.at(-2)?.settled, 0);
  call.cancel();
  await kit.clock.advance(0);
  assert.ok(sends.every(({ settled }) => settled === 1));
});

Deno.test("an early answer ends the upload, and sends that wait", async () => {
  const { kit, call } = await upload({ requestWindow: 1 });
  await call.send(bodyOf(1));
  const waiting = new Outcome(call.send(bodyOf(2)));
  const [request] = kit.link.take() as [SentFrame];
  kit.links.respond(kit.link, request, { body: bodyOf(4) });
  await kit.clock.advance(0);
  assert.equal(waiting.error?.kind, "cancelled");
  await assert.rejects(call.send(bodyOf(3)), /answered already/);
  assert.deepEqual(await call.finish(), bodyOf(4));
  assert.deepEqual(kit.link.take(), []);
});

Deno.test("a failed upload fails sends and finish() alike, and nobody who does not ask", async () => {
  const { kit, call } = await upload();
  await call.send(bodyOf(1));
  const [request] = kit.link.take() as [SentFrame];
  kit.links.respond(kit.link, request, { status: Status.internal });
  await kit.clock.advance(0);
  await assert.rejects(call.send(bodyOf(2)), { kind: "server_error" });
  await assert.rejects(call.finish(), { kind: "server_error" });
});

Deno.test("callClientStream() ends with its deadline, its signal, its link", async () => {
  const controller = new AbortController();
  const ends: [string, CallOptions, (kit: ClientKit) => unknown][] = [
    ["timeout", { timeoutMs: 10 }, (kit) => kit.clock.advance(10)],
    ["cancelled", { signal: controller.signal }, () => controller.abort()],
    ["transport", {}, (kit) => kit.links.end(kit.link, "reset")],
  ];
  for (const [kind, options, act] of ends) {
    const { kit, call } = await upload({ ...options, requestWindow: 1 });
    await call.send(bodyOf(1));
    const waiting = new Outcome(call.send(bodyOf(2)));
    const answer = new Outcome(call.finish());
    await act(kit);
    await kit.clock.advance(0);
    assert.deepEqual([waiting.error?.kind, answer.error?.kind], [kind, kind]);
    assert.equal(kit.link.take().at(-1)?.dispatch === Dispatch.cancel, kind !== "transport");
    assert.equal(kit.meter.inFlight, 0);
  }
});

Deno.test("callClientStream() fails where it cannot be opened", async () => {
  const kit = createClientKit();
  const unrouted = new Outcome(kit.client.callClientStream(9n, SERVICE));
  const bad = new Outcome(kit.client.callClientStream(PEER, SERVICE, { requestWindow: 0 }));
  const late = new Outcome(kit.client.callDuplex(10n, SERVICE, { timeoutMs: 20 }));
  kit.links.refuse(9n, SERVICE, new RpcError("no_route", "no session"));
  await kit.clock.advance(20);
  assert.equal(unrouted.error?.kind, "no_route");
  assert.equal(bad.error?.kind, "codec_encode");
  assert.equal(late.error?.kind, "timeout");
  assert.equal(kit.meter.inFlight, 0);
});

Deno.test("callDuplex() sends and reads by itself on either half", async () => {
  const { kit, call } = await duplex();
  const { requests, responses } = call;
  await requests.send(bodyOf(1));
  const [request] = kit.link.take() as [SentFrame];
  assert.equal(requestOf(request).flags, clientStreaming | streamingResponse);
  assert.deepEqual(requestOf(request).headers.map(({ name }) => name), [
    "nrpc-stream-window-initial",
    "nrpc-request-window-initial",
  ]);
  kit.links.respond(kit.link, request, { headers: CONTINUE_HEADERS, body: bodyOf(7), item: 1 });
  assert.deepEqual(await responses.read(), bodyOf(7));
  await requests.finish();
  assert.deepEqual(describe(kit.link.take()), [[requestEnd, 2]]);
  kit.links.respond(kit.link, request, { headers: CONTINUE_HEADERS, body: bodyOf(8), item: 2 });
  kit.links.respond(kit.link, request, { headers: END_HEADERS, item: 3 });
  assert.deepEqual(await responses.read(), bodyOf(8));
  assert.equal(await responses.read(), undefined);
  assert.equal(responses.callId, call.callId);
  assert.deepEqual(kit.link.take(), []);
});

Deno.test("callDuplex() ends on both halves when the server cancels, or the reader leaves", async () => {
  const ends: [string, (kit: ClientKit, call: DuplexCall, request: SentFrame) => unknown][] = [
    ["server", (kit, _call, request) => {
      kit.links.respond(kit.link, request, { status: Status.cancelled });
    }],
    ["reader", (_kit, call) => call.responses.cancel()],
    ["disposed", (_kit, call) => call[Symbol.asyncDispose]()],
  ];
  for (const [who, act] of ends) {
    const { kit, call } = await duplex({ requestWindow: 1 });
    await call.requests.send(bodyOf(1));
    const [request] = kit.link.take() as [SentFrame];
    const sending = new Outcome(call.requests.send(bodyOf(2)));
    const reading = new Outcome(call.responses.read());
    await act(kit, call, request);
    await kit.clock.advance(0);
    assert.deepEqual([sending.error?.kind, reading.error?.kind], ["cancelled", "cancelled"], who);
    assert.equal(kit.link.take().length, who === "server" ? 0 : 1);
  }
});

Deno.test("callDuplex() minds no window where the peer does not, up to a bound", async () => {
  const plain = await duplex({ streamWindow: 1 }, { isExtended: false });
  await plain.call.requests.send(bodyOf(1));
  const [request] = plain.kit.link.take() as [SentFrame];
  const answer = { headers: CONTINUE_HEADERS, body: bodyOf(1) };
  for (let items = 0; items < 65_536; items++) {
    plain.kit.links.respond(plain.kit.link, request, answer);
  }
  assert.equal(plain.kit.meter.inFlight, 1);
  plain.kit.links.respond(plain.kit.link, request, answer);
  assert.equal(plain.kit.meter.inFlight, 0);
  const ours = await duplex({ streamWindow: 1 });
  await ours.call.requests.send(bodyOf(1));
  const [other] = ours.kit.link.take() as [SentFrame];
  ours.kit.links.respond(ours.kit.link, other, { ...answer, item: 1 });
  ours.kit.links.respond(ours.kit.link, other, { ...answer, item: 2 });
  assert.equal(ours.kit.meter.inFlight, 0);
});

Deno.test("finish() of a duplex after the server's end has nothing to say", async () => {
  const { kit, call } = await duplex();
  await call.requests.send(bodyOf(1));
  const [request] = kit.link.take() as [SentFrame];
  kit.links.respond(kit.link, request, { headers: END_HEADERS, item: 1 });
  await call.requests.finish();
  await assert.rejects(call.requests.send(bodyOf(2)), { kind: "cancelled" });
  assert.deepEqual(kit.link.take(), []);
});

Deno.test("calls wait for a link that opens later, in every shape", async () => {
  const kit = createClientKit();
  const up = new Outcome(kit.client.callClientStream(9n, SERVICE));
  const stream = new Outcome(kit.client.callStream(9n, SERVICE, bodyOf(2)));
  await kit.clock.advance(0);
  assert.equal(stream.settled, 0);
  const link = kit.links.set(9n, SERVICE, new MemoryLink({ peer: 9n }));
  await kit.clock.advance(0);
  assert.deepEqual([up.settled, stream.settled], [1, 1]);
  assert.deepEqual(describe(link.take()), [[streamingResponse, 0, 2]]);
  kit.client.stop();
});
