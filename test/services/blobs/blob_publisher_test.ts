import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { createBlobStore, createMemoryChunkStore } from "../../../src/blob/mod.ts";
import { openLedger } from "../../../src/core/ledger/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import {
  BlobPublisher,
  type BlobPublisherDeps,
  formatBlobToken,
  parseBlobToken,
} from "../../../src/services/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { bytesOf, sourceOf } from "./blob_mesh_kit.ts";

/** A publisher over a store in memory; what it did is in `did`, in order. */
async function withPublisher(
  action: (
    made: {
      readonly publisher: BlobPublisher;
      readonly hash: Uint8Array;
      readonly blobRef: Uint8Array;
      readonly did: string[];
    },
  ) => Promise<void>,
  changes: Partial<BlobPublisherDeps> = {},
): Promise<void> {
  const ledger = openLedger({ path: ":memory:" });
  const chunks = createMemoryChunkStore({ bytesMax: 1_000_000 });
  const store = await createBlobStore({ ledger, chunks, clock: new ManualClock(), log: silentLog });
  const { hash, blobRef } = await store.put(sourceOf(bytesOf(1_000)));
  const did: string[] = [];
  const publisher = new BlobPublisher({
    store,
    logs: {
      append: (channel, [event], options) => {
        assert.deepEqual(event, blobRef);
        did.push(`append ${channel}${options?.isDurable ? " durably" : ""}`);
        const token = { origin: 7n, seq: 3n };
        const [first, last, nextSeq, persistedSeq] = [3n, 3n, 4n, 4n];
        return Promise.resolve({ first, last, count: 1, token, nextSeq, persistedSeq });
      },
      openExisting: () => Promise.reject(new NetError("not_found", "Cannot open log: none")),
    },
    state: {
      whenFolded: (channel, seq) => Promise.resolve(void did.push(`fold ${channel} ${seq}`)),
    },
    replicas: {
      replicate: (address, { peers }) => {
        did.push(`replicate ${peers}`);
        const receipt = {
          isReached: true,
          peersWanted: peers,
          refused: [],
          chunks: 1,
          size: 1_000,
        };
        return Promise.resolve({ ...receipt, address, holders: [1n, 2n], elapsedMs: 0 });
      },
    },
    channels: {
      publish: (name) => {
        did.push(`publish ${name}`);
        const report = { events: 1, refused: 0, attempted: 1, delivered: 1, errors: [] };
        return Promise.resolve(report);
      },
    },
    ...changes,
  });
  try {
    await action({ publisher, hash, blobRef, did });
  } finally {
    await ledger.close();
  }
}

Deno.test("publish() appends the reference only when the copies are there", () =>
  withPublisher(async ({ publisher, hash, did }) => {
    const options = { place: "log", channel: "films", peers: 2 } as const;
    const { token, receipt } = await publisher.publish(hash, options);
    assert.deepEqual(did, ["replicate 2", "append films durably"]);
    assert.deepEqual(receipt?.holders, [1n, 2n]);
    assert.deepEqual(parseBlobToken(formatBlobToken(token)), token);
    const published = await publisher.publish(hash, { place: "channel", channel: "films" });
    assert.equal(published.report?.delivered, 1);
    assert.equal(published.token.event, undefined);
    assert.deepEqual(did.slice(2), ["publish films"]);
  }));

Deno.test("publish() that misses its copies publishes nothing", () =>
  withPublisher(async ({ publisher, hash, did }) => {
    const options = { place: "log", channel: "films", peers: 2 } as const;
    await assert.rejects(publisher.publish(hash, options), { code: "timeout" });
    await assert.rejects(publisher.publish(new Uint8Array(32), options), { code: "not_found" });
    assert.deepEqual(did, []);
  }, {
    replicas: { replicate: () => Promise.reject(new NetError("timeout", "Cannot: too few")) },
  }));

Deno.test("publish() without a mesh works for the log alone", () =>
  withPublisher(async ({ publisher, hash, did }) => {
    await publisher.publish(hash, { place: "log", channel: "films" });
    assert.deepEqual(did, ["append films durably"]);
    for (const more of [{ place: "channel" }, { place: "log", peers: 1 }] as const) {
      const asked = publisher.publish(hash, { channel: "films", ...more });
      await assert.rejects(asked, { code: "not_ready" });
    }
  }, { replicas: undefined, channels: undefined }));

Deno.test("wait() syncs the log, waits for folds, and for the copies", async () => {
  const did: string[] = [];
  const file = {
    nextSeq: 4n,
    persistedSeq: 3n,
    sync: () => Promise.resolve(void did.push("sync")),
  };
  await withPublisher(async ({ publisher, hash, did: more }) => {
    const options = { place: "log", channel: "films", peers: 1 } as const;
    const { token } = await publisher.publish(hash, options);
    more.length = 0;
    assert.equal((await publisher.wait(token))?.isReached, true);
    assert.deepEqual([...did, ...more], ["sync", "fold films 3", "replicate 1"]);
    const later = { ...token, event: { channel: "films", token: { origin: 7n, seq: 9n } } };
    await assert.rejects(publisher.wait(later), { code: "not_found" });
    await assert.rejects(publisher.wait({ ...token, address: new Uint8Array(32) }), {
      code: "not_found",
    });
  }, {
    logs: {
      append: () => {
        const token = { origin: 7n, seq: 3n };
        const [first, last, nextSeq, persistedSeq] = [3n, 3n, 4n, 3n];
        return Promise.resolve({ first, last, count: 1, token, nextSeq, persistedSeq });
      },
      // The part of a file that waiting uses.
      openExisting: () => Promise.resolve(file as never),
    },
  });
});

Deno.test("parseBlobToken() takes nothing else", () => {
  const hex = "ab".repeat(32);
  for (
    const text of [
      "",
      "blob1",
      `blob2~${hex}~1`,
      `blob1~${hex.slice(2)}~1`,
      `blob1~${hex}~255`,
      `blob1~${hex}~x`,
      `blob1~${hex}~1~films`,
      `blob1~${hex}~1~FILMS~${"0".repeat(16)}:1`,
      "x".repeat(600),
    ]
  ) assert.equal(parseBlobToken(text), undefined, text.slice(0, 80));
  assert.equal(parseBlobToken(`blob1~${hex}~0`)?.peers, 0);
});
