/** Decoders of larger values: announcements, tickets, addresses, blob references, transfer messages. */

import assert from "node:assert/strict";
import { NetError, PostcardReader, PostcardWriter } from "../../../src/base/mod.ts";
import {
  type BlobRef,
  CHUNK_BYTES,
  decodeBlobRef,
  decodeResolveMessage,
  decodeTransferHeader,
  decodeTransferRequest,
  encodeBlobRef,
  encodeResolveMessage,
  encodeTransferHeader,
  encodeTransferRequest,
  parseBlobTarget,
} from "../../../src/blob/mod.ts";
import {
  decodeAnnouncement,
  encodeAnnouncement,
  forwardAnnouncement,
  localAnnouncement,
  verifyAnnouncement,
} from "../../../src/core/capability/mod.ts";
import {
  createIdentity,
  createNoiseKeyPair,
  decodeTicket,
  encodeTicket,
} from "../../../src/core/crypto/mod.ts";
import { formatAddress, parseAddress } from "../../../src/core/transport/mod.ts";
import { decodeBenchMessage, encodeBenchMessage } from "../../../src/services/bench/wire.ts";
import { assertSame, type CreateTarget, type FuzzTarget } from "../fuzz.ts";
import { FuzzRandom } from "../fuzz_random.ts";

const random = new FuzzRandom(3);
const ENCODER = new TextEncoder();
const LATIN = new TextDecoder("latin1");
const identity = createIdentity(new Uint8Array(32).fill(1));
const HASH_BYTES = 32;
/** An announcement has lists of 64 ids and numbers that are bigints; a text has two bytes per letter. */
const RICH = { factor: 64, base: 4_096 };

function announcements(): readonly Uint8Array[] {
  return Array.from({ length: 16 }, (_, i) =>
    encodeAnnouncement(localAnnouncement({
      identity,
      tags: Array.from({ length: random.below(6) }, (_, n) => `tag.${n}@${random.below(9)}`),
      metadata: i % 2 === 0 ? [["model", 'é"\\\n']] : undefined,
      version: random.u64(),
      wallMs: 1_767_225_600_000 + random.below(1_000_000),
      reflexAddress: i % 3 === 0 ? "192.0.2.1:7000" : undefined,
      allowedNodes: i % 4 === 0 ? [random.u64()] : undefined,
      allowedSubnets: i % 5 === 0 ? [random.bytes(16)] : undefined,
      allowedGroups: i % 6 === 0 ? [random.bytes(32)] : undefined,
    })));
}

function announcementTarget(): FuzzTarget {
  return {
    corpus: announcements(),
    growth: RICH,
    feed: (bytes) => {
      const decoded = decodeAnnouncement(bytes);
      if (!decoded.ok) return undefined;
      const { announcement } = decoded;
      // What was accepted has one canonical form, which is a fixed point.
      let canonical: Uint8Array<ArrayBuffer>;
      try {
        canonical = encodeAnnouncement(announcement);
      } catch (error) {
        assert.ok(error instanceof NetError && error.code === "limit");
        return announcement;
      }
      const again = decodeAnnouncement(canonical);
      assert.ok(again.ok);
      assertSame(encodeAnnouncement(again.announcement), canonical);
      forwardAnnouncement(announcement);
      return announcement;
    },
  };
}

/** Forged announcements: only what the origin signed verifies. */
function signatureTarget(): FuzzTarget {
  const corpus = announcements();
  const signed = new Set(corpus.map((bytes) => signedPart(bytes)));
  return {
    corpus,
    growth: RICH,
    feed: (bytes) => {
      const decoded = decodeAnnouncement(bytes);
      if (!decoded.ok || verifyAnnouncement(decoded.announcement) !== undefined) return undefined;
      assert.ok(signed.has(signedPart(encodeAnnouncement(decoded.announcement))));
      return decoded.announcement;
    },
  };
}

/** The announcement without its hop count, which the signature does not cover. */
function signedPart(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replace(/,?"hop_count":\d+/, "");
}

