/** Handlers that misbehave, callers that mean harm, and closing in the middle of it: the engine stays whole. */
import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/mod.ts";
import { RpcFlag, RpcStatusError, Status } from "../../../src/rpc/mod.ts";
import { HeaderName, textHeader } from "../../../src/rpc/wire/mod.ts";
import {
  CLOSE_GRACE_MS,
  HELD_BYTES_PER_CALLER_MAX,
  REPLIES_WAITING_PER_CALLER_MAX,
} from "../../../src/rpc/server/limits.ts";
import { RecentCalls } from "../../../src/rpc/server/recent_calls.ts";
import { CALLER, encodeRequest, ScriptedPeer, ServerKit, SERVICE } from "./server_kit.ts";

const UPLOAD = RpcFlag.clientStreaming;

/** Things that have no text, or none without a fight. */
const NAMELESS: readonly unknown[] = [
  Object.create(null),
  { toString: () => ({}) },
  Symbol("s"),
  undefined,
  null,
  Object.defineProperty(new Error(), "message", {
    get: () => {
      throw new Error("no");
    },
  }),
  Object.assign(new Error(), { message: Symbol("s") }),
];

Deno.test("whatever a handler throws becomes an answer", async () => {
  for (const thrown of NAMELESS) {
    const kit = new ServerKit();
    kit.server.serve(SERVICE, (body) => {
      if (body.length === 0) throw thrown;
      return Promise.reject(thrown);
    });
    kit.request(1);
    kit.request(2, { body: utf8("x") });
    const responses = await kit.responses();
    assert.deepEqual(responses.map(({ status }) => status), [Status.internal, Status.internal]);
    assert.ok(responses.every(({ text }) => text.startsWith("handler panicked: ")));
    assert.equal(kit.server.counters.running, 0);
  }
});

Deno.test("a handler that fails after its call is over is answered no more", async () => {
  const kit = new ServerKit();
  const fail: ((error: unknown) => void)[] = [];
  kit.server.serve(SERVICE, () => new Promise((_, reject) => fail.push(reject)));
  kit.request(1);
  kit.request(2);
  kit.cancel(1);
  kit.cancel(2);
  assert.equal((await kit.responses()).length, 2);
  fail[0]?.(new DOMException("as told", "AbortError"));
  fail[1]?.(new Error("in its clean-up"));
  assert.deepEqual(await kit.responses(), []);
  assert.equal(kit.server.counters.running, 0);
  // Leaving as its signal says is no fault; another error is.
  assert.equal(kit.meter.handlerPanics, 1);
});

Deno.test("an error's body that the caller cannot take is replaced, its status is not", async () => {
  const kit = new ServerKit({ isExtended: false });
  kit.server.serve(SERVICE, () => {
    throw new RpcStatusError(0x8005, "long", new Uint8Array(20_000));
  });
  kit.request(1);
  const [response] = await kit.responses();
  assert.equal(response?.status, 0x8005);
  assert.match(response.text, /body too large for this peer: the answer has 20000 bytes/);
});

Deno.test("iterators of every kind of malice end their call once", async () => {
  const never = new Promise<never>(() => {});
  const nasty: Record<string, () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>> = {
    "throws when asked for its iterator": () => ({
      [Symbol.asyncIterator]: () => {
        throw new Error("no iterator");
      },
    }),
    "throws at once": () => ({
      [Symbol.iterator]: () => ({
        next: () => {
          throw new Error("no item");
        },
      }),
    }),
    "gives texts": () => ["x"] as unknown as Iterable<Uint8Array>,
    "gives nothing": () => undefined as unknown as Iterable<Uint8Array>,
    "rejects with nothing": () => ({
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(undefined) }),
    }),
  };
  for (const [what, handle] of Object.entries(nasty)) {
    const kit = new ServerKit();
    kit.server.serveStream(SERVICE, handle);
    kit.request(1, { flags: RpcFlag.streamingResponse });
    const responses = await kit.responses();
    assert.deepEqual(responses.map(({ status }) => status), [Status.internal], what);
    assert.equal(kit.server.counters.running, 0, what);
  }
  const kit = new ServerKit();
  kit.server.serveStream(SERVICE, () => ({
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve({ done: false, value: utf8("a") }),
      return: () => never,
    }),
  }));
  kit.request(1, {
    flags: RpcFlag.streamingResponse,
    headers: [textHeader(HeaderName.streamWindow, "1")],
  });
  assert.deepEqual((await kit.responses()).map(({ text }) => text), ["a"]);
  kit.cancel(1);
  assert.deepEqual((await kit.responses()).map(({ status }) => status), [Status.cancelled]);
  // Its clean-up never ends, and counts as a handler that runs.
  assert.equal(kit.server.counters.running, 1);
});

