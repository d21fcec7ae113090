import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError } from "../../src/base/mod.ts";
import {
  CHUNK_BYTES,
  encodeBlobRef,
  encodeTransferHeader,
  encodeTransferRequest,
  RESOLVE_STREAM_ID,
  TRANSFER_SUBPROTOCOL,
  transferStreamId,
} from "../../src/blob/mod.ts";
import { blake3 } from "../../src/core/crypto/mod.ts";
import type { SendStream } from "../../src/core/transport/mod.ts";
import type { FakeLink } from "./fake_link.ts";
import { withMesh } from "./mesh_of_blobs.ts";
import { bytesSource, seededBytes } from "./sources.ts";

const HASH = blake3(seededBytes(10, 99));

/** Sends a raw request. */
function request(link: FakeLink, peer: bigint, nonce: number, hash: Uint8Array): bigint {
  const streamId = transferStreamId(BigInt(nonce));
  link.sendMessage(peer, TRANSFER_SUBPROTOCOL, streamId, encodeTransferRequest(hash));
  return streamId;
}

Deno.test("a holder answers as the wire wants it", () =>
  withMesh(async ({ nodes: [asker, holder], clock }) => {
    const bytes = seededBytes(8001);
    const { hash } = await holder.store.put(bytesSource(bytes));
    const seen: [number, number, number][] = [];
    const listen = (streamId: bigint) =>
      asker.link.openReceiveStream(2n, streamId, {
        onEvent: (sequence, payload, index) => void seen.push([sequence, payload.length, index]),
        onEnd: () => assert.fail("ended"),
      });
    const stop = [
      listen(request(asker.link, 2n, 1, hash)),
      listen(request(asker.link, 2n, 2, HASH)),
    ];
    await clock.advance(100);
    const headers = seen.filter(([sequence]) => sequence === 0).map(([, length]) => length);
    assert.deepEqual(headers.sort(), [1, 3]);
    assert.deepEqual(seen.filter(([sequence]) => sequence > 0), [[1, 8000, 0], [2, 1, 0]]);
    const { counters } = holder.transfer;
    assert.equal(counters.serves_completed_total, 1);
    assert.equal(counters.serves_not_found_total, 1);
    assert.equal(holder.link.streamsOpen, 0);
    for (const end of stop) end();
  }));

Deno.test("a holder drops and counts hostile messages", () =>
  withMesh(async ({ nodes: [asker, holder], clock }) => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 80 }),
        fc.constantFrom(RESOLVE_STREAM_ID, 0n, 7n, (1n << 64n) - 1n, transferStreamId(5n)),
        async (payload, streamId) => {
          asker.link.sendMessage(2n, TRANSFER_SUBPROTOCOL, streamId, payload);
          await clock.advance(5);
        },
      ),
      { numRuns: 300 },
    );
    const { counters } = holder.transfer;
    const taken = counters.messages_malformed_total + counters.requests_received_total +
      counters.resolve_questions_received_total + counters.resolve_answers_unasked_total;
    assert.equal(taken, 300);
    // A request on a stream that is none of a transfer is refused, whatever it says.
    const before = counters.messages_malformed_total;
    asker.link.sendMessage(2n, TRANSFER_SUBPROTOCOL, 7n, encodeTransferRequest(HASH));
    await clock.advance(5);
    assert.equal(counters.messages_malformed_total, before + 1);
  }));

Deno.test("a holder serves few at once, lets some wait, and drops the rest", () =>
  withMesh(async ({ nodes: [asker, holder], network, clock }) => {
    const { hash } = await holder.store.put(bytesSource(seededBytes(CHUNK_BYTES)));
    network.delayMs = 10;
    for (let nonce = 0; nonce < 100; nonce++) request(asker.link, 2n, nonce, hash);
    request(asker.link, 2n, 0, hash);
    await clock.advance(50);
    const { counters } = holder.transfer;
    assert.equal(counters.serves_active, 4);
    assert.equal(counters.serves_waiting, 32);
    assert.equal(counters.requests_over_limit_total, 64);
    assert.equal(counters.requests_duplicate_total, 1);
    await clock.advanceUntil(() => counters.serves_completed_total === 36, 60_000, 100);
    assert.equal(counters.serves_completed_total, 36);
    assert.equal(counters.serves_active + counters.serves_waiting, 0);
  }));

Deno.test("a holder gives up on a peer that takes nothing, and on one that is gone", () =>
  withMesh(async ({ nodes: [asker, holder], network, clock }) => {
    const { hash } = await holder.store.put(bytesSource(seededBytes(CHUNK_BYTES)));
    const { counters } = holder.transfer;
    for (let nonce = 0; nonce < 10; nonce++) request(asker.link, 2n, nonce, hash);
    await clock.advance(3);
    asker.link.isFrozen = true;
    await clock.advance(20_000);
    assert.equal(counters.serves_active, 4);
    await clock.advance(50_000);
    assert.equal(counters.serves_failed_total, 10);
    asker.link.isFrozen = false;
    for (let nonce = 10; nonce < 20; nonce++) request(asker.link, 2n, nonce, hash);
    await clock.advance(5);
    network.disconnect(asker.link, holder.link);
    await clock.advance(40_000);
    assert.equal(counters.serves_failed_total, 20);
    assert.equal(counters.serves_active + counters.serves_waiting, 0);
    assert.equal(holder.link.streamsOpen, 0);
  }));