function ticketTarget(): FuzzTarget {
  const ticket = {
    expiresAtSeconds: 0,
    entityId: identity.entityId,
    noisePublicKey: createNoiseKeyPair(new Uint8Array(32).fill(2)).publicKey,
    meshSecret: new Uint8Array(32).fill(3),
  };
  const texts = [
    encodeTicket({ ...ticket, addresses: [{ host: "192.0.2.1", port: 7000 }], label: "" }),
    encodeTicket({
      ...ticket,
      expiresAtSeconds: 1_900_000_000,
      addresses: [{ host: "2001:db8::1", port: 1 }, { host: "10.0.0.1", port: 65_535 }],
      label: "kitchen – 2",
    }),
  ];
  return {
    corpus: [...texts, texts[0]?.toUpperCase() ?? ""].map((text) => ENCODER.encode(text)),
    growth: RICH,
    feed: (bytes) => {
      const text = LATIN.decode(bytes);
      try {
        const decoded = decodeTicket(text, 1_800_000_000);
        assert.equal(encodeTicket(decoded), text.trim().toLowerCase());
        return decoded;
      } catch (error) {
        if (!(error instanceof NetError)) throw error;
        assert.match(error.code, /^ticket_/);
        // Its bytes are secret.
        assert.ok(bytes.length < 20 || !error.message.includes(text));
        return undefined;
      }
    },
  };
}

function addressTextTarget(): FuzzTarget {
  const texts = ["192.0.2.1:7000", "[2001:db8::1]:4000", "[::ffff:10.0.0.1]:1", "[::]:0"];
  return {
    corpus: texts.map((text) => ENCODER.encode(text)),
    feed: (bytes) => {
      const address = parseAddress(LATIN.decode(bytes));
      if (address !== undefined) assert.deepEqual(parseAddress(formatAddress(address)), address);
      return address;
    },
  };
}

function blobTargetTextTarget(): FuzzTarget {
  const hex = "0123456789abcdef".repeat(4);
  return {
    corpus: [hex, `mesh://${hex}`, `blake3:${hex}`].map((text) => ENCODER.encode(text)),
    feed: (bytes) => {
      try {
        return parseBlobTarget(LATIN.decode(bytes));
      } catch (error) {
        assert.ok(error instanceof NetError, String(error));
        return undefined;
      }
    },
  };
}

function drawRefs(): readonly BlobRef[] {
  const hash = random.bytes(HASH_BYTES);
  const chunk = (size: number) => ({ hash: random.bytes(HASH_BYTES), size });
  const encoding = { kind: "reed_solomon", data: 4, parity: 2 } as const;
  return [
    { kind: "small", uri: "mesh://x", hash, size: 3 },
    {
      kind: "manifest",
      uri: "mesh://y",
      encoding: { kind: "replicated" },
      chunks: [chunk(CHUNK_BYTES), chunk(5)],
      size: CHUNK_BYTES + 5,
    },
    { kind: "tree", uri: "mesh://z", encoding, rootHash: hash, size: 1n << 40n, depth: 2 },
  ];
}

function blobRefTarget(): FuzzTarget {
  return {
    corpus: drawRefs().map(encodeBlobRef),
    growth: RICH,
    feed: (bytes) => {
      const decoded = decodeBlobRef(bytes);
      if (!decoded.ok) return undefined;
      // Makers must keep limits that readers need not; what can be made comes back.
      let again: Uint8Array;
      try {
        again = encodeBlobRef(decoded.ref);
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
        return decoded;
      }
      assert.deepEqual(decodeBlobRef(again), decoded);
      return decoded;
    },
  };
}

