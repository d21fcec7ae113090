import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError } from "../../../../src/base/mod.ts";
import { PacketStore } from "../../../../src/core/transport/streams/packet_store.ts";
import { ReceiveState } from "../../../../src/core/transport/streams/receive_state.ts";
import {
  ReorderBudget,
  ReorderBuffer,
} from "../../../../src/core/transport/streams/reorder_buffer.ts";

const PACKET = 8_108;

/** A store that spoils what is given back. */
class SpoilingStore extends PacketStore {
  constructor(chunks = 16) {
    let taken = 0;
    super({
      memory: new Uint8Array(chunks * 65_536),
      allocate: (bytes) => {
        if (taken + bytes > chunks * 65_536) throw new RangeError("exhausted");
        taken += bytes;
        return taken - bytes;
      },
    });
  }
  override release(at: number): void {
    this.memory.fill(0xee, at, at + 64);
    super.release(at);
    assert.ok(this.piecesUsed >= 0);
  }
}

interface Options {
  readonly packetsMax?: number;
  readonly bytesMax?: number;
  readonly gapMs?: number;
  readonly budgetBytes?: number;
  readonly chunks?: number;
  readonly onDeliver?: (sequence: number) => void;
}

function create(options: Options = {}) {
  const store = new SpoilingStore(options.chunks);
  const budget = new ReorderBudget(options.budgetBytes);
  const delivered: { sequence: number; bytes: Uint8Array; count: number }[] = [];
  const buffer = new ReorderBuffer({
    store,
    budget,
    deliver: (sequence, memory, at, length, count) => {
      delivered.push({ sequence, bytes: memory.slice(at, at + length), count });
      options.onDeliver?.(sequence);
    },
  }, { packetsMax: options.packetsMax ?? 128, ...options });
  return { buffer, store, budget, delivered };
}

/** Packets have sizes on both sides of what is pooled, and content of their own. */
function packetOf(sequence: number): Uint8Array {
  const length = sequence % 3 === 0 ? 2_048 + sequence : sequence % 100;
  return Uint8Array.from({ length }, (_, i) => (sequence * 7 + i) & 0xff);
}

function push(buffer: ReorderBuffer, sequence: number, now = 0): boolean {
  const memory = new Uint8Array(PACKET + 10).fill(0xdd);
  const bytes = packetOf(sequence);
  memory.set(bytes, 5);
  if (!buffer.admits(sequence, bytes.length)) return false;
  const isNew = buffer.push(sequence, memory, 5, bytes.length, sequence & 0xff, now);
  memory.fill(0xcc); // Views are transient: nothing may refer to the memory later.
  return isNew;
}

Deno.test("ReorderBuffer.push() delivers any arrivals once and in order", () => {
  const arrivals = fc.array(fc.nat(40), { maxLength: 200 });
  fc.assert(
    fc.property(arrivals, (sequences) => {
      const { buffer, delivered, store, budget } = create();
      const state = new ReceiveState({ isReliable: true });
      const seen = new Set<number>();
      for (const sequence of sequences) {
        const { length } = packetOf(sequence);
        assert.ok(buffer.admits(sequence, length));
        const verdict = state.accept(sequence, 84 + length);
        if (verdict === "accepted") assert.ok(push(buffer, sequence));
        if (verdict === "duplicate") assert.ok(!push(buffer, sequence));
        if (verdict === "accepted") seen.add(sequence);
        assert.equal(buffer.nextSequence, state.nextExpected);
        assert.equal(buffer.packets, seen.size - state.nextExpected);
      }
      assert.deepEqual(delivered.map((packet) => packet.sequence), [
        ...Array(state.nextExpected).keys(),
      ]);
      for (const { sequence, bytes, count } of delivered) {
        assert.deepEqual(bytes, packetOf(sequence));
        assert.equal(count, sequence);
      }
      const waiting = [...seen].filter((sequence) => sequence >= state.nextExpected);
      const bytes = waiting.reduce((sum, sequence) => sum + packetOf(sequence).length, 0);
      assert.equal(buffer.bytes, bytes);
      assert.equal(budget.bytes, bytes);
      assert.equal(buffer.discard(), waiting.length);
      assert.equal(budget.bytes, 0);
      assert.equal(store.piecesUsed, 0);
    }),
    { numRuns: 200 },
  );
});

