import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type AnyFoldEnvelope,
  Fold,
  FOLD_RULES,
  type FoldEnvelope,
  type FoldKindNumber,
  type FoldRules,
  holderOf,
  type ReservationState,
} from "../../../../src/core/capability/mod.ts";
import { islandOf, membershipOf, reservationOf, routeOf } from "./fold_samples.ts";

const NOW = { nowMs: 0, wallUs: 1_000n };

/** What each key stands at after statements came in this order. */
function foldAll<Kind extends FoldKindNumber>(
  rules: FoldRules<Kind>,
  envelopes: readonly FoldEnvelope<Kind>[],
): string {
  const fold = new Fold(rules, { nodeId: 0n });
  for (const envelope of envelopes) fold.apply(envelope, NOW);
  const rows = [...fold.values(0)].map(({ key, envelope }) =>
    `${key}: ${envelope.nodeId}@${envelope.generation}`
  );
  return rows.sort().join(", ");
}

const shuffled = <T>(items: readonly T[]) =>
  fc.shuffledSubarray([...items], { minLength: items.length, maxLength: items.length });

const nodeId = fc.bigInt({ min: 1n, max: 3n });
const generation = fc.bigInt({ min: 1n, max: 5n });

Deno.test("membership rules bring replicas together, whatever the order", () => {
  const statement = fc.record({ nodeId, generation, classHash: fc.bigInt({ min: 0n, max: 1n }) });
  const orders = fc.array(statement, { maxLength: 12 })
    .map((heads) => heads.map((head) => membershipOf(head)))
    .chain((envelopes) => fc.tuple(shuffled(envelopes), shuffled(envelopes)));
  fc.assert(fc.property(orders, ([left, right]) => {
    assert.equal(foldAll(FOLD_RULES[1], left), foldAll(FOLD_RULES[1], right));
  }));
});

Deno.test("island rules bring replicas together, whatever the order of one host's statements", () => {
  // Two hosts that claim one id are not promised to agree: who came first keeps it.
  const statement = fc.record({ nodeId, generation });
  const orders = fc.array(statement, { maxLength: 12 })
    .map((heads) => heads.map((head) => islandOf(head, { id: head.nodeId + 100n })))
    .chain((envelopes) => fc.tuple(shuffled(envelopes), shuffled(envelopes)));
  fc.assert(fc.property(orders, ([left, right]) => {
    assert.equal(foldAll(FOLD_RULES[4], left), foldAll(FOLD_RULES[4], right));
  }));
});

Deno.test("route rules find the lowest metric, whatever the order of the publishers", () => {
  const metrics = fc.uniqueArray(fc.nat(50), { minLength: 1, maxLength: 6 });
  const orders = metrics.map((list) =>
    list.map((metric, i) => routeOf({ nodeId: BigInt(i + 1) }, { metric }))
  ).chain((envelopes) => fc.tuple(shuffled(envelopes), shuffled(envelopes)));
  fc.assert(fc.property(orders, ([left, right]) => {
    const best = left.reduce((low, one) => one.payload.metric < low.payload.metric ? one : low);
    assert.equal(foldAll(FOLD_RULES[2], left), `50: ${best.nodeId}@1`);
    assert.equal(foldAll(FOLD_RULES[2], right), foldAll(FOLD_RULES[2], left));
  }));
});

Deno.test("route rules let a publisher change its mind, and others only do better", () => {
  const rules = FOLD_RULES[2];
  const known = routeOf({ nodeId: 1n, generation: 2n }, { metric: 5 });
  const judge = (head: Partial<AnyFoldEnvelope>, metric: number) =>
    rules.replace(known, routeOf(head, { metric }), 0n);
  assert.equal(judge({ nodeId: 1n, generation: 3n }, 99), undefined);
  assert.equal(judge({ nodeId: 1n, generation: 2n }, 1), "stale");
  assert.equal(judge({ nodeId: 2n, generation: 1n }, 5), undefined);
  assert.equal(judge({ nodeId: 2n, generation: 9n }, 6), "worse");
});

Deno.test("island rules take a host's own word only", () => {
  const rules = FOLD_RULES[4];
  const known = islandOf({ nodeId: 1n, generation: 2n });
  assert.equal(rules.admit(known), undefined);
  assert.equal(rules.admit(islandOf({ nodeId: 1n }, { host: 2n })), "host");
  assert.equal(rules.replace(known, islandOf({ nodeId: 1n, generation: 3n }), 0n), undefined);
  assert.equal(rules.replace(known, islandOf({ nodeId: 1n, generation: 2n }), 0n), "stale");
  assert.equal(rules.replace(known, islandOf({ nodeId: 2n, generation: 9n }), 0n), "owner");
});

