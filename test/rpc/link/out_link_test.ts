/** Frames on their way out: joined into packets, waiting for credit, fair to each other. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  createLinkCounters,
  Dispatch,
  FragmentBody,
  FRAME_BYTES,
  FrameHead,
  LargeAllowance,
  NO_LINK_ROOM,
  OutLink,
  RpcError,
} from "../../../src/rpc/mod.ts";
import { ARENA_BYTES_MAX, LARGE_ACTIVE_MAX } from "../../../src/rpc/link/limits.ts";
import { FakePort, turns } from "./fake_port.ts";

const ROUTE = { originLow: 1, originHigh: 2, channelLow: 3, channelHigh: 4 };

function linkOn(
  port: FakePort,
  options: {
    readonly isExtended?: boolean;
    readonly framesPerPacketMax?: number;
    readonly allowance?: LargeAllowance;
  } = {},
) {
  const counters = createLinkCounters();
  const { isExtended = true, framesPerPacketMax, allowance = new LargeAllowance() } = options;
  const link = new OutLink({ port, counters, allowance }, {
    peer: 9n,
    route: ROUTE,
    isExtended,
    framesPerPacketMax,
  });
  return { link, counters };
}

/** Writes a frame that is all one number. */
function write(link: OutLink, number: number, length: number): boolean {
  const at = link.reserve(length);
  if (at === NO_LINK_ROOM) return false;
  link.bytes.fill(number, at, at + length);
  return true;
}

const numbersOf = (frames: readonly Uint8Array[]) => frames.map(([number]) => number);

Deno.test("OutLink joins the frames of a turn, of callers that come one after the other too", async () => {
  const port = new FakePort();
  const { link, counters } = linkOn(port);
  const caller = async (number: number) => {
    // As many awaits as an engine and a wrapper or two have.
    for (let i = 0; i < number % 4; i++) await null;
    write(link, number, 20);
  };
  await Promise.all(Array.from({ length: 16 }, (_, number) => caller(number)));
  assert.equal(port.packets.length, 0);
  await turns();
  assert.equal(port.packets.length, 1);
  assert.deepEqual(numbersOf(port.frames).sort((a = 0, b = 0) => a - b), [...Array(16).keys()]);
  assert.equal(counters.frames_sent_total, 16);
  assert.equal(counters.packets_sent_total, 1);
});

Deno.test("OutLink puts as many frames into a packet as fit, or as the peer takes", async () => {
  const port = new FakePort(104);
  const { link } = linkOn(port);
  for (let number = 0; number < 10; number++) write(link, number, 22);
  await turns();
  assert.deepEqual(port.packets.map((frames) => frames.length), [4, 4, 2]);
  const single = new FakePort(104);
  const plain = linkOn(single, { framesPerPacketMax: 1 });
  for (let number = 0; number < 3; number++) write(plain.link, number, 22);
  await turns();
  assert.deepEqual(single.packets.map((frames) => frames.length), [1, 1, 1]);
  assert.throws(() => link.reserve(101), RangeError);
  assert.equal(link.frameBytesMax, 100);
});

Deno.test("OutLink keeps frames while there is no room, up to a limit, and in order", async () => {
  const port = new FakePort(1_000, 0);
  const { link, counters } = linkOn(port);
  let written = 0;
  while (write(link, written & 0xff, 900)) written += 1;
  assert.ok(written > ARENA_BYTES_MAX / 2 / 904 && written <= ARENA_BYTES_MAX / 904);
  assert.equal(counters.frames_refused_total, 1);
  let isReady = false;
  const ready = link.ready().then(() => isReady = true);
  await turns();
  assert.ok(!isReady);
  port.give(10);
  await turns();
  // Half of it has to be free before anybody looks again.
  assert.ok(!isReady);
  port.give(written);
  await turns();
  await ready;
  assert.ok(write(link, 1, 900));
  await turns();
  const expected = Array.from({ length: written }, (_, number) => number & 0xff);
  assert.deepEqual(numbersOf(port.frames), [...expected, 1]);
  assert.equal(link.waitingBytes, 0);
});

