import assert from "node:assert/strict";
import fc from "fast-check";
import {
  BODY_BYTES_MAX,
  type CallOptions,
  CONTINUE_HEADERS,
  Dispatch,
  END_HEADERS,
  headerText,
  ITEM_GAP_MS,
  RpcError,
  RpcFlag,
  type RpcResponses,
  textHeader,
} from "../../../src/rpc/mod.ts";
import {
  type Answer,
  encodeAnswer,
  requestOf,
  type SentFrame,
  streamAnswers,
  streamGrants,
} from "../memory_links.ts";
import {
  bodyOf,
  type ClientKit,
  type ClientKitOptions,
  createClientKit,
  Outcome,
  PEER,
  SERVICE,
} from "./client_kit.ts";

interface Opened {
  readonly kit: ClientKit;
  readonly stream: RpcResponses;
  readonly request: SentFrame;
  answer(...answers: Answer[]): Promise<void>;
}

async function open(options: CallOptions = {}, kitOptions: ClientKitOptions = {}): Promise<Opened> {
  const kit = createClientKit(kitOptions);
  const stream = await kit.client.callStream(PEER, SERVICE, bodyOf(1), options);
  const [request] = kit.link.take() as [SentFrame];
  const answer = async (...answers: Answer[]) => {
    for (const one of answers) kit.links.respond(kit.link, request, one);
    await kit.clock.advance(0);
  };
  return { kit, stream, request, answer };
}

/** Everything a stream gives, as first bytes; the kind of its error behind them. */
async function collect(stream: AsyncIterable<Uint8Array>): Promise<(number | string)[]> {
  const seen: (number | string)[] = [];
  try {
    for await (const body of stream) seen.push(body[0] as number);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    seen.push(error.kind);
  }
  return seen;
}

function item(number: number, first = number): Answer {
  return { headers: CONTINUE_HEADERS, body: bodyOf(first), item: number };
}

Deno.test("callStream() asks for a stream with a window, without a deadline", async () => {
  const { kit, request, stream } = await open();
  const { flags, headers, deadlineMs } = requestOf(request);
  assert.equal(flags, RpcFlag.streamingResponse);
  assert.equal(headerText(headers, "nrpc-stream-window-initial"), "256");
  assert.equal(deadlineMs, 0);
  assert.equal(stream.target, PEER);
  assert.equal(
    stream.callId,
    (BigInt(request.callHigh) << 32n) | BigInt(request.callLow),
  );
  kit.client.stop();
});

Deno.test("callStream() gives items in order of arrival from peers that number nothing", async () => {
  const { kit, stream, answer } = await open({}, { isExtended: false });
  await answer(...streamAnswers([bodyOf(3), bodyOf(1), bodyOf(2)], 0));
  assert.deepEqual(await collect(stream), [3, 1, 2]);
  assert.deepEqual(kit.link.take(), [], "a stream that ended well is not cancelled");
  assert.deepEqual([kit.meter.inFlight, kit.client.counters.pending], [0, 0]);
});

