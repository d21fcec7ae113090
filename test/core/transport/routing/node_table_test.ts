import assert from "node:assert/strict";
import fc from "fast-check";
import {
  Freshness,
  NodeTable,
  NodeWord,
} from "../../../../src/core/transport/routing/node_table.ts";

const AGE = 1_000;
const ALL = { isUsable: (_slot: number) => true };

function word(fields: Partial<NodeWord>): NodeWord {
  return Object.assign(new NodeWord(), { low: 7, high: 1, hops: 2, sentAtMs: 50_000 }, fields);
}

/** A table that was told by neighbour 0, two hops from node 7, sequence 10. */
function create(nodesMax?: number) {
  const table = new NodeTable({ maxAgeMs: AGE, nodesMax });
  const tell = (fields: Partial<NodeWord>, now = 0, hops = ALL) => {
    const said = word(fields);
    const freshness = table.judge(said, now);
    if (freshness === Freshness.New || freshness === Freshness.Copy) table.note(said, now, hops);
    return freshness;
  };
  tell({ sequenceLow: 10 });
  const node = () => table.nodes(BigInt)[0] ?? assert.fail();
  return { table, tell, node };
}

Deno.test("NodeTable.judge() tells newer, equal and older pingwaves apart, over 64 bits", () => {
  const { tell } = create();
  assert.equal(tell({ sequenceLow: 10 }), Freshness.Copy);
  assert.equal(tell({ sequenceLow: 9 }), Freshness.Stale);
  assert.equal(tell({ sequenceLow: 11 }), Freshness.New);
  assert.equal(tell({ sequenceLow: 0, sequenceHigh: 1 }), Freshness.New);
  assert.equal(tell({ sequenceLow: 0xffffffff }), Freshness.Stale);
});

Deno.test("NodeTable.note() replaces the way only by one that is not longer", () => {
  const { tell, node } = create();
  tell({ sequenceLow: 11, via: 1, hops: 3, latencyMs: 1, load: 5 });
  assert.deepEqual([node().via, node().hops, node().latencyMs], [0n, 2, 0]);
  assert.equal(node().load, 5, "what the node says of itself is fresh all the same");
  tell({ sequenceLow: 12, via: 1, hops: 2, latencyMs: 4 });
  assert.deepEqual([node().via, node().hops, node().latencyMs], [1n, 2, 4]);
  tell({ sequenceLow: 12, via: 2, hops: 1 });
  assert.deepEqual([node().via, node().hops], [2n, 1], "a copy that came a shorter way");
  tell({ sequenceLow: 12, via: 3, hops: 1 });
  assert.equal(node().via, 2n, "a copy that came as long a way was just later");
});

Deno.test("NodeTable changes nothing for an older pingwave with a shorter way", () => {
  const { tell, node } = create();
  assert.equal(tell({ sequenceLow: 3, via: 5, hops: 0, load: 200 }, 10), Freshness.Stale);
  assert.deepEqual([node().via, node().hops, node().load, node().seenAt], [0n, 2, 0, 0]);
});

Deno.test("NodeTable.judge() believes a restart by the time of sending, and a neighbour's own word", () => {
  const { tell } = create();
  assert.equal(tell({ sequenceLow: 1, sentAtMs: 51_000 }), Freshness.Stale);
  assert.equal(tell({ sequenceLow: 1, sentAtMs: 51_001 }), Freshness.New);
  assert.equal(tell({ sequenceLow: 2, sentAtMs: 51_002 }), Freshness.New);
  // Somebody makes a high sequence up: the neighbour itself is believed again at once.
  tell({ sequenceLow: 0, sequenceHigh: 0xffffffff, via: 3, sentAtMs: 1e12 });
  assert.equal(tell({ sequenceLow: 3, sentAtMs: 51_003 }), Freshness.Stale);
  assert.equal(tell({ sequenceLow: 3, sentAtMs: 51_003, isOwnWord: true }), Freshness.New);
  assert.equal(tell({ sequenceLow: 4, sentAtMs: 51_004 }), Freshness.New);
});

Deno.test("NodeTable.note() takes a longer way when the one it had is broken", () => {
  const { tell, node } = create();
  const without0 = { isUsable: (slot: number) => slot !== 0 };
  tell({ sequenceLow: 11, via: 1, hops: 6 }, 0, without0);
  assert.deepEqual([node().via, node().hops], [1n, 6]);
  // Or when nothing has come that way for long, though others keep the node fresh.
  for (let now = 0; now <= AGE; now += 100) tell({ sequenceLow: 12 + now, via: 2, hops: 9 }, now);
  assert.equal(node().via, 1n);
  tell({ sequenceLow: 5_000, via: 2, hops: 9 }, AGE + 1);
  assert.equal(node().via, 2n);
});

Deno.test("NodeTable forgets by age and by neighbour, and starts over with what comes then", () => {
  const { table, tell } = create();
  tell({ low: 8, sequenceLow: 1, via: 4 }, 500);
  table.sweep(AGE + 1);
  assert.equal(table.size, 1);
  table.forgetVia(4);
  assert.equal(table.size, 0);
  assert.equal(tell({ sequenceLow: 1 }, AGE + 2), Freshness.New);
});

Deno.test("NodeTable keeps its bounds, and leaves room for other neighbours' nodes", () => {
  const { table, tell } = create(10);
  for (let i = 0; i < 20; i++) tell({ low: 100 + i, via: 1, sequenceLow: 1 });
  assert.equal(table.size, 1 + 5);
  assert.equal(tell({ low: 200, via: 1, sequenceLow: 1 }), Freshness.NoRoom);
  for (let i = 0; i < 20; i++) tell({ low: 300 + i, via: 2 + i, sequenceLow: 1 });
  assert.equal(table.size, 10);
  assert.equal(tell({ low: 100, via: 1, sequenceLow: 2 }), Freshness.New, "known ones stay known");
});

Deno.test("NodeTable counts the nodes of a neighbour right, whatever happens", () => {
  const step = fc.record({
    low: fc.nat(8),
    via: fc.nat(3),
    hops: fc.nat(4),
    sequenceLow: fc.nat(20),
    waitMs: fc.nat(400),
    forget: fc.option(fc.nat(3), { freq: 8 }),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const table = new NodeTable({ maxAgeMs: AGE, nodesMax: 8 });
    let now = 0;
    for (const { waitMs, forget, ...fields } of steps) {
      now += waitMs;
      if (forget !== null) table.forgetVia(forget);
      table.sweep(now);
      const said = word({ ...fields, high: 0 });
      const freshness = table.judge(said, now);
      const vias = table.nodes(BigInt).filter(({ via }) => via === BigInt(fields.via)).length;
      const isKnown = table.nodes(BigInt).some(({ nodeId }) => nodeId === BigInt(fields.low));
      if (!isKnown) {
        assert.equal(freshness === Freshness.NoRoom, table.size >= 8 || vias >= 4);
      }
      if (freshness === Freshness.New || freshness === Freshness.Copy) table.note(said, now, ALL);
      assert.ok(table.size <= 8);
    }
  }));
});