function benchTarget(): FuzzTarget {
  const head = { run: 0xfedc_ba98, step: 3 };
  const spec = {
    way: "out",
    streams: 4,
    eventBytes: 1_024,
    windowBytes: 65_536,
    durationMs: 2_000,
  } as const;
  const figures = {
    isDone: false,
    isBroken: true,
    events: 5,
    bytes: 320,
    spanMs: 12.5,
    packets: 2,
    copies: 1,
  };
  return {
    corpus: [
      encodeBenchMessage({ ...head, kind: "open", runMs: 10_000 }),
      encodeBenchMessage({ ...head, kind: "step", spec }),
      encodeBenchMessage({ ...head, kind: "ask" }),
      encodeBenchMessage({ ...head, kind: "echo", number: 7, length: 64 }),
      encodeBenchMessage({ ...head, kind: "figures", figures }),
    ],
    growth: RICH,
    feed: (bytes) => {
      const message = decodeBenchMessage(bytes);
      if (message !== undefined) {
        assert.deepEqual(decodeBenchMessage(encodeBenchMessage(message)), message);
      }
      return message;
    },
  };
}

function transferTarget(): FuzzTarget {
  const hash = random.bytes(HASH_BYTES);
  return {
    corpus: [
      encodeTransferRequest(hash),
      encodeTransferHeader({ isFound: true, totalBytes: random.u64() }),
      encodeTransferHeader({ isFound: false }),
      encodeResolveMessage({ kind: "question", hash }),
      encodeResolveMessage({ kind: "answer", hash, ref: random.bytes(100) }),
      encodeResolveMessage({ kind: "pointer", hash, refHash: random.bytes(HASH_BYTES) }),
    ],
    feed: (bytes) => {
      const request = decodeTransferRequest(bytes);
      if (request !== undefined) {
        assertSame(encodeTransferRequest(request), bytes.subarray(0, 1 + HASH_BYTES));
      }
      const header = decodeTransferHeader(bytes);
      if (header !== undefined) {
        assert.deepEqual(decodeTransferHeader(encodeTransferHeader(header)), header);
      }
      const message = decodeResolveMessage(bytes);
      if (message !== undefined) assertSame(encodeResolveMessage(message), bytes);
      return request ?? header ?? message;
    },
  };
}

/** Reads in an order that the input itself chooses. */
function postcardTarget(): FuzzTarget {
  const draw = () => {
    const writer = new PostcardWriter();
    for (let i = random.below(6); i >= 0; i--) {
      writer.u8(random.below(256)).varint(random.u64()).text("é".repeat(random.below(9)));
      writer.byteVector(random.bytes(random.below(20))).varint(random.below(300));
    }
    return writer.finish();
  };
  return {
    corpus: Array.from({ length: 32 }, draw),
    growth: { factor: 64, base: 1_024 },
    feed: (bytes, input) => {
      const reader = new PostcardReader(bytes, input.below(3));
      const values: unknown[] = [];
      while (reader.remaining > 0 && values.length <= bytes.length) {
        const before = reader.remaining;
        values.push(readOne(reader, input.below(6)));
        assert.ok(reader.remaining <= before);
        if (reader.remaining === before && reader.failure === undefined) reader.u8();
      }
      if (reader.failure !== undefined) assert.equal(reader.remaining, 0);
      return values;
    },
  };
}

function readOne(reader: PostcardReader, kind: number): unknown {
  switch (kind) {
    case 0:
      return reader.u8();
    case 1: {
      const value = reader.u32();
      assert.ok(Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff);
      return value;
    }
    case 2: {
      const value = reader.u64();
      assert.ok(value >= 0n && value < 1n << 64n);
      return value;
    }
    case 3:
      return reader.byteVector();
    case 4:
      return reader.text();
    default:
      return reader.count(33);
  }
}

/** The table of this area. */
export const VALUE_TARGETS: Readonly<Record<string, CreateTarget>> = {
  announcement: announcementTarget,
  announcement_signature: signatureTarget,
  ticket: ticketTarget,
  address_text: addressTextTarget,
  blob_target_text: blobTargetTextTarget,
  blob_ref: blobRefTarget,
  transfer_message: transferTarget,
  bench_message: benchTarget,
  postcard: postcardTarget,
};
