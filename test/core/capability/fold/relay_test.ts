import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type AnyFoldEnvelope,
  decodeRelayedFold,
  encodeFoldEnvelope,
  encodeRelayedFold,
  type FoldReach,
  FoldRelay,
  FoldSet,
  type RelayVerdict,
} from "../../../../src/core/capability/mod.ts";
import type { Identity } from "../../../../src/core/crypto/mod.ts";
import { ManualClock } from "../../../sim/manual_clock.ts";
import { identityOf } from "../samples.ts";
import { islandOf, signedBy } from "./fold_samples.ts";

const ME = identityOf(9);
const NEIGHBOR = 7n;
const origin = identityOf(1);

function start(reach?: FoldReach) {
  const clock = new ManualClock();
  const folds = new FoldSet({ clock }, { nodeId: ME.nodeId });
  const relay = new FoldRelay({ clock, folds, reach }, ME.nodeId);
  const nowUs = () => BigInt(Math.round(clock.wallMs() * 1000));
  /** An island of `by`, signed `ageMs` ago. */
  const island = (generation: bigint, { by = origin, ageMs = 0, id = 1n } = {}) =>
    signedBy(
      by,
      islandOf(
        { nodeId: by.nodeId, generation, announcedAtUs: nowUs() - BigInt(ageMs) * 1000n },
        { id },
      ),
    );
  const relayed = (envelope: AnyFoldEnvelope, { hops = 1, by = origin, from = NEIGHBOR } = {}) =>
    outcome(relay.receiveRelayed(frame(envelope, hops, by), from));
  return { clock, folds, relay, island, relayed };
}

function frame(envelope: AnyFoldEnvelope, hops: number, publisher: Identity): Uint8Array {
  const bytes = encodeFoldEnvelope(envelope);
  const encoded = encodeRelayedFold({ hops, publisher: publisher.entityId, envelope: bytes });
  return encoded ?? new Uint8Array(0);
}

/** What became of it in one word. */
function outcome(result: RelayVerdict): string {
  if (result.kind === "dropped") return result.reason;
  if (result.verdict.kind !== "applied") return result.verdict.reason;
  return result.forward === undefined ? "applied" : "passed on";
}

/** Counters that must add up. */
function assertCounted(relay: FoldRelay): void {
  const { receivedTotal, takenTotal, dropped } = relay.counters;
  const drops = Object.values(dropped).reduce((sum, count) => sum + count, 0);
  assert.equal(receivedTotal, takenTotal + drops);
}

Deno.test("encodeRelayedFold() round-trips, and nothing else is a frame", () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 50 });
  const publisher = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(fc.property(fc.integer({ min: 1, max: 15 }), publisher, bytes, (hops, key, rest) => {
    const encoded = encodeRelayedFold({ hops, publisher: key, envelope: rest });
    const decoded = decodeRelayedFold(encoded ?? new Uint8Array(0));
    assert.equal(decoded?.hops, hops);
    assert.equal(decoded?.publisher.toHex(), key.toHex());
    assert.equal(decoded?.envelope.toHex(), rest.toHex());
  }));
  const good = Uint8Array.of(1, 1, ...new Uint8Array(33));
  assert.ok(decodeRelayedFold(good) !== undefined);
  for (const bad of [[0, 1], [2, 1], [1, 0], [1, 16]]) {
    assert.equal(decodeRelayedFold(Uint8Array.of(...bad, ...new Uint8Array(33))), undefined);
  }
  assert.equal(decodeRelayedFold(good.subarray(0, 34)), undefined);
  assert.equal(decodeRelayedFold(new Uint8Array(8_105).fill(1)), undefined);
  const long = { hops: 1, publisher: new Uint8Array(32), envelope: new Uint8Array(8_071) };
  assert.equal(encodeRelayedFold(long), undefined);
});

Deno.test("FoldRelay passes on what is new, once, with one hop more", () => {
  const { relay, folds, island, relayed } = start();
  const first = island(1n);
  const bytes = encodeFoldEnvelope(first);
  const direct = relay.receiveDirect(bytes, origin.entityId);
  assert.ok(direct.kind === "taken" && direct.forward !== undefined);
  const { forward } = direct;
  assert.deepEqual(forward.bytes, frame(first, 1, origin));
  assert.deepEqual([forward.kind, forward.publisher, forward.turn], [4, origin.nodeId, 1]);
  // Its copies come back from all sides.
  assert.equal(relayed(first, { hops: 2 }), "seen");
  assert.equal(relayed(first, { hops: 3, from: 8n }), "seen");
  const second = relay.receiveRelayed(frame(island(2n), 4, origin), NEIGHBOR);
  assert.ok(second.kind === "taken" && second.forward !== undefined);
  assert.equal(decodeRelayedFold(second.forward.bytes)?.hops, 5);
  assert.equal(relayed(island(3n), { hops: 15 }), "applied");
  assert.equal(relay.counters.farTotal, 1);
  assert.equal(folds.islands.get(1n, folds.time().nowMs)?.envelope.generation, 3n);
  assertCounted(relay);
});

Deno.test("FoldRelay believes no relay", () => {
  const { relay, folds, island, relayed } = start();
  const thief = identityOf(2);
  const good = island(1n);
  assert.equal(relayed(good, { by: thief }), "signature");
  assert.equal(relayed({ ...good, generation: 9n }), "signature");
  assert.equal(relayed(island(1n, { by: ME }), { by: ME }), "own");
  assert.equal(outcome(relay.receiveRelayed(Uint8Array.of(1, 1, 1), NEIGHBOR)), "malformed");
  const shorn = frame(good, 1, origin).subarray(0, 60);
  assert.equal(outcome(relay.receiveRelayed(shorn, NEIGHBOR)), "malformed");
  assert.equal(folds.islands.size, 0);
  // None of them stands in the way of the real one.
  assert.equal(relayed(good), "passed on");
  assertCounted(relay);
});