Deno.test("OutLink sends every frame once, whole and in order, however room comes and goes", async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("write" as const), length: fc.integer({ min: 1, max: 400 }) }),
    fc.record({ kind: fc.constant("give" as const), packets: fc.integer({ min: 0, max: 5 }) }),
    fc.record({ kind: fc.constant("turn" as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 400 }), async (steps) => {
      const port = new FakePort(500, 0);
      const { link } = linkOn(port);
      const lengths: number[] = [];
      for (const each of steps) {
        if (each.kind === "write") {
          if (write(link, lengths.length & 0xff, each.length)) lengths.push(each.length);
        } else if (each.kind === "give") port.give(each.packets);
        else await turns(10);
      }
      await turns();
      port.give(Infinity);
      await turns();
      assert.deepEqual(port.frames.map(({ length }) => length), lengths);
      assert.ok(port.frames.every((frame, at) => frame.every((byte) => byte === (at & 0xff))));
    }),
    { numRuns: 60 },
  );
});

Deno.test("OutLink tells who waits that it has ended, and takes nothing then", async () => {
  const port = new FakePort(1_000, 0);
  const { link } = linkOn(port);
  while (write(link, 0, 900));
  const isTransport = (error: unknown) => error instanceof RpcError && error.kind === "transport";
  const ready = assert.rejects(link.ready(), isTransport);
  const large = assert.rejects(link.sendLarge(0x10, 1, 2, 0, new Uint8Array(5_000)), isTransport);
  link.end("the session ended");
  await Promise.all([ready, large]);
  assert.ok(!link.isOpen);
  assert.equal(link.reserve(10), NO_LINK_ROOM);
  await assert.rejects(link.ready(), isTransport);
  await assert.rejects(link.sendLarge(0x10, 1, 2, 0, new Uint8Array(5_000)), isTransport);
  assert.equal(link.largeFrames, 0);
});

Deno.test("OutLink.ready() ends with its signal, and forgets who waited", async () => {
  const port = new FakePort(1_000, 0);
  const { link } = linkOn(port);
  while (write(link, 0, 900));
  const aborter = new AbortController();
  const waiting = link.ready(aborter.signal);
  aborter.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  await assert.rejects(link.ready(aborter.signal), /enough/);
});

/** Head and fragment of each part that left. */
function partsOf(port: FakePort) {
  return port.frames.filter((frame) => frame[0] === Dispatch.fragment).map((frame) => {
    const head = new FrameHead();
    const fragment = new FragmentBody();
    assert.ok(head.read(frame) && fragment.read(frame, FRAME_BYTES));
    return { head, fragment, bytes: frame.subarray(fragment.partAt) };
  });
}

Deno.test("OutLink sends large frames in turn, and small ones before them", async () => {
  const port = new FakePort(1_000, 2);
  const { link, counters } = linkOn(port);
  const bodies = [new Uint8Array(20_000).fill(1), new Uint8Array(3_000).fill(2)];
  const order: number[] = [];
  const sends = bodies.map((body, at) =>
    link.sendLarge(Dispatch.request, at, 7, at + 1, body).then(() => order.push(at))
  );
  await turns();
  assert.deepEqual(partsOf(port).map(({ head }) => head.callLow), [0, 1]);
  write(link, 5, 50);
  port.give(1);
  await turns();
  assert.deepEqual(numbersOf(port.frames.slice(-1)), [5]);
  port.give(100);
  await turns();
  await Promise.all(sends);
  // The short one was not behind the long one.
  assert.deepEqual(order, [1, 0]);
  for (const [at, body] of bodies.entries()) {
    const joined = new Uint8Array(body.length);
    for (const { head, fragment, bytes } of partsOf(port)) {
      if (head.callLow !== at) continue;
      assert.equal(fragment.total, body.length);
      assert.equal(fragment.dispatch, Dispatch.request);
      assert.deepEqual([head.callHigh, head.item, head.originLow], [7, at + 1, 1]);
      joined.set(bytes, fragment.offset);
    }
    assert.deepEqual(joined, body);
  }
  assert.equal(counters.large_frames_sent_total, 2);
  assert.equal(link.largeFrames, 0);
});

