/** Engines of calls fed with frames that no honest peer sends: nothing throws, sums hold, all calls end. */
import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/mod.ts";
import {
  CONTINUE_HEADERS,
  Dispatch,
  END_HEADERS,
  FRAME_BYTES,
  NO_HEADERS,
  RpcError,
  RpcFlag,
  type RpcHeader,
  textHeader,
  writeFrameHead,
} from "../../../src/rpc/mod.ts";
import {
  chunkLength,
  HeaderName,
  writeChunk,
  writeRequestGrant,
  writeStreamGrant,
} from "../../../src/rpc/wire/mod.ts";
import { createClientKit, PEER, SERVICE as CALLED } from "../../rpc/client/client_kit.ts";
import { encodeAnswer } from "../../rpc/memory_links.ts";
import { encodeRequest, routeOf, ServerKit, SERVICE } from "../../rpc/server/server_kit.ts";
import type { CreateTarget, FuzzTarget } from "../fuzz.ts";
import type { FuzzRandom } from "../fuzz_random.ts";

const RUNNING_MAX = 16;
const HANDLER_MS = 5_000;
/** Calls of a round. */
const CALLS = 8;

/** A chunk of an upload. */
function chunkFrame(call: number, item: number, flags: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FRAME_BYTES + chunkLength(NO_HEADERS, body));
  const at = writeFrameHead(bytes, 0, Dispatch.requestChunk, routeOf(SERVICE), call, 0, item);
  writeChunk(bytes, at, call, 0, flags, NO_HEADERS, body);
  return bytes;
}

function plainFrame(dispatch: number, call: number, body = new Uint8Array(0)): Uint8Array {
  const bytes = new Uint8Array(FRAME_BYTES + body.length);
  bytes.set(body, writeFrameHead(bytes, 0, dispatch, routeOf(SERVICE), call, 0, 0));
  return bytes;
}

/** Frames for a server; those of other shapes than it serves are among them. */
function requestCorpus(): Uint8Array[] {
  const windows: readonly RpcHeader[] = [
    textHeader(HeaderName.streamWindow, "2"),
    textHeader(HeaderName.requestWindow, "4"),
  ];
  const both = RpcFlag.streamingResponse | RpcFlag.clientStreaming;
  const grant = new Uint8Array(4);
  writeStreamGrant(grant, 0, 0xffff_ffff);
  return [
    encodeRequest(1, { body: utf8("body"), flags: both }),
    encodeRequest(2, { flags: both, headers: windows, item: 1, body: utf8("one") }),
    encodeRequest(3, { flags: both | RpcFlag.requestEnd, deadlineMs: 1 }),
    chunkFrame(2, 2, 0, utf8("two")),
    chunkFrame(2, 3, RpcFlag.requestEnd, utf8("three")),
    chunkFrame(1, 0, 0, utf8("four")),
    plainFrame(Dispatch.cancel, 1),
    plainFrame(Dispatch.streamGrant, 2, grant),
  ];
}

/** Mostly with the id of a call of this round: those of rounds before are over, and never run again. */
function aimed(bytes: Uint8Array, random: FuzzRandom, round: number): Uint8Array {
  if (bytes.length < FRAME_BYTES || random.below(4) === 0) return bytes;
  const frame = bytes.slice();
  const id = new Uint8Array(8);
  new DataView(id.buffer).setUint32(0, 1 + round * CALLS + random.below(CALLS), true);
  frame.set(id, 12);
  if (frame[0] !== Dispatch.requestChunk || frame.length < FRAME_BYTES + 8) return frame;
  frame.set(id, FRAME_BYTES);
  return frame;
}

type Serve = (kit: ServerKit) => void;
const OPTIONS = { runningMax: RUNNING_MAX, handlerTimeoutMs: HANDLER_MS };

const SHAPES: readonly Serve[] = [
  ({ server, clock }) =>
    server.serve(SERVICE, (body, { signal }) =>
      new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        clock.after(1_000, () => resolve(body.slice()));
      }), OPTIONS),
  ({ server }) =>
    server.serveStream(SERVICE, function* (body) {
      for (let at = 0; at < 8; at++) yield body;
    }, OPTIONS),
  ({ server }) =>
    server.serveClientStream(SERVICE, async (items) => {
      let bytes = 0;
      for await (const item of items) bytes += item.length;
      return new Uint8Array(bytes & 0xff);
    }, OPTIONS),
  ({ server }) =>
    server.serveDuplex(SERVICE, async function* (items) {
      for await (const item of items) yield item;
    }, OPTIONS),
];