const FREE: ReservationState = { kind: "free" };
const reserved = (holder: bigint, untilUs = 2_000n): ReservationState => ({
  kind: "reserved",
  holder,
  untilUs,
});
const active = (holder: bigint): ReservationState => ({ kind: "active", holder, jobId: 7n });

/** What the rules say of `to` after `from`. */
function move(
  from: ReservationState,
  to: ReservationState,
  { publisher = 1n, generation = 2n, wallUs = 1_000n } = {},
): string | undefined {
  const known = reservationOf({ nodeId: 1n, generation: 1n }, from);
  const incoming = reservationOf({ nodeId: publisher, generation }, to);
  const rules = FOLD_RULES[3];
  return rules.admit(incoming) ?? rules.replace(known, incoming, wallUs);
}

Deno.test("reservation rules let the publisher go from state to state", () => {
  const states = { free: FREE, reserved: reserved(1n), active: active(1n) };
  const legal = new Set([
    "free reserved",
    "free active",
    "reserved free",
    "reserved reserved",
    "reserved active",
    "active free",
    "active active",
  ]);
  for (const [from, left] of Object.entries(states)) {
    for (const [to, right] of Object.entries(states)) {
      const verdict = legal.has(`${from} ${to}`) ? undefined : "transition";
      assert.equal(move(left, right), verdict, `${from} to ${to}`);
      assert.equal(move(left, right, { generation: 1n }), "stale");
    }
  }
});

Deno.test("reservation rules let others take what is free, and what is over", () => {
  const other = { publisher: 2n, generation: 1n };
  assert.equal(move(FREE, reserved(2n), other), undefined);
  assert.equal(move(FREE, active(2n), other), undefined);
  assert.equal(move(FREE, FREE, other), undefined);
  assert.equal(move(reserved(1n), reserved(2n), other), "held");
  assert.equal(move(reserved(1n), reserved(2n), { ...other, wallUs: 1_999n }), "held");
  assert.equal(move(reserved(1n), reserved(2n), { ...other, wallUs: 2_000n }), undefined);
  assert.equal(move(reserved(1n), active(2n), { ...other, wallUs: 2_000n }), "held");
  assert.equal(move(reserved(1n), FREE, { ...other, wallUs: 2_000n }), "held");
  assert.equal(move(active(1n), reserved(2n), { ...other, wallUs: 9_000n }), "held");
  assert.equal(move(active(1n), FREE, other), "held");
});

Deno.test("reservation rules take nobody's word for another holder", () => {
  for (const from of [FREE, reserved(1n), active(1n)]) {
    assert.equal(move(from, reserved(2n)), "holder");
    assert.equal(move(from, active(2n)), "holder");
    assert.equal(move(from, reserved(1n), { publisher: 2n }), "holder");
  }
  const first = reservationOf({ nodeId: 1n }, reserved(2n));
  assert.equal(FOLD_RULES[3].admit(first), "holder");
});

Deno.test("reservation rules never take a resource from a holder whose time is not over", () => {
  const state = fc.oneof(
    fc.constant("free" as const),
    fc.constant("active" as const),
    fc.bigInt({ min: 0n, max: 100n }),
  );
  const step = fc.record({
    nodeId,
    generation: fc.bigInt({ min: 1n, max: 30n }),
    state,
    passedUs: fc.bigInt({ min: 0n, max: 30n }),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    const fold = new Fold(FOLD_RULES[3], { nodeId: 0n });
    let wallUs = 0n;
    for (const { nodeId, generation, state, passedUs } of steps) {
      wallUs += passedUs;
      const to = state === "free"
        ? FREE
        : state === "active"
        ? active(nodeId)
        : reserved(nodeId, state);
      const before = fold.get(5n, 0)?.envelope;
      const outcome = fold.apply(reservationOf({ nodeId, generation }, to), { nowMs: 0, wallUs });
      const holder = before && holderOf(before.payload.state);
      if (outcome.kind === "rejected" || before === undefined || holder === undefined) continue;
      const { state: from } = before.payload;
      const isOver = from.kind === "reserved" && wallUs >= from.untilUs;
      assert.ok(holder === nodeId || isOver, "a holder keeps what it has");
      if (before.nodeId === nodeId) assert.ok(generation > before.generation);
    }
  }));
});