Deno.test("OutLink leaves room for small frames beside large ones", async () => {
  const port = new FakePort(1_000, 10);
  port.reserve = 3;
  const { link } = linkOn(port);
  void link.sendLarge(Dispatch.request, 1, 1, 0, new Uint8Array(100_000)).catch(() => {});
  await turns();
  assert.equal(port.packets.length, 7);
  write(link, 5, 50);
  // What is urgent does not wait until bulk may go on.
  await turns();
  assert.equal(port.packets.length, 8);
  link.end("over");
});

Deno.test("OutLink says that it gave a large frame up, if the peer has parts of it", async () => {
  const port = new FakePort(1_000, 2);
  const { link, counters } = linkOn(port);
  const aborter = new AbortController();
  const { signal } = aborter;
  const begun = link.sendLarge(Dispatch.request, 1, 1, 3, new Uint8Array(9_000), signal);
  await turns();
  const reject = assert.rejects(begun, /cancelled/);
  aborter.abort(new Error("cancelled"));
  await reject;
  port.give(5);
  await turns();
  const last = partsOf(port).at(-1);
  assert.ok(last?.fragment.isAbandoned);
  assert.deepEqual([last.head.callLow, last.head.item, last.fragment.dispatch], [1, 3, 0x10]);
  assert.equal(counters.large_frames_abandoned_total, 1);
  assert.equal(port.frames.length, 3);
});

Deno.test("OutLink sends as many large frames at once as the peer has room for", async () => {
  const allowance = new LargeAllowance(10_000);
  const port = new FakePort(1_000, 1);
  const [first, second] = [linkOn(port, { allowance }), linkOn(port, { allowance })];
  const sends = [
    first.link.sendLarge(Dispatch.request, 1, 1, 0, new Uint8Array(8_000)),
    second.link.sendLarge(Dispatch.request, 2, 1, 0, new Uint8Array(8_000)),
  ];
  await turns();
  port.give(5);
  await turns();
  assert.ok(partsOf(port).every(({ head }) => head.callLow === 1));
  port.give(100);
  await turns();
  await Promise.all(sends);
  assert.equal(allowance.bytes, 0);
  // Behind those that are on their way others wait.
  const many = linkOn(new FakePort(1_000, 0)).link;
  for (let i = 0; i < LARGE_ACTIVE_MAX + 5; i++) {
    many.sendLarge(Dispatch.request, i, 1, 0, new Uint8Array(5_000)).catch(() => {});
  }
  assert.equal(many.largeFrames, LARGE_ACTIVE_MAX + 5);
  many.end("over");
});

Deno.test("OutLink says what is too large, for the peer or at all", async () => {
  const plain = linkOn(new FakePort(), { isExtended: false }).link;
  await assert.rejects(plain.sendLarge(0x10, 1, 1, 0, new Uint8Array(2_000)), (error) => {
    assert.ok(error instanceof RpcError && error.kind === "too_large");
    assert.match(error.message, /too large for this peer.* at most 964/);
    return error.next !== undefined;
  });
  const ours = linkOn(new FakePort()).link;
  await assert.rejects(
    ours.sendLarge(0x10, 1, 1, 0, new Uint8Array(68_000_000)),
    (error: unknown) => error instanceof RpcError && error.kind === "too_large",
  );
});

Deno.test("OutLink learns that items come one by one, and joins them from then on", async () => {
  const port = new FakePort();
  const { link } = linkOn(port);
  // An item every few turns, as a generator gives them.
  const give = async (items: number) => {
    for (let item = 0; item < items; item++) {
      write(link, item, 20);
      await turns(4);
    }
    await turns();
  };
  write(link, 0, 20);
  await turns();
  assert.equal(port.packets.length, 1);
  await give(30);
  // The first of them was taken for all, as the one before had been.
  assert.deepEqual(port.packets.map((frames) => frames.length), [1, 1, 29]);
});

Deno.test("OutLink does not take an answer to what came for the next item of a stream", async () => {
  const port = new FakePort();
  const { link } = linkOn(port);
  for (let call = 0; call < 20; call++) {
    link.noteArrival();
    write(link, call, 20);
    await turns(2);
    // It left at the first turn: nothing else is waited for.
    assert.equal(port.packets.length, call + 1);
  }
});
