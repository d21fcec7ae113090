/** What clients of the control surface send: lines of JSON-RPC, and BTSP handshakes and frames. */
import assert from "node:assert/strict";
import { concatBytes, NetError, utf8 } from "../../../src/base/mod.ts";
import { frameLength, FrameOpener, FrameSealer } from "../../../src/control/btsp/cipher.ts";
import { FrameReader } from "../../../src/control/btsp/frame_reader.ts";
import { ClientHandshake, ServerHandshake } from "../../../src/control/btsp/handshake.ts";
import { deriveHandshakeKey } from "../../../src/control/btsp/keys.ts";
import { errorReply, foreignProtocol, readRpcLine } from "../../../src/control/json_rpc.ts";
import type { CreateTarget, FuzzTarget } from "../fuzz.ts";

const FRAME_BYTES_MAX = 4096;
const key = deriveHandshakeKey(utf8("fuzz"));
const random = (length: number) => new Uint8Array(length).fill(7);

function lineTarget(): FuzzTarget {
  return {
    corpus: [
      '{"jsonrpc":"2.0","method":"health.liveness","id":1}',
      '{"id":-1.50e3,"params":{"id":[1,{"id":2}]},"method":"a.b","jsonrpc":"2.0"}',
      '[{"jsonrpc":"2.0","method":"a.b","id":12345678901234567890},7,{"i\\u0064":"x"},["id",1]]',
      "GET / HTTP/1.1",
    ].map(utf8),
    feed: (bytes) => {
      foreignProtocol(bytes);
      const reading = readRpcLine(bytes);
      const members = reading.kind === "batch" ? reading.members : [reading];
      for (const { id } of members) {
        // What is echoed is JSON of a kind that an id may have, on one line.
        if (id === undefined) continue;
        const reply = errorReply(id, -32600, "x");
        assert.ok(!reply.includes("\n"));
        const echoed: unknown = JSON.parse(reply).id;
        assert.ok(echoed === null || ["string", "number"].includes(typeof echoed));
      }
      return members.some(({ kind }) => kind === "request") ? true : undefined;
    },
  };
}

function handshakeTarget(): FuzzTarget {
  const client = new ClientHandshake(key);
  const hello = client.hello();
  const list = JSON.stringify({ version: 1, client_ephemeral_pub: [...random(32)] });
  const answer = JSON.stringify({ response: [...random(32)], preferred_cipher: "null" });
  return {
    corpus: [hello, list, answer, '{"error":"handshake_failed","reason":"x"}'].map(utf8),
    feed: (bytes) => {
      const server = new ServerHandshake(key, random, true);
      const first = server.take(bytes);
      server.take(bytes);
      // Nobody gets in who does not know the seed.
      assert.equal(server.session, undefined);
      client.answer(bytes);
      client.finish(bytes);
      return first.kind === "send" ? true : undefined;
    },
  };
}

function frameTarget(): FuzzTarget {
  const running: Promise<void>[] = [];
  const message = utf8('{"jsonrpc":"2.0","method":"health.liveness","id":1}');
  return {
    corpus: [
      concatBytes(frameLength(message.length), message),
      new FrameSealer("chacha20", key).seal(message),
      new FrameSealer("hmac", key).seal(message),
      frameLength(0),
    ],
    feed: (bytes) => {
      running.push(readFrames(bytes));
      for (const cipher of ["chacha20", "hmac"] as const) {
        try {
          const opened = new FrameOpener(cipher, key).open(bytes.subarray(4));
          assert.deepEqual(opened, message);
        } catch (error) {
          assert.ok(error instanceof NetError && error.code === "integrity");
        }
      }
      return true;
    },
    settle: async () => void await Promise.all(running.splice(0)),
  };
}

/** However the bytes come, a frame is never longer than allowed, and the end is an end or an error of ours. */
async function readFrames(bytes: Uint8Array): Promise<void> {
  let offset = 0;
  const reader = new FrameReader({
    read: (into) => {
      if (offset >= bytes.length) return Promise.resolve(null);
      const part = bytes.subarray(offset, offset + Math.min(into.length, 7));
      into.set(part);
      offset += part.length;
      return Promise.resolve(part.length);
    },
    write: () => Promise.resolve(0),
  });
  try {
    for (let frame = await reader.read(FRAME_BYTES_MAX); frame !== undefined;) {
      assert.ok(frame.length <= FRAME_BYTES_MAX);
      frame = await reader.read(FRAME_BYTES_MAX);
    }
  } catch (error) {
    assert.ok(error instanceof NetError);
  }
  reader.release();
}

/** Targets of the control surface. */
export const CONTROL_TARGETS: Readonly<Record<string, CreateTarget>> = {
  control_line: lineTarget,
  btsp_handshake: handshakeTarget,
  btsp_frame: frameTarget,
};
