import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Announcement,
  AnnouncementStore,
  type AnnouncementVerdict,
  decodeAnnouncement,
  encodeAnnouncement,
} from "../../../src/core/capability/mod.ts";
import { bytesOfText, identityOf, sample, textOfBytes, WALL_MS } from "./samples.ts";

const ME = 42n;
const NEIGHBOR = 7n;
const ORIGIN = identityOf(1).nodeId;

const newStore = (options = {}) => new AnnouncementStore({ nodeId: ME, ...options });

function receive(
  store: AnnouncementStore,
  announcement: Announcement,
  nowMs = 0,
  from = announcement.hopCount === 0 ? announcement.nodeId : NEIGHBOR,
): AnnouncementVerdict {
  return store.receive(encodeAnnouncement(announcement), from, nowMs);
}

/** What became of it in one word. */
function outcome(verdict: AnnouncementVerdict): string {
  return verdict.kind === "dropped" ? verdict.reason : verdict.kind;
}

const hops = (announcement: Announcement, hopCount: number) => ({ ...announcement, hopCount });

/** Counters that must add up. */
function assertCounted(store: AnnouncementStore): void {
  const { received_total, accepted_total, confirmed_total, dropped } = store.counters;
  const sum = Object.values(dropped).reduce((left, right) => left + right, 0);
  assert.equal(received_total, accepted_total + confirmed_total + sum);
}

Deno.test("AnnouncementStore.receive() accepts from the origin and passes on", () => {
  const store = newStore();
  const announcement = sample();
  const verdict = receive(store, announcement);
  assert.equal(verdict.kind, "accepted");
  if (verdict.kind !== "accepted") return;
  assert.equal(verdict.isDirect, true);
  assert.equal(verdict.routeMetric, undefined);
  const forwarded = decodeAnnouncement(verdict.forward ?? new Uint8Array(0));
  assert.deepEqual(forwarded, { ok: true, announcement: hops(announcement, 1) });
  assert.deepEqual(store.get(ORIGIN, 0), announcement);
  assert.deepEqual([...store.values(0)], [announcement]);
  assertCounted(store);
});

Deno.test("AnnouncementStore.receive() gives the metric of a route and stops at hop 15", () => {
  const far = receive(newStore(), hops(sample(), 14));
  assert.ok(far.kind === "accepted" && far.forward !== undefined && far.routeMetric === 16);
  const last = receive(newStore(), hops(sample(), 15));
  assert.ok(last.kind === "accepted" && last.forward === undefined && !last.isDirect);
});

Deno.test("AnnouncementStore.receive() takes each version once", () => {
  const store = newStore();
  assert.equal(outcome(receive(store, hops(sample(), 1))), "accepted");
  assert.equal(outcome(receive(store, hops(sample(), 1))), "duplicate");
  assert.equal(outcome(receive(store, sample())), "confirmed");
  assert.equal(outcome(receive(store, sample())), "confirmed");
  assert.equal(outcome(receive(store, sample({ version: 4n }))), "stale");
  assert.equal(outcome(receive(store, sample({ tags: ["other"] }))), "duplicate");
  assert.equal(outcome(receive(store, sample({ version: 6n, tags: ["new"] }))), "accepted");
  assert.deepEqual(store.get(ORIGIN, 0)?.capabilities.tags, ["new"]);
  assert.equal(store.size, 1);
  assertCounted(store);
});

Deno.test("AnnouncementStore.receive() is not moved by forgeries", () => {
  const store = newStore();
  receive(store, sample());
  const newer = sample({ version: 9n });
  const thief = identityOf(3);
  const bad = newer.signature?.with(3, 0xff ^ (newer.signature[3] ?? 0));
  const forgeries: Readonly<Record<string, readonly [Announcement, bigint?]>> = {
    signature: [{ ...newer, signature: bad }],
    unsigned: [{ ...newer, signature: undefined }],
    entity_conflict: [{ ...sample({ identity: thief, version: 9n }), nodeId: ORIGIN }],
    identity: [{ ...sample({ identity: thief, version: 9n }), nodeId: 99n }],
    not_origin: [newer, NEIGHBOR],
  };
  for (const [reason, [announcement, from]] of Object.entries(forgeries)) {
    assert.equal(outcome(receive(store, announcement, 0, from)), reason);
  }
  const own = new AnnouncementStore({ nodeId: ORIGIN });
  assert.equal(outcome(receive(own, hops(newer, 1))), "own");
  const long = textOfBytes(encodeAnnouncement(newer)).replace(
    /}$/,
    `,"allowed_nodes":[${[
      ...Array(65).keys(),
    ]}]}`,
  );
  assert.equal(outcome(store.receive(bytesOfText(long), ORIGIN, 0)), "allow_list");
  assert.equal(outcome(store.receive(new Uint8Array(9000), ORIGIN, 0)), "too_long");
  assert.equal(outcome(store.receive(new Uint8Array(3), ORIGIN, 0)), "malformed");
  assert.equal(outcome(store.receive(bytesOfText("{}"), ORIGIN, 0)), "missing_member");
  assert.equal(store.get(ORIGIN, 0)?.version, 5n);
  assert.equal(store.size, 1);
  // None of them used up what the origin itself may send.
  assert.equal(outcome(receive(store, newer)), "accepted");
  assertCounted(store);
});