Deno.test("callStream() gives numbered items in their order, however they arrive", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 12 }),
      fc.infiniteStream(fc.nat()),
      async (count, picks) => {
        const { stream, answer, kit } = await open();
        const waiting = streamAnswers(Array.from({ length: count }, (_, at) => bodyOf(at)), 1);
        // Some come twice.
        waiting.push(...waiting.slice(0, 2));
        while (waiting.length > 0) {
          const [pick] = picks;
          const [one] = waiting.splice((pick ?? 0) % waiting.length, 1);
          await answer(one as Answer);
        }
        assert.deepEqual(await collect(stream), Array.from({ length: count }, (_, at) => at));
        assert.equal(kit.meter.inFlight, 0);
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("callStream() never shows a stream with a hole as a whole one", async () => {
  const { kit, stream, answer } = await open();
  await answer(item(1), item(3), { headers: END_HEADERS, item: 4 });
  const seen = collect(stream);
  await kit.clock.advance(ITEM_GAP_MS - 1);
  assert.equal(kit.meter.inFlight, 1);
  await kit.clock.advance(1);
  assert.deepEqual(await seen, [1, "transport"]);
  assert.deepEqual(kit.link.take().map(({ dispatch }) => dispatch), [Dispatch.cancel]);
});

Deno.test("callStream() ends with a typed error when numbers and none are mixed", async () => {
  for (const answers of [[item(0), item(1)], [item(1), item(0)]]) {
    const { stream, answer } = await open();
    await answer(...answers);
    assert.equal((await collect(stream)).at(-1), "codec_decode");
  }
});

Deno.test("callStream() grants what was consumed, half a window at a time", async () => {
  const { kit, stream, answer } = await open({ streamWindow: 4 });
  await answer(item(1), item(2), item(3), item(4));
  assert.deepEqual(streamGrants(kit.link.take()), []);
  await stream.read();
  assert.deepEqual(streamGrants(kit.link.take()), []);
  await stream.read();
  await stream.read();
  await stream.read();
  assert.deepEqual(streamGrants(kit.link.take()), [2, 2]);
  await answer(item(5), item(6), item(7), item(8));
  assert.equal(kit.meter.inFlight, 1, "all of these were granted");
  kit.client.stop();
});

Deno.test("callStream() with a window of 1 grants each item", async () => {
  const { kit, stream, answer } = await open({ streamWindow: 1 });
  for (let number = 1; number < 5; number++) {
    await answer(item(number));
    assert.deepEqual(await stream.read(), bodyOf(number));
    assert.deepEqual(streamGrants(kit.link.take()), [1]);
  }
  kit.client.stop();
});

Deno.test("callStream() joins grants that find no room", async () => {
  const { kit, stream, answer } = await open({ streamWindow: 4 });
  kit.link.room = 0;
  await answer(item(1), item(2), item(3), item(4));
  for (let reads = 0; reads < 4; reads++) await stream.read();
  kit.link.addRoom(9);
  await kit.clock.advance(0);
  assert.deepEqual(streamGrants(kit.link.take()), [4]);
  kit.client.stop();
});

Deno.test("callStream() refuses what was sent without credit", async () => {
  for (const isNumbered of [true, false]) {
    const { kit, stream, answer } = await open({ streamWindow: 2 });
    await answer(...[1, 2, 3].map((number) => item(isNumbered ? number : 0, number)));
    assert.deepEqual(await collect(stream), [1, 2, "codec_decode"]);
    assert.deepEqual(kit.link.take().map(({ dispatch }) => dispatch), [Dispatch.cancel]);
  }
  const { stream, answer } = await open({ streamWindow: 2 });
  await answer(item(4));
  assert.deepEqual(await collect(stream), ["codec_decode"]);
});

Deno.test("grant() gives credit by hand, and only where that was agreed", async () => {
  const manual = await open({ streamWindow: 2, isManualGrant: true });
  await manual.answer(item(1), item(2));
  await manual.stream.read();
  await manual.stream.read();
  assert.deepEqual(streamGrants(manual.kit.link.take()), []);
  manual.stream.grant(3);
  assert.deepEqual(streamGrants(manual.kit.link.take()), [3]);
  assert.throws(() => manual.stream.grant(0), RangeError);
  manual.stream.grant(5_000_000);
  assert.deepEqual(streamGrants(manual.kit.link.take()), [1_000_000 - 3]);
  manual.kit.client.stop();
  const automatic = await open({ streamWindow: 4 });
  automatic.stream.grant(3);
  assert.deepEqual(automatic.kit.link.take(), []);
  automatic.kit.client.stop();
});

Deno.test("callStream() takes one answer without the header as one item and the end", async () => {
  const { stream, answer } = await open();
  await answer({ body: bodyOf(7) });
  assert.deepEqual(await collect(stream), [7]);
});

Deno.test("callStream() ends with the failure of the server, behind what came before it", async () => {
  const { stream, answer, kit } = await open();
  const body = new TextEncoder().encode("boom");
  await answer({ status: 6, body, item: 2 }, item(1));
  assert.deepEqual(await collect(stream), [1, "server_error"]);
  assert.equal(kit.meter.errorsServer, 1);
});

Deno.test("callStream() ends on a header value that nobody knows, and on what is no response", async () => {
  const unknown = await open();
  await unknown.answer({ headers: [textHeader("nrpc-streaming", "pause")] });
  assert.deepEqual(await collect(unknown.stream), ["codec_decode"]);
  const broken = await open();
  const bytes = broken.request.bytes.slice(0, 35);
  bytes[0] = Dispatch.response;
  broken.kit.links.deliver(broken.kit.link, bytes);
  assert.deepEqual(await collect(broken.stream), ["codec_decode"]);
  assert.equal(broken.kit.link.take()[0]?.dispatch, Dispatch.cancel);
});

Deno.test("callStream() is cancelled when its reader leaves the loop, or disposes of it", async () => {
  const left = await open();
  await left.answer(item(1), item(2));
  for await (const _ of left.stream) break;
  assert.equal(left.kit.link.take()[0]?.dispatch, Dispatch.cancel);
  assert.equal(left.kit.meter.inFlight, 0);
  const disposed = await open();
  {
    await using stream = disposed.stream;
    assert.ok(stream.callId !== 0n);
  }
  assert.equal(disposed.kit.link.take()[0]?.dispatch, Dispatch.cancel);
});

Deno.test("cancel() drops what waits, and those who read hear of it", async () => {
  const { kit, stream, answer } = await open();
  await answer(item(1));
  await stream.read();
  const reading = new Outcome(stream.read());
  stream.cancel("enough");
  stream.cancel("again");
  await kit.clock.advance(0);
  assert.equal(reading.error?.kind, "cancelled");
  assert.equal(reading.error?.cause, "enough");
  assert.equal(kit.link.take().length, 1);
  await assert.rejects(stream.read(), { kind: "cancelled" });
});

Deno.test("callStream() ends at once when its link does, behind what is here", async () => {
  const { kit, stream, answer } = await open();
  await answer(item(1));
  const seen = collect(stream);
  kit.links.end(kit.link, "peer_lost");
  assert.deepEqual(await seen, [1, "transport"]);
});

Deno.test("callStream() ends at its deadline when it has one", async () => {
  const { kit, stream, answer } = await open({ timeoutMs: 300 });
  await answer(item(1));
  const seen = collect(stream);
  await kit.clock.advance(300);
  assert.deepEqual(await seen, [1, "timeout"]);
  assert.equal(kit.link.take().at(-1)?.dispatch, Dispatch.cancel);
});

Deno.test("callStream() refuses a window of 0, and fails where unary calls do", async () => {
  const kit = createClientKit();
  for (const options of [{ streamWindow: 0 }, { streamWindow: 1.5 }, { timeoutMs: 0 }]) {
    const outcome = new Outcome(kit.client.callStream(PEER, SERVICE, bodyOf(), options));
    await kit.clock.advance(0);
    assert.equal(outcome.error?.kind, "timeoutMs" in options ? "timeout" : "codec_encode");
  }
  const unrouted = new Outcome(kit.client.callStream(9n, SERVICE, bodyOf()));
  kit.links.refuse(9n, SERVICE, new RpcError("no_route", "no session"));
  await kit.clock.advance(0);
  assert.equal(unrouted.error?.kind, "no_route");
  assert.deepEqual([kit.meter.inFlight, kit.link.take().length], [0, 0]);
});

Deno.test("read() waits in turn, for as many as may wait", async () => {
  const { kit, stream, answer } = await open();
  const reads = Array.from({ length: 1_025 }, () => new Outcome(stream.read()));
  await answer(item(1), item(2), { headers: END_HEADERS, item: 3 });
  assert.deepEqual(reads.slice(0, 3).map(({ value }) => value?.[0]), [1, 2, undefined]);
  assert.equal(reads[2]?.settled, 1);
  assert.equal(reads.at(-1)?.error?.kind, "backpressure");
  assert.equal(kit.meter.inFlight, 0);
});

Deno.test("callStream() keeps no more bytes for a slow reader than it may", async () => {
  const { kit, stream, request } = await open();
  const bytes = encodeAnswer(request, {
    headers: CONTINUE_HEADERS,
    body: new Uint8Array(BODY_BYTES_MAX),
  });
  for (let number = 1; number <= 5; number++) {
    bytes[20] = number;
    assert.equal(kit.meter.inFlight, 1);
    kit.client.onFrame(kit.link, bytes, true);
  }
  assert.equal(kit.meter.inFlight, 0);
  assert.equal(kit.link.take().at(-1)?.dispatch, Dispatch.cancel);
  for (let number = 1; number <= 5; number++) {
    assert.equal((await stream.read())?.length, BODY_BYTES_MAX);
  }
  await assert.rejects(stream.read(), { kind: "backpressure" });
});
