/** The event bus: cursors, filters, conditions, the JSON of events, ids, and datagrams of the point-to-point adapter. */
import assert from "node:assert/strict";
import { decodeNote, encodeNote } from "../../../src/log/bus/adapters/_feed_notes.ts";
import { utf8 } from "../../../src/base/mod.ts";
import { createNoiseKeyPair } from "../../../src/core/crypto/mod.ts";
import type { DatagramHandler } from "../../../src/core/transport/mod.ts";
import {
  BusError,
  compareEventIds,
  compileFilter,
  createNetAdapter,
  decodeCursor,
  encodeCursor,
  equalJson,
  eventIdKind,
  formatFilter,
  parseFilter,
  parseWhere,
  readJson,
  writeJson,
} from "../../../src/log/mod.ts";
import {
  decodeFeedMessage,
  decodeParcel,
  encodeFeedMessage,
  encodeParcel,
  encodePieces,
} from "../../../src/log/bus/adapters/mesh/messages.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { assertSame, type CreateTarget, type FuzzTarget } from "../fuzz.ts";

const TEXT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Short members become objects and numbers with names. */
const RICH = { factor: 96, base: 2_048 };

/** What a reader makes of the text of the bytes; `undefined` when they are none, or it refuses them as it should. */
function read<Value>(bytes: Uint8Array, reader: (text: string) => Value): Value | undefined {
  let text: string;
  try {
    text = TEXT.decode(bytes);
  } catch {
    return undefined;
  }
  try {
    return reader(text);
  } catch (error) {
    if (error instanceof BusError && (error.kind === "cursor" || error.kind === "filter")) {
      return undefined;
    }
    throw error;
  }
}

function cursorTarget(): FuzzTarget {
  const corpus = [new Map([[0, "0:3"]]), new Map([[0, "1-2"], [7, "9"], [65_535, "ü"]])]
    .map((cursor) => utf8(encodeCursor(cursor)));
  return {
    corpus,
    growth: RICH,
    feed: (bytes) => {
      const cursor = read(bytes, decodeCursor);
      if (cursor !== undefined) assert.deepEqual(decodeCursor(encodeCursor(cursor)), cursor);
      return cursor;
    },
  };
}

/** The same over the JSON inside, which random base64 seldom is. */
function cursorJsonTarget(): FuzzTarget {
  return {
    corpus: ['{"0":"0:3"}', '{"1":"5","65535":"1-2"}', "{}"].map(utf8),
    growth: RICH,
    feed: (bytes) => read(utf8(bytes.toBase64()), decodeCursor),
  };
}

const EVENTS = [
  '{"level":"error","n":1.0,"tags":["x",{"y":null}]}',
  "[1,-0,1e2]",
  '"a\\u00e9"',
  "5",
]
  .map(utf8);

function filterTarget(): FuzzTarget {
  const corpus = [
    '{"path":"a.b.0","value":{"x":[1,1.0,null]}}',
    '{"$and":[{"$eq":{"path":"","value":5}},{"$not":{"path":"n","value":"ü"}}]}',
    '{"$or":[],"path":"x","value":true}',
  ].map(utf8);
  return {
    corpus,
    growth: RICH,
    feed: (bytes) => {
      const filter = read(bytes, parseFilter);
      if (filter === undefined) return undefined;
      const isWanted = compileOrRefuse(() => compileFilter(filter));
      const isWantedAgain = compileOrRefuse(() => compileFilter(parseFilter(formatFilter(filter))));
      for (const event of EVENTS) assert.equal(isWanted?.(event), isWantedAgain?.(event));
      return filter;
    },
  };
}

function whereTarget(): FuzzTarget {
  const corpus = [
    "level=error && (n>3 || !done)",
    'a.0*="x y"',
    "n<=-1.5e3",
    '{"path":"a","value":1}',
  ]
    .map(utf8);
  return {
    corpus,
    growth: RICH,
    feed: (bytes) => {
      const filter = read(bytes, parseWhere);
      if (filter === undefined) return undefined;
      const isWanted = compileOrRefuse(() => compileFilter(filter));
      for (const event of EVENTS) isWanted?.(event);
      return filter;
    },
  };
}

/** Deep or long filters may be read and still be too much to run. */
function compileOrRefuse<Value>(compile: () => Value): Value | undefined {
  try {
    return compile();
  } catch (error) {
    if (error instanceof BusError && error.kind === "filter") return undefined;
    throw error;
  }
}

function jsonTarget(): FuzzTarget {
  return {
    corpus: EVENTS,
    growth: RICH,
    feed: (bytes) => {
      const value = readJson(bytes);
      if (value === undefined) return undefined;
      // The engine's own reader is laxer: it takes whatever this one takes.
      JSON.parse(TEXT.decode(bytes));
      const again = readJson(writeJson(value));
      assert.ok(again !== undefined && equalJson(again, value));
      return value;
    },
  };
}