Deno.test("ReorderBuffer.admits() refuses what there is no room for, never what comes next", () => {
  const { buffer } = create({ packetsMax: 8, bytesMax: 5_000 });
  assert.ok(buffer.admits(8, 10));
  assert.ok(!buffer.admits(9, 10));
  assert.ok(buffer.admits(0, PACKET));
  assert.ok(push(buffer, 3));
  assert.ok(!buffer.admits(6, 2_950), "bytes");
  assert.ok(buffer.admits(3, 8_000), "repeated");
  assert.equal(buffer.refusedTotal, 2);
});

Deno.test("ReorderBuffer shares a budget with other streams", () => {
  const { buffer, budget } = create({ budgetBytes: 3_000 });
  const other = new ReorderBuffer({ store: new SpoilingStore(), budget, deliver: () => {} }, {
    packetsMax: 128,
  });
  push(buffer, 3);
  assert.ok(!other.admits(1, 1_000));
  buffer.discard();
  assert.ok(other.admits(1, 1_000));
});

Deno.test("ReorderBuffer.checkGap() names the packet that is missing for too long", () => {
  const { buffer } = create({ gapMs: 1_000 });
  push(buffer, 0, 0);
  assert.equal(buffer.checkGap(9_000), undefined);
  push(buffer, 2, 100);
  push(buffer, 4, 900);
  assert.equal(buffer.checkGap(1_099), undefined);
  const error = buffer.checkGap(1_100);
  assert.ok(error instanceof NetError && error.code === "timeout");
  assert.deepEqual(error.data, { missing: 1, waiting: 2 });
  push(buffer, 1, 1_100);
  assert.equal(buffer.checkGap(2_099), undefined, "another packet is missing since then");
  assert.equal(buffer.checkGap(2_100)?.data?.missing, 3);
  push(buffer, 3, 2_200);
  assert.equal(buffer.checkGap(99_000), undefined);
});

Deno.test("ReorderBuffer.push() may be called by the reader", () => {
  const created: { buffer?: ReorderBuffer } = {};
  const { buffer, delivered } = create({
    onDeliver: (sequence) => {
      if (sequence < 20) push(created.buffer ?? assert.fail(), sequence + 1);
    },
  });
  created.buffer = buffer;
  push(buffer, 0);
  assert.deepEqual(delivered.map(({ sequence }) => sequence), [...Array(21).keys()]);
});

Deno.test("ReorderBuffer.discard() by the reader ends delivery at once", () => {
  const created: { buffer?: ReorderBuffer } = {};
  const { buffer, delivered, store } = create({
    onDeliver: (sequence) => {
      if (sequence === 3) created.buffer?.discard();
    },
  });
  created.buffer = buffer;
  for (const sequence of [1, 2, 3, 4, 6, 0]) push(buffer, sequence);
  assert.equal(delivered.length, 4);
  assert.equal(store.piecesUsed, 0);
  assert.ok(!push(buffer, 4));
});

Deno.test("ReorderBuffer goes on after a reader that throws", () => {
  let isThrowing = true;
  const { buffer, delivered, store } = create({
    onDeliver: (sequence) => {
      if (sequence === 1 && isThrowing) throw new Error("reader failed");
    },
  });
  push(buffer, 1);
  push(buffer, 2);
  push(buffer, 3);
  assert.throws(() => push(buffer, 0), /reader failed/);
  isThrowing = false;
  push(buffer, 5);
  assert.deepEqual(delivered.map(({ sequence }) => sequence), [0, 1, 2, 3]);
  push(buffer, 4);
  assert.equal(delivered.length, 6);
  assert.equal(store.piecesUsed, 0);
});

Deno.test("ReorderBuffer.admits() refuses what the store has no room for", () => {
  const { buffer, store, delivered } = create({ chunks: 1, packetsMax: 64, bytesMax: 1e9 });
  // One chunk holds eight large pieces.
  const admitted = [3, 6, 9, 12, 15, 18, 21, 24, 27, 30].filter((sequence) =>
    push(buffer, sequence)
  );
  assert.equal(admitted.length, 8);
  assert.equal(store.piecesUsed, 8);
  assert.ok(push(buffer, 0));
  assert.equal(buffer.discard(), 8);
  assert.equal(store.piecesUsed, 0);
  assert.deepEqual(delivered.map(({ sequence }) => sequence), [0]);
});