Deno.test("items come from iterators whose promises are of another kind", async () => {
  const kit = new ServerKit();
  const steps = [{ done: false, value: utf8("a") }, { done: true, value: undefined }];
  kit.server.serveStream(SERVICE, () => ({
    [Symbol.asyncIterator]: () => ({
      next: () => ({ then: (resolve: (step: unknown) => void) => resolve(steps.shift()) }) as never,
    }),
  }));
  kit.request(1, { flags: RpcFlag.streamingResponse });
  assert.deepEqual((await kit.responses()).map(({ status, text }) => [status, text]), [
    [Status.ok, "a"],
    [Status.ok, ""],
  ]);
});

Deno.test("a stream whose caller takes its time is not ended by the time of its handler", async () => {
  const kit = new ServerKit();
  kit.server.serveStream(SERVICE, () => [utf8("a"), utf8("b")], { handlerTimeoutMs: 1_000 });
  kit.request(1, {
    flags: RpcFlag.streamingResponse,
    headers: [textHeader(HeaderName.streamWindow, "1")],
  });
  assert.deepEqual((await kit.responses()).map(({ text }) => text), ["a"]);
  await kit.clock.advance(10_000);
  assert.deepEqual(await kit.responses(), []);
  kit.grant(1, 1);
  assert.deepEqual((await kit.responses()).map(({ text }) => text), ["b"]);
});

Deno.test("closing waits for long answers and for those that have no room yet", async () => {
  const kit = new ServerKit();
  kit.link.holdsLarge = true;
  const served = kit.server.serve(
    SERVICE,
    (body) => body.length > 0 ? utf8("s") : new Uint8Array(20_000),
  );
  kit.request(1);
  await kit.clock.advance(0);
  kit.link.room = 0;
  kit.request(2, { body: utf8("x") });
  let isClosed = false;
  void served.close().then(() => isClosed = true);
  assert.deepEqual(await kit.responses(), []);
  assert.ok(!isClosed && kit.isHeard() && served.running === 0);
  kit.link.addRoom(10);
  assert.deepEqual((await kit.responses()).map(({ callLow }) => callLow), [2]);
  assert.ok(!isClosed);
  kit.link.releaseLarge();
  assert.deepEqual((await kit.responses()).map(({ text }) => text.length), [20_000]);
  await kit.clock.advance(0);
  assert.ok(isClosed && !kit.isHeard());
});

Deno.test("closing in haste does not wait for ever, and the name is free again", async () => {
  const kit = new ServerKit();
  const served = kit.server.serve(SERVICE, () => new Promise<Uint8Array>(() => {}));
  kit.request(1);
  let isClosed = false;
  void served.close().then(() => isClosed = true);
  await kit.clock.advance(CLOSE_GRACE_MS / 2);
  assert.ok(!isClosed);
  void served.close({ isPatient: false });
  assert.deepEqual((await kit.responses()).map(({ status }) => status), [Status.cancelled]);
  await kit.clock.advance(CLOSE_GRACE_MS - 1);
  assert.ok(!isClosed);
  await kit.clock.advance(1);
  assert.ok(isClosed && !kit.isHeard());
  kit.lose("closed");
  kit.server.serve(SERVICE, (body) => body);
  kit.request(2, { body: utf8("again") });
  assert.deepEqual((await kit.responses()).map(({ text }) => text), ["again"]);
});

Deno.test("closing ends when the node stops, whatever handlers do", async () => {
  const kit = new ServerKit();
  const served = kit.server.serve(SERVICE, () => new Promise<Uint8Array>(() => {}));
  kit.request(1);
  let closed = 0;
  void served.close().then(() => closed += 1);
  kit.server.stop();
  await kit.clock.advance(0);
  void served.close().then(() => closed += 1);
  await kit.clock.advance(0);
  assert.equal(closed, 2);
  assert.deepEqual(kit.server.services, []);
});

Deno.test("listeners that throw keep no call from its end", async () => {
  const kit = new ServerKit();
  const reported: string[] = [];
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    reported.push(event.error.message);
  };
  globalThis.addEventListener("error", onError);
  try {
    const finish: (() => void)[] = [];
    kit.server.serve(SERVICE, (body, { signal }) => {
      signal.addEventListener("abort", () => {
        throw new Error("in a listener");
      });
      return new Promise((resolve) => finish.push(() => resolve(body)));
    });
    for (const call of [1, 2, 3]) kit.request(call);
    kit.cancel(1);
    kit.lose();
    assert.deepEqual((await kit.responses()).map(({ callLow, status }) => [callLow, status]), [
      [1, Status.cancelled],
    ]);
    for (const end of finish) end();
    await kit.responses();
    assert.equal(kit.server.counters.running, 0);
    assert.deepEqual(reported, Array(3).fill("in a listener"));
  } finally {
    globalThis.removeEventListener("error", onError);
  }
});