Deno.test("AnnouncementStore.get() forgets after the time to live, counted from arrival", () => {
  const store = newStore();
  receive(store, sample({ ttlSeconds: 2 }), 1000);
  assert.notEqual(store.get(ORIGIN, 2999), undefined);
  assert.deepEqual(store.sweep(2999), []);
  assert.equal(store.get(ORIGIN, 3000), undefined);
  assert.deepEqual([...store.values(3000)], []);
  assert.deepEqual(store.sweep(3000), [ORIGIN]);
  assert.deepEqual(store.sweep(3001), []);
  assert.equal(store.size, 0);
  receive(store, sample({ wallMs: WALL_MS + 1, ttlSeconds: 0xffff_ffff }), 4000);
  assert.equal(store.get(ORIGIN, 4000 + 24 * 3600 * 1000), undefined);
});

Deno.test("AnnouncementStore.receive() tells a restart from a replay", () => {
  const store = newStore();
  receive(store, sample({ version: 50n }));
  store.forget(ORIGIN, 1000);
  assert.equal(store.get(ORIGIN, 1000), undefined);
  assert.equal(
    outcome(receive(store, sample({ version: 60n, wallMs: WALL_MS - 1 }), 1000)),
    "stale",
  );
  assert.equal(outcome(receive(store, hops(sample({ version: 50n }), 1), 1000)), "stale");
  // The origin may say again what it said last, and count from 1 after a restart.
  assert.equal(outcome(receive(store, sample({ version: 50n }), 1000)), "accepted");
  store.forget(ORIGIN, 2000);
  const restarted = sample({ version: 1n, wallMs: WALL_MS + 1 });
  assert.equal(outcome(receive(store, hops(restarted, 2), 2000)), "accepted");
  store.forget(ORIGIN, 3000);
  assert.equal(outcome(receive(store, hops(sample(), 1), 3000 + 599_999)), "stale");
  assert.equal(outcome(receive(store, hops(sample(), 1), 3000 + 600_000)), "accepted");
});

Deno.test("AnnouncementStore.receive() bounds the rate of neighbours and of origins", () => {
  const store = newStore();
  for (let version = 1n; version <= 8n; version++) {
    assert.equal(outcome(receive(store, sample({ version }))), "accepted");
  }
  assert.equal(outcome(receive(store, sample({ version: 9n }))), "origin_rate");
  store.forget(ORIGIN, 0);
  const later = sample({ version: 9n, wallMs: WALL_MS + 1 });
  assert.equal(outcome(receive(store, later, 1999)), "origin_rate");
  assert.equal(outcome(receive(store, later, 2000)), "accepted");
  for (let i = 0; i < 1000; i++) store.receive(new Uint8Array(1), NEIGHBOR, 5000);
  assert.equal(outcome(store.receive(new Uint8Array(1), NEIGHBOR, 5000)), "neighbor_rate");
  assert.equal(outcome(store.receive(new Uint8Array(1), 8n, 5000)), "malformed");
  assert.equal(outcome(store.receive(new Uint8Array(1), NEIGHBOR, 5002)), "malformed");
  assert.equal(store.counters.dropped.neighbor_rate, 1);
  assertCounted(store);
});

Deno.test("AnnouncementStore.receive() keeps its bounds, direct origins first", () => {
  const store = newStore({ originsMax: 3, originsPerNeighborMax: 2 });
  const from = (seed: number, hopCount: number, nowMs = 0, neighbor?: bigint) => {
    const announcement = hops(sample({ identity: identityOf(seed), ttlSeconds: 10 }), hopCount);
    return outcome(receive(store, announcement, nowMs, neighbor));
  };
  assert.deepEqual([from(1, 1), from(2, 1), from(3, 1)], ["accepted", "accepted", "full"]);
  assert.equal(from(3, 1, 0, 8n), "accepted");
  assert.equal(from(4, 1, 0, 8n), "full");
  // Direct ones push forwarded ones out, oldest first, until only direct ones are left.
  assert.deepEqual([from(5, 0), from(6, 0), from(3, 0)], ["accepted", "accepted", "confirmed"]);
  assert.equal(from(7, 0), "full");
  assert.deepEqual(store.sweep(0).sort(), [identityOf(1).nodeId, identityOf(2).nodeId].sort());
  // Those that expired make room.
  assert.equal(from(7, 1, 10_000), "accepted");
  assert.equal(store.size, 1);
  assertCounted(store);
});