function idTarget(): FuzzTarget {
  return {
    corpus: ["1-2", "18446744073709551615-0", "340282366920938463463374607431768211455", "0:3"]
      .map(utf8),
    feed: (bytes, random) => {
      const id = read(bytes, (text) => text);
      if (id === undefined) return undefined;
      const other = random.pick(["1-2", "5", "x", "", "99999999999999999999-1"]);
      const order = compareEventIds(id, other) + compareEventIds(other, id);
      assert.equal(Math.sign(order), 0);
      return eventIdKind(id);
    },
  };
}

async function datagramTarget(): Promise<FuzzTarget> {
  const clock = new ManualClock();
  let receive: DatagramHandler = () => {};
  let memory = new Uint8Array();
  const peer = { host: "10.0.0.1", port: 1 };
  const adapter = createNetAdapter({
    clock,
    openSocket: () => ({
      localAddress: { host: "10.0.0.2", port: 2 },
      counters: { sendErrors: 0, receiveErrors: 0 },
      start: (buffer, onDatagram) => {
        memory = buffer as Uint8Array<ArrayBuffer>;
        receive = onDatagram;
      },
      send: (_bytes, _to, onSent) => onSent(),
      close: () => {},
    }),
  }, { role: "responder", peer, psk: new Uint8Array(32), staticKey: createNoiseKeyPair() });
  await adapter.start();
  const handshake = new Uint8Array(116);
  handshake.set([0x45, 0x4e, 1, 0x10]);
  handshake[64] = 48;
  const heartbeat = new Uint8Array(84);
  heartbeat.set([0x45, 0x4e, 1, 0x20]);
  return {
    corpus: [handshake, heartbeat],
    feed: (bytes) => {
      const length = Math.min(bytes.length, memory.length);
      memory.set(bytes.subarray(0, length));
      const { events, malformed } = adapter.counters;
      receive(length, peer);
      // Nobody who does not know the secret gets an event in.
      assert.equal(adapter.counters.events, events);
      return adapter.counters.malformed === malformed ? length : undefined;
    },
    settle: () => clock.advance(1_000),
    stop: () => void adapter.stop(),
  };
}

function feedMessageTarget(): FuzzTarget {
  const key = { shard: 3, producerNonce: 5n, sequence: 1n << 60n };
  const corpus = [
    ...encodePieces(key, new Uint8Array(9_000).fill(7)),
    encodeFeedMessage({ kind: "kept", ...key }),
    encodeFeedMessage({ kind: "refused", ...key, refusal: "for_now", reason: "it is full" }),
    encodeFeedMessage({ kind: "flush", token: 9n }),
    encodeFeedMessage({ kind: "flushed", token: 9n }),
  ];
  return {
    corpus,
    feed: (bytes) => {
      const message = decodeFeedMessage(bytes);
      if (message === undefined || message.kind === "piece") return message;
      const again = decodeFeedMessage(encodeFeedMessage(message));
      assert.deepEqual(again, message);
      return message;
    },
  };
}

function feedNoteTarget(): FuzzTarget {
  const note = {
    source: 1n << 63n,
    shard: 3,
    producerNonce: 5n,
    next: 1n << 60n,
    firstSeq: 9n,
    records: 4,
    lastHash: 7n,
  };
  return {
    corpus: [encodeNote(note)],
    feed: (bytes) => {
      const read = decodeNote(bytes);
      if (read !== undefined) assert.deepEqual(encodeNote(read), bytes);
      return read;
    },
  };
}

function parcelTarget(): FuzzTarget {
  const events = [{ raw: utf8('{"n":1}'), insertionTs: 7n }, { raw: utf8(""), insertionTs: 8n }];
  return {
    corpus: [encodeParcel(events, 0, 2), encodeParcel(events, 1, 1)],
    feed: (bytes) => {
      const read = decodeParcel(bytes);
      if (read !== undefined) assertSame(encodeParcel(read, 0, read.length), bytes);
      return read;
    },
  };
}

/** Targets of this file by name. */
export const BUS_TARGETS: Readonly<Record<string, CreateTarget>> = {
  bus_cursor: cursorTarget,
  bus_cursor_json: cursorJsonTarget,
  bus_filter: filterTarget,
  bus_where: whereTarget,
  bus_json: jsonTarget,
  bus_event_id: idTarget,
  bus_net_datagram: datagramTarget,
  bus_feed_message: feedMessageTarget,
  bus_feed_note: feedNoteTarget,
  bus_parcel: parcelTarget,
};