Deno.test("what handlers hold of requests is bounded per caller, and given back", async () => {
  const kit = new ServerKit({ frameBytesMax: 1 << 27 });
  const finish: ((body: Uint8Array) => void)[] = [];
  kit.server.serve(SERVICE, () => new Promise((resolve) => finish.push(resolve)));
  const body = new Uint8Array(1 << 25);
  const frameBytes = encodeRequest(1, { body }).length;
  const calls = Math.floor(HELD_BYTES_PER_CALLER_MAX / frameBytes);
  for (let call = 1; call <= calls + 1; call++) kit.request(call, { body });
  const [refused] = await kit.responses();
  assert.deepEqual([refused?.callLow, refused?.status], [calls + 1, Status.backpressure]);
  assert.equal(kit.server.counters.heldBytes, calls * frameBytes);
  for (const resolve of finish) resolve(new Uint8Array(0));
  await kit.responses();
  assert.equal(kit.server.counters.heldBytes, 0);
});

Deno.test("uploads that nobody takes are bounded over all calls of a caller", async () => {
  const kit = new ServerKit({ frameBytesMax: 1 << 27 });
  kit.server.serveClientStream(SERVICE, () => new Promise(() => {}));
  const body = new Uint8Array(15 << 20);
  const statuses: number[] = [];
  for (let call = 1; call <= 20; call++) {
    kit.request(call, { body, flags: UPLOAD });
    statuses.push(...(await kit.responses()).map(({ status }) => status));
    assert.ok(kit.server.counters.heldBytes <= HELD_BYTES_PER_CALLER_MAX);
  }
  assert.deepEqual(statuses, [Status.backpressure, Status.backpressure, Status.backpressure]);
  for (let call = 1; call <= 20; call++) kit.cancel(call);
  // Handlers that mind no signal keep their requests, which are small without the items.
  const { heldBytes, running } = kit.server.counters;
  assert.deepEqual([running, heldBytes], [17, 17 * encodeRequest(1).length]);
});

Deno.test("what an upload holds is given back however it is read and ends", async () => {
  const kit = new ServerKit();
  kit.server.serveClientStream(SERVICE, async (items, { signal }) => {
    for await (const item of items) {
      if (item.length === 1) break;
      if (item.length === 2) throw new Error("enough");
      if (item.length === 3) {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      }
    }
    return new Uint8Array(0);
  });
  for (const [call, length] of [1, 2, 3, 4].entries()) {
    const id = call + 1;
    kit.request(id, { body: new Uint8Array(length), flags: UPLOAD });
    for (let at = 0; at < 5; at++) kit.chunk(id, 0, utf8("12345"));
    await kit.responses();
    kit.chunk(id, 0, new Uint8Array(0), RpcFlag.requestEnd);
    await kit.responses();
    kit.cancel(id);
    await kit.responses();
    assert.equal(kit.server.counters.heldBytes, 0, `case ${length}`);
  }
  assert.equal(kit.server.counters.running, 0);
});

Deno.test("a caller whose answers find no room leaves room for those of others", async () => {
  const kit = new ServerKit();
  kit.server.serve(SERVICE, (body) => body);
  kit.link.room = 0;
  for (let call = 1; call <= REPLIES_WAITING_PER_CALLER_MAX + 100; call++) kit.request(call);
  assert.equal(kit.meter.responsesDropped, 100);
  const other = new ScriptedPeer({ peer: CALLER + 1n });
  other.link.room = 0;
  kit.sink(SERVICE, other).onFrame(encodeRequest(1), true);
  assert.equal(kit.meter.responsesDropped, 100);
  other.link.addRoom(1);
  await kit.clock.advance(0);
  assert.equal(other.link.take().length, 1);
});

Deno.test("items and grants for calls that take none change nothing, and are counted", async () => {
  const kit = new ServerKit();
  kit.server.serve(SERVICE, () => new Promise<Uint8Array>(() => {}));
  kit.request(1);
  kit.chunk(1, 0, utf8("x"));
  kit.grant(1, 0xffff_ffff);
  kit.grant(2, 0xffff_ffff);
  const { unasked, late } = kit.server.counters;
  assert.deepEqual({ unasked, late }, { unasked: 2, late: 1 });
  assert.deepEqual(await kit.responses(), []);
  assert.equal(kit.server.counters.running, 1);
});

Deno.test("RecentCalls remembers a whole generation, wherever ids fall", () => {
  const recent = new RecentCalls(7, 64);
  for (let call = 1; call <= 64; call++) recent.add(call << 24, call << 24, 1);
  for (let call = 1; call <= 64; call++) assert.ok(recent.has(call << 24, call << 24, 1));
  assert.ok(!recent.has(1 << 24, 1 << 24, 2));
  for (let call = 65; call <= 192; call++) recent.add(call, 0, 1);
  assert.ok(!recent.has(1 << 24, 1 << 24, 1));
});