Deno.test("AnnouncementStore.receive() keeps its bound in bytes", () => {
  const bytes = encodeAnnouncement(hops(sample(), 1)).length;
  const store = newStore({ bytesMax: 4 * bytes + 100 });
  const from = (seed: number, hopCount: number, neighbor: bigint, version = 5n) =>
    outcome(
      receive(store, hops(sample({ identity: identityOf(seed), version }), hopCount), 0, neighbor),
    );
  // One neighbour has half of it, whatever it forwards.
  const first = [from(1, 1, 7n), from(2, 1, 7n), from(3, 1, 7n)];
  assert.deepEqual(first, ["accepted", "accepted", "full"]);
  const second = [from(3, 1, 8n), from(4, 1, 8n), from(5, 1, 9n)];
  assert.deepEqual(second, ["accepted", "accepted", "full"]);
  assert.equal(from(2, 1, 7n, 6n), "accepted");
  const large = sample({ identity: identityOf(6), metadata: [["a", "b".repeat(3 * bytes)]] });
  assert.equal(outcome(receive(store, large)), "accepted");
  assert.equal(store.size, 1);
  const larger = sample({ identity: identityOf(7), metadata: [["a", "b".repeat(4 * bytes)]] });
  assert.equal(outcome(receive(store, larger)), "full");
});

Deno.test("AnnouncementStore.receive() keeps its bound in tags, which are short", () => {
  const tags = Array.from({ length: 100 }, (_, i) => i.toString(36));
  const store = newStore({ termsMax: 450 });
  const from = (seed: number, hopCount: number, neighbor?: bigint) => {
    const announcement = sample({ identity: identityOf(seed), tags, metadata: [] });
    return outcome(receive(store, hops(announcement, hopCount), 0, neighbor));
  };
  assert.deepEqual([from(1, 1, 7n), from(2, 1, 7n), from(3, 1, 7n)], [
    "accepted",
    "accepted",
    "full",
  ]);
  assert.deepEqual([from(3, 1, 8n), from(4, 1, 8n), from(5, 1, 9n)], [
    "accepted",
    "accepted",
    "full",
  ]);
  assert.equal(from(6, 0), "accepted");
  assert.equal(store.size, 4);
});

Deno.test("AnnouncementStore.takeEnded() tells of nodes that ended, and looks for none", () => {
  const store = newStore();
  receive(store, sample({ identity: identityOf(1), ttlSeconds: 1 }));
  receive(store, sample({ identity: identityOf(2), ttlSeconds: 1 }));
  assert.deepEqual(store.takeEnded(), []);
  assert.equal(store.get(identityOf(1).nodeId, 2_000), undefined);
  assert.deepEqual(store.takeEnded(), [identityOf(1).nodeId]);
  assert.deepEqual(store.takeEnded(), []);
  assert.deepEqual(store.sweep(2_000), [identityOf(2).nodeId]);
});

Deno.test("AnnouncementStore never exceeds its bounds, whatever comes in which order", () => {
  const announcements = [1, 2, 3, 4, 5].flatMap((seed) =>
    [1n, 2n, 3n].map((version) =>
      sample({ identity: identityOf(seed), version, ttlSeconds: Number(version) })
    )
  );
  const step = fc.record({
    announcement: fc.constantFrom(...announcements),
    hopCount: fc.nat(2),
    neighbor: fc.constantFrom(7n, 8n),
    passedMs: fc.constantFrom(0, 400, 3000),
    action: fc.constantFrom("receive", "receive", "receive", "forget", "sweep"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const store = newStore({ originsMax: 3, originsPerNeighborMax: 2 });
      const live = new Set<bigint>();
      let nowMs = 0;
      for (const { announcement, hopCount, neighbor, passedMs, action } of steps) {
        nowMs += passedMs;
        const { nodeId } = announcement;
        if (action === "forget") store.forget(nodeId, nowMs);
        else if (action === "sweep") { for (const ended of store.sweep(nowMs)) live.delete(ended); }
        else {
          const from = hopCount === 0 ? nodeId : neighbor;
          const before = store.get(nodeId, nowMs)?.version;
          const verdict = receive(store, hops(announcement, hopCount), nowMs, from);
          if (verdict.kind === "accepted") {
            assert.ok(before === undefined || announcement.version > before);
            live.add(nodeId);
          }
        }
        assert.ok(store.size <= 3);
      }
      for (const ended of store.sweep(nowMs)) live.delete(ended);
      // A caller that follows verdicts and sweeps knows exactly what is there.
      const kept = [...store.values(nowMs)].map((announcement) => announcement.nodeId);
      assert.deepEqual([...live].sort(), kept.sort());
      assertCounted(store);
    }),
    { numRuns: 60 },
  );
});