Deno.test("stop() gives up what is served", () =>
  withMesh(async ({ nodes: [asker, holder], clock }) => {
    const { hash } = await holder.store.put(bytesSource(seededBytes(CHUNK_BYTES)));
    for (let nonce = 0; nonce < 10; nonce++) request(asker.link, 2n, nonce, hash);
    await clock.advance(3);
    holder.transfer.stop();
    await clock.advance(10);
    const { counters } = holder.transfer;
    assert.equal(counters.serves_failed_total, 10);
    assert.equal(counters.serves_active + counters.serves_waiting, 0);
    request(asker.link, 2n, 50, hash);
    await clock.advance(10);
    assert.equal(counters.requests_received_total, 10);
  }));

/** Plays a holder by hand at node 2. */
function playHolder(
  link: FakeLink,
  reply: (stream: SendStream) => void,
): { readonly requests: bigint[] } {
  const requests: bigint[] = [];
  link.onMessage(TRANSFER_SUBPROTOCOL, ({ from, streamId, payload }) => {
    if (payload[0] !== 0x00) return;
    requests.push(streamId);
    reply(link.openSendStream(from, streamId, { windowBytes: 256_000 }));
  });
  return { requests };
}

const found = (totalBytes: bigint) => encodeTransferHeader({ isFound: true, totalBytes });
const isCode = (code: string) => (error: unknown) =>
  error instanceof NetError && error.code === code;

Deno.test("fetchChunk() refuses a holder that breaks the rules, at once", () =>
  withMesh(async ({ nodes: [asker, holder], clock, run }) => {
    const replies: ((stream: SendStream) => void)[] = [
      (stream) => stream.trySend(Uint8Array.of(9)),
      (stream) => stream.trySend(found(1n << 60n)),
      (stream) => stream.trySend(found(17n * 1024n * 1024n)),
      (stream) => stream.trySend(found(11n)),
      (stream) => stream.trySend(found(10n)) && stream.trySend(new Uint8Array(11)),
      (stream) => stream.trySend(found(10n)) && stream.trySend(new Uint8Array(10)),
    ];
    for (const reply of replies) {
      const { requests } = playHolder(holder.link, reply);
      const startMs = clock.now();
      await assert.rejects(
        run(asker.transfer.fetchChunk(HASH, { expectedBytes: 10, peers: [2n] })),
        isCode("integrity"),
      );
      assert.equal(requests.length, 1);
      assert.ok(clock.now() - startMs < 100);
    }
    assert.equal(asker.transfer.counters.attempts_malformed_total, 5);
    assert.equal(asker.transfer.counters.attempts_wrong_hash_total, 1);
    assert.equal(asker.link.streamsOpen, 0);
  }));

Deno.test("fetchChunk() gives up a holder that stalls, even one that sends empty events", () =>
  withMesh(async ({ nodes: [asker, holder], clock, run }) => {
    const { requests } = playHolder(holder.link, (stream) => {
      stream.trySend(found(10n));
      stream.trySend(new Uint8Array(5));
      const drip = () => {
        stream.trySend(new Uint8Array(0));
        if (clock.now() < 60_000) clock.after(500, drip);
      };
      drip();
    });
    const startMs = clock.now();
    await assert.rejects(
      run(asker.transfer.fetchChunk(HASH, { expectedBytes: 10, peers: [2n] })),
      isCode("timeout"),
    );
    assert.equal(new Set(requests).size, 4);
    assert.deepEqual(asker.link.silences, [2n, 2n, 2n, 2n]);
    assert.ok(clock.now() - startMs < 15_000);
  }));

Deno.test("fetchChunk() distinguishes nobody, nobody connected, and lost on the way", () =>
  withMesh(async ({ nodes: [asker, holder], run }) => {
    await assert.rejects(run(asker.transfer.fetchChunk(HASH)), isCode("not_found"));
    assert.equal(asker.transfer.counters.attempts_not_found_total, 2);
    playHolder(holder.link, (stream) => stream.abort());
    await assert.rejects(
      run(asker.transfer.fetchChunk(HASH, { peers: [2n] })),
      isCode("unreachable"),
    );
    await assert.rejects(
      run(asker.transfer.fetchChunk(HASH, { peers: [9n] })),
      isCode("not_found"),
    );
  }));

Deno.test("fetchChunk() takes a chunk of 16 MiB", () =>
  withMesh(async ({ nodes: [asker, holder], run }) => {
    const bytes = new Uint8Array(16 * 1024 * 1024).fill(7);
    await holder.chunks.put(blake3(bytes), bytes);
    const got = await run(asker.transfer.fetchChunk(blake3(bytes)));
    assert.equal(got.peer, 2n);
    assert.deepEqual(got.bytes, bytes);
  }));