function serverTarget(): FuzzTarget {
  const kits = [true, false].flatMap((isExtended) =>
    SHAPES.map((serve) => {
      const kit = new ServerKit({ isExtended });
      serve(kit);
      return kit;
    })
  );
  let round = 0;
  return {
    corpus: requestCorpus(),
    feed: (bytes, random) => {
      const kit = kits[random.below(kits.length)] as ServerKit;
      const { handlerInvocations } = kit.meter;
      kit.deliver(aimed(bytes, random, round));
      assert.ok(kit.server.counters.running <= RUNNING_MAX);
      return kit.meter.handlerInvocations > handlerInvocations ? true : undefined;
    },
    settle: async () => {
      round += 1;
      for (const kit of kits) {
        // Callers that grant nothing may keep a stream for ever; they leave in the end.
        await kit.clock.advance(HANDLER_MS);
        kit.lose();
        await kit.clock.advance(HANDLER_MS);
        await kit.responses();
        const { running, heldBytes } = kit.server.counters;
        assert.deepEqual({ running, heldBytes }, { running: 0, heldBytes: 0 });
        const { handlersRunning, handlerInvocations, handlerDuration } = kit.meter;
        assert.equal(handlersRunning, 0);
        assert.equal(handlerDuration.count, handlerInvocations);
      }
    },
  };
}

/** Frames for a caller. */
function answerCorpus(): Uint8Array[] {
  const to = {
    dispatch: 0,
    callLow: 1,
    callHigh: 0,
    item: 0,
    bytes: new Uint8Array(0),
    isLarge: false,
  };
  const grant = plainFrame(Dispatch.requestGrant, 1, new Uint8Array(12));
  writeRequestGrant(grant, FRAME_BYTES, 1, 0, 0xffff_ffff);
  return [
    encodeAnswer(to, { body: utf8("answer") }),
    encodeAnswer(to, { status: 0x8001, body: utf8("failed") }),
    encodeAnswer(to, { status: 4, headers: [textHeader(HeaderName.retryAfter, "50")] }),
    encodeAnswer(to, { headers: CONTINUE_HEADERS, body: utf8("one"), item: 1 }),
    encodeAnswer(to, { headers: CONTINUE_HEADERS, body: utf8("three"), item: 3 }),
    encodeAnswer(to, { headers: CONTINUE_HEADERS, body: utf8("plain") }),
    encodeAnswer(to, { headers: END_HEADERS, item: 2 }),
    grant,
  ];
}

function clientTarget(): FuzzTarget {
  const kit = createClientKit();
  const { client, clock, link, links } = kit;
  /** Ids of calls, as their frames say. */
  let ids: Uint8Array[] = [];
  let begun = 0;
  let ended = 0;
  const noteEnd = () => void (ended += 1);
  const watch = (call: Promise<unknown>) => {
    begun += 1;
    call.then(noteEnd, (error) => {
      assert.ok(error instanceof RpcError, String(error));
      noteEnd();
    });
  };
  const options = { timeoutMs: 10_000 };
  const begin = async () => {
    watch(client.call(PEER, CALLED, utf8("x"), options));
    const stream = await client.callStream(PEER, CALLED, utf8("x"), options);
    watch((async () => {
      for await (const _ of stream);
    })());
    const upload = await client.callClientStream(PEER, CALLED, options);
    watch(upload.send(utf8("x")).then(() => upload.finish()));
    const duplex = await client.callDuplex(PEER, CALLED, options);
    watch((async () => {
      await duplex.requests.send(utf8("x"));
      for await (const _ of duplex.responses);
    })());
    await clock.advance(0);
    ids = link.take().filter(({ dispatch }) => dispatch === Dispatch.request)
      .map(({ bytes }) => bytes.slice(12, 20));
  };
  return {
    corpus: answerCorpus(),
    feed: (bytes, random) => {
      const frame = bytes.slice();
      const id = ids[random.below(ids.length)];
      if (id !== undefined && frame.length >= FRAME_BYTES && random.below(4) > 0) {
        frame.set(id, 12);
        if (frame[0] === Dispatch.requestGrant && frame.length >= FRAME_BYTES + 8) {
          frame.set(id, FRAME_BYTES);
        }
      }
      const { unknownDropped, malformedDropped } = client.counters;
      links.deliver(link, frame);
      const now = client.counters;
      const isDropped = now.unknownDropped > unknownDropped ||
        now.malformedDropped > malformedDropped;
      return isDropped ? undefined : true;
    },
    settle: async () => {
      // Longer than any call may take: each has ended, with an answer or a typed error.
      await clock.advance(10_001);
      for (let turn = 0; turn < 8; turn++) await clock.advance(0);
      assert.equal(client.counters.pending, 0);
      assert.equal(ended, begun);
      assert.equal(kit.meter.inFlight, 0);
      for (let group = 0; group < 16; group++) await begin();
    },
  };
}

/** The table of this area. */
export const RPC_ENGINE_TARGETS: Readonly<Record<string, CreateTarget>> = {
  "rpc server": serverTarget,
  "rpc client": clientTarget,
};
