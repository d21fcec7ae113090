import assert from "node:assert/strict";
import { decodeRouteWithdrawal } from "../../../../src/core/transport/wire/withdrawal_frame.ts";
import { FLOOD_SLICE, WITHDRAWAL_DAMPED_MAX } from "../../../../src/core/transport/mesh_limits.ts";
import { Neighbours } from "../../../../src/core/transport/routing/neighbours.ts";
import type { Peer } from "../../../../src/core/transport/peers/peers.ts";
import { WithdrawalFlood } from "../../../../src/core/transport/routing/withdrawal_flood.ts";
import { createSessionKit } from "../session_kit.ts";

/** So many neighbours with the ids 2, 3, …; what each was sent. */
function create(count: number) {
  const kit = createSessionKit();
  const { clock, connect } = kit;
  const neighbours = new Neighbours();
  const told: { peer: bigint; at: number; events: string[] }[] = [];
  const peers: Peer[] = [];
  const template = connect(1n);
  for (let i = 0; i < count; i++) {
    const peer = kit.peers.getOrCreate(BigInt(2 + i), template.address, 0) ?? assert.fail();
    const session = Object.create(template.session ?? null);
    session.sendFramed = (id: number, low: number, high: number, frames: Uint8Array) => {
      assert.deepEqual([id, low, high], [0x0c01, 0x0c01, 0]);
      const events: string[] = [];
      for (let at = 0; at < frames.length; at += 20) {
        assert.equal(new DataView(frames.buffer, frames.byteOffset).getUint32(at, true), 16);
        const event = decodeRouteWithdrawal(frames.subarray(at + 4, at + 20)) ?? assert.fail();
        events.push(`${event.destination}#${event.sequence}`);
      }
      told.push({ peer: peer.nodeId, at: clock.now(), events });
      return true;
    };
    peer.session = session;
    peer.state = "connected";
    neighbours.add(peer);
    peers.push(peer);
  }
  const flood = new WithdrawalFlood({ clock, neighbours });
  return { clock, flood, told, peers, neighbours };
}

Deno.test("WithdrawalFlood tells everybody but the two that are named, many things in one packet", async () => {
  const { clock, flood, told, peers } = create(3);
  const slots = peers.map(({ slot }) => slot);
  flood.add({ low: 2, high: 0, sequence: 5n, exceptHop: slots[0] ?? 0 });
  flood.add({ low: 99, high: 0, sequence: 6n, exceptHop: slots[1] ?? 0 });
  await clock.advance(1);
  const byPeer = Object.fromEntries(told.map(({ peer, events }) => [Number(peer), events]));
  assert.deepEqual(byPeer, { 2: ["99#6"], 3: ["2#5"], 4: ["2#5", "99#6"] });
  assert.equal(flood.counters.withdrawals_sent_total, 4);
  flood.add({ low: 7, high: 0, sequence: 7n, exceptHop: -1 });
  await clock.advance(1);
  assert.equal(flood.counters.withdrawals_sent_total, 7, "it works a second time");
});

Deno.test("WithdrawalFlood serves many neighbours in slices, and what comes meanwhile after them", async () => {
  const { clock, flood, told } = create(150);
  flood.add({ low: 9_999, high: 0, sequence: 0n, exceptHop: -1 });
  await clock.advance(0);
  flood.add({ low: 9_998, high: 0, sequence: 1n, exceptHop: -1 });
  await clock.advance(100);
  assert.equal(told.length, 300);
  for (const moment of Map.groupBy(told, ({ at }) => at).values()) {
    assert.ok(moment.length <= FLOOD_SLICE);
  }
  assert.equal(told.filter(({ events }) => events[0] === "9999#0").length, 150);
});

Deno.test("WithdrawalFlood splits what does not fit, bounds what waits and stops", async () => {
  const { clock, flood, told } = create(1);
  for (let i = 0; i < WITHDRAWAL_DAMPED_MAX + 10; i++) {
    flood.add({ low: 1_000 + i, high: 1, sequence: BigInt(i), exceptHop: -1 });
  }
  assert.equal(flood.counters.drop_withdrawal_flood_limit_total, 10);
  await clock.advance(10);
  assert.equal(told.reduce((sum, { events }) => sum + events.length, 0), WITHDRAWAL_DAMPED_MAX);
  assert.ok(told.every(({ events }) => events.length <= 405));
  flood.add({ low: 1, high: 1, sequence: 0n, exceptHop: -1 });
  flood.stop();
  const before = told.length;
  await clock.advance(10);
  assert.equal(told.length, before);
});