Deno.test("resolve() drops answers that are wrong or were not asked for", () =>
  withMesh(async ({ nodes: [asker, liar, honest], network, clock, run }) => {
    const blob = await honest.store.put(bytesSource(seededBytes(10)));
    const answer = (hash: Uint8Array, ref: Uint8Array) =>
      liar.link.sendMessage(
        1n,
        TRANSFER_SUBPROTOCOL,
        RESOLVE_STREAM_ID,
        new Uint8Array([0x11, ...hash, ...ref]),
      );
    // Before anybody asks.
    answer(blob.hash, blob.blobRef);
    await clock.advance(5);
    const { counters } = asker.transfer;
    assert.equal(counters.resolve_answers_unasked_total, 1);
    const other = new Uint8Array(32);
    const wrong = [
      encodeBlobRef({ kind: "small", uri: "", hash: other, size: 10 }),
      encodeBlobRef({
        kind: "tree",
        uri: "",
        encoding: { kind: "replicated" },
        rootHash: other,
        size: 1n,
        depth: 2,
      }),
      seededBytes(50),
      blob.blobRef.subarray(0, 30),
    ];
    network.fate = ({ kind, to, payload }) => {
      if (kind === "message" && to === 2n && payload[0] === 0x10) {
        for (const ref of wrong.splice(0)) answer(blob.hash, ref);
      }
      return kind === "message" && to === 3n && wrong.length > 0 ? "lose" : "deliver";
    };
    const resolved = await run(asker.transfer.resolve(blob.hash));
    assert.deepEqual(resolved, { ref: blob.ref, peer: 3n });
    await clock.advance(10);
    assert.ok(counters.resolve_answers_invalid_total + counters.resolve_answers_unasked_total >= 5);
  }));

Deno.test("resolve() asks again when the question is lost, and gives up in bounded time", () =>
  withMesh(async ({ nodes: [asker, , holder], network, clock, run }) => {
    const blob = await holder.store.put(bytesSource(seededBytes(10)));
    let questions = 0;
    network.fate = ({ kind, to }) =>
      kind === "message" && to === 3n && ++questions < 4 ? "lose" : "deliver";
    const resolved = await run(asker.transfer.resolve(blob.hash));
    assert.equal(resolved?.peer, 3n);
    assert.equal(questions, 4);
    const startMs = clock.now();
    assert.equal(await run(asker.transfer.resolve(HASH)), undefined);
    assert.ok(clock.now() - startMs < 1500);
    asker.link.setConnected(2n, false);
    asker.link.setConnected(3n, false);
    const aloneMs = clock.now();
    assert.equal(await run(asker.transfer.resolve(HASH)), undefined);
    assert.ok(clock.now() - aloneMs < 20);
  }));

Deno.test("resolve() can be aborted and is bounded in number", () =>
  withMesh(async ({ nodes: [asker], run }) => {
    const abort = new AbortController();
    const { signal } = abort;
    const open = Array.from(
      { length: 64 },
      (_, i) => asker.transfer.resolve(new Uint8Array(32).fill(i), { signal }),
    );
    await assert.rejects(asker.transfer.resolve(HASH), isCode("limit"));
    abort.abort(new Error("enough"));
    for (const work of open) await assert.rejects(work, /enough/);
    assert.equal(await run(asker.transfer.resolve(HASH)), undefined);
  }));

Deno.test("resolve() has a dead session found out and asks the peer again when it is back", () =>
  withMesh(async ({ nodes: [asker, holder], network, clock, run }) => {
    const blob = await holder.store.put(bytesSource(seededBytes(10)));
    holder.link.isFrozen = true;
    const { silences } = asker.link;
    const work = asker.transfer.resolve(blob.hash);
    await clock.advance(700);
    assert.ok(silences.includes(2n));
    holder.link.isFrozen = false;
    network.disconnect(asker.link, holder.link);
    network.connect(asker.link, holder.link);
    assert.equal((await run(work))?.peer, 2n);
  }));

Deno.test("a holder does not wait long for the acknowledgement of a reply's end", () =>
  withMesh(async ({ nodes: [asker, holder], network, clock }) => {
    const { hash } = await holder.store.put(bytesSource(seededBytes(100)));
    network.isAcknowledging = false;
    // More than may wait for it at once: the oldest make room.
    for (let nonce = 0; nonce < 300; nonce++) {
      request(asker.link, 2n, nonce, hash);
      await clock.advance(2);
    }
    const { counters } = holder.transfer;
    assert.equal(counters.requests_over_limit_total, 0);
    assert.equal(counters.serves_unconfirmed_total, 300 - 256);
    await clock.advance(2000);
    assert.equal(counters.serves_unconfirmed_total, 300);
    assert.equal(holder.link.streamsOpen, 0);
  }));