Deno.test("FoldRelay ends a statement by the time it was signed at", async () => {
  const { clock, folds, island, relayed } = start();
  const expiresIn = (id: bigint) => {
    const entry = folds.islands.get(id, clock.now());
    return entry && entry.expiresAt - clock.now();
  };
  // The life of an island is 30 s, and clocks may be a minute apart.
  assert.equal(relayed(island(1n, { ageMs: 10_000 })), "passed on");
  assert.equal(expiresIn(1n), 30_000);
  assert.equal(relayed(island(1n, { id: 2n, ageMs: 80_000 })), "passed on");
  assert.equal(expiresIn(2n), 10_000);
  assert.equal(relayed(island(1n, { id: 3n, ageMs: 90_000 })), "age");
  assert.equal(relayed(island(1n, { id: 4n, ageMs: -61_000 })), "age");
  assert.equal(relayed(island(1n, { id: 4n, ageMs: -59_000 })), "passed on");
  // Kept for later, it does not come to life again.
  const late = island(1n, { id: 5n });
  assert.equal(relayed(late), "passed on");
  await clock.advance(31_000);
  assert.equal(expiresIn(5n), undefined);
  assert.equal(relayed(late), "seen");
  await clock.advance(60_000);
  assert.equal(relayed(late), "age");
});

Deno.test("FoldRelay takes only what may come here", () => {
  const { relay, island, relayed } = start({ mayReach: (kind) => kind !== 4 });
  assert.equal(relayed(island(1n)), "scope");
  assertCounted(relay);
});

Deno.test("FoldRelay bounds what neighbours send, and how often a publisher is passed on", () => {
  const { clock, relay, island, relayed } = start();
  const results: string[] = [];
  for (let generation = 1n; generation <= 150n; generation++) {
    results.push(relayed(island(generation)));
  }
  assert.equal(results.filter((result) => result === "passed on").length, 100);
  assert.equal(results.filter((result) => result === "applied").length, 50);
  assert.equal(relay.counters.originRateTotal, 50);
  const noise = Uint8Array.of(1);
  for (let i = 0; i < 250; i++) relay.receiveRelayed(noise, NEIGHBOR);
  assert.equal(outcome(relay.receiveRelayed(noise, NEIGHBOR)), "neighbor_rate");
  for (let i = 0; i < 600; i++) relay.receiveRelayed(noise, BigInt(100 + i % 3));
  assert.equal(outcome(relay.receiveRelayed(noise, 200n)), "total_rate");
  assert.equal(clock.now(), 1_000);
  assertCounted(relay);
});

Deno.test("FoldRelay carries a statement through any mesh, once over each link", () => {
  const NODES = 7;
  const link = fc.tuple(fc.nat(NODES - 1), fc.nat(NODES - 1)).filter(([left, right]) =>
    left !== right
  );
  fc.assert(
    fc.property(fc.array(link, { minLength: 6, maxLength: 16 }), fc.infiniteStream(fc.nat(1_000)), (
      links,
      order,
    ) => {
      const clock = new ManualClock();
      const nodes = Array.from({ length: NODES }, (_, i) => {
        const folds = new FoldSet({ clock }, { nodeId: BigInt(i) });
        return {
          folds,
          relay: new FoldRelay({ clock, folds }, BigInt(i)),
          peers: new Set<number>(),
        };
      });
      for (const [left, right] of links) {
        nodes[left]?.peers.add(right);
        nodes[right]?.peers.add(left);
      }
      const waiting: { readonly from: number; readonly to: number; readonly bytes: Uint8Array }[] =
        [];
      let sent = 0;
      const act = (at: number, from: number, result: RelayVerdict) => {
        if (result.kind !== "taken" || result.forward === undefined) return;
        for (const to of nodes[at]?.peers ?? []) {
          if (to === from) continue;
          waiting.push({ from: at, to, bytes: result.forward.bytes });
          sent += 1;
        }
      };
      const announcedAtUs = BigInt(Math.round(clock.wallMs() * 1000));
      const said = signedBy(origin, islandOf({ nodeId: origin.nodeId, announcedAtUs }));
      // Node 0 hears it from the publisher itself.
      const first = nodes[0]?.relay.receiveDirect(encodeFoldEnvelope(said), origin.entityId);
      if (first !== undefined) act(0, -1, first);
      while (waiting.length > 0) {
        const [message] = waiting.splice((order.next().value ?? 0) % waiting.length, 1);
        if (message === undefined) break;
        const { from, to, bytes } = message;
        const result = nodes[to]?.relay.receiveRelayed(bytes, BigInt(from));
        if (result !== undefined) act(to, from, result);
      }
      for (const i of reachable(nodes)) assert.equal(nodes[i]?.folds.islands.size, 1);
      const ends = nodes.reduce((sum, { peers }) => sum + peers.size, 0);
      assert.ok(sent <= ends, `${sent} frames over ${ends / 2} links`);
    }),
  );
});

/** Nodes that can be reached from the first. */
function reachable(nodes: readonly { readonly peers: ReadonlySet<number> }[]): Set<number> {
  const found = new Set([0]);
  for (const node of found) for (const peer of nodes[node]?.peers ?? []) found.add(peer);
  return found;
}
