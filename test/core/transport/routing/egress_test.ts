import assert from "node:assert/strict";
import fc from "fast-check";
import { createPacketCipher } from "../../../../src/core/crypto/mod.ts";
import { createTransportCounters } from "../../../../src/core/transport/counters.ts";
import { Egress, type EgressItem } from "../../../../src/core/transport/routing/egress.ts";
import { NO_QUEUE } from "../../../../src/core/transport/routing/fair_scheduler.ts";
import { SEND_SLOTS } from "../../../../src/core/transport/limits.ts";
import { EGRESS_RESERVE, SCHEDULER_DEPTH } from "../../../../src/core/transport/mesh_limits.ts";
import { PacketSender } from "../../../../src/core/transport/packet_sender.ts";
import { addressOf } from "../session_kit.ts";

/** A way out over a socket that takes datagrams only when told to. */
function create({ isOpen = true } = {}) {
  const counters = createTransportCounters();
  const cipher = createPacketCipher({ memoryBytes: 5 * 1024 * 1024, keySlots: 4 });
  const at = cipher.allocate(16_384, 16);
  const sent: string[] = [];
  const held: (() => void)[] = [];
  const state = { isOpen };
  const sender = new PacketSender({
    cipher,
    counters,
    routingId: 1,
    socket: {
      localAddress: addressOf(0),
      counters: { sendErrors: 0, receiveErrors: 0 },
      start: () => {},
      send: (bytes, to, onSent) => {
        sent.push(`${to.host.split(".").at(-1)}:${bytes[0]}`);
        if (state.isOpen) onSent();
        else held.push(onSent);
      },
      close: () => {},
    },
  });
  const egress = new Egress({ sender, counters, memory: cipher.memory });
  /** Relays a datagram whose first byte is `mark` to neighbour `hop`. */
  const targets = Array.from({ length: 40 }, (_, hop) => addressOf(hop));
  const relay = (hop: number, mark: number, length = 100) => {
    cipher.memory.fill(mark, at, at + length);
    return egress.relay(at, length, hop, targets[hop] ?? assert.fail());
  };
  const releaseAll = () => {
    for (const release of held.splice(0)) release();
  };
  const check = () => {
    const { relayed_packets_total, drop_relay_queue_total, drop_relay_closed_total } = counters;
    return relayed_packets_total + drop_relay_queue_total + drop_relay_closed_total +
      counters.relay_packets_waiting;
  };
  return { counters, sender, egress, sent, held, state, relay, releaseAll, check };
}

Deno.test("Egress.relay() sends a run to one neighbour at once", () => {
  const { relay, sent, counters } = create();
  for (let i = 0; i < 5; i++) assert.ok(relay(7, i));
  assert.deepEqual(sent, ["7:0", "7:1", "7:2", "7:3", "7:4"]);
  assert.equal(counters.relayed_packets_total, 5);
});

Deno.test("Egress.relay() lets each neighbour's packets leave side by side", async () => {
  const { relay, sent } = create();
  for (let i = 0; i < 4; i++) for (const hop of [1, 2, 3]) relay(hop, i);
  await Promise.resolve();
  const runs = sent.filter((mark, i) => mark.split(":")[0] !== sent[i - 1]?.split(":")[0]).length;
  assert.equal(sent.length, 12);
  assert.equal(runs, 3);
  // The next turn begins afresh.
  relay(2, 9);
  assert.equal(sent.at(-1), "2:9");
});

Deno.test("Egress leaves half of the slots to this node, and goes on when there is room", async () => {
  const { relay, sent, sender, state, releaseAll, egress, counters, check } = create({
    isOpen: false,
  });
  const total = SEND_SLOTS + 100;
  for (let i = 0; i < total; i++) relay(i % 2, i & 0xff);
  await Promise.resolve();
  assert.equal(sender.slotsFree, EGRESS_RESERVE);
  assert.equal(sent.length, SEND_SLOTS - EGRESS_RESERVE);
  assert.equal(counters.relay_packets_waiting, total - sent.length);
  assert.equal(check(), total);
  state.isOpen = true;
  releaseAll();
  await Promise.resolve();
  assert.equal(egress.waiting, 0);
  assert.equal(sent.length, total);
  for (const hop of ["0", "1"]) {
    const marks = sent.filter((mark) => mark.startsWith(`${hop}:`)).map((mark) => +mark.slice(2));
    const parity = Number(hop);
    assert.deepEqual(marks, Array.from({ length: total / 2 }, (_, i) => (2 * i + parity) & 0xff));
  }
});

Deno.test("Egress.relay() shares the way out fairly while it is blocked", async () => {
  const { relay, sent, state, releaseAll, sender } = create({ isOpen: false });
  // Nothing of the slots is left to others.
  while (sender.slotsFree > EGRESS_RESERVE) relay(39, 0);
  sent.length = 0;
  for (let i = 0; i < 500; i++) relay(1, 1);
  for (let i = 0; i < 32; i++) relay(2, 2);
  state.isOpen = true;
  releaseAll();
  await Promise.resolve();
  const last = sent.lastIndexOf("2:2");
  assert.ok(last < 64 + 16, `the small one waited for ${last} packets`);
  assert.equal(sent.length, 532);
});

Deno.test("Egress bounds a queue, and drops what waits for a neighbour that is gone", async () => {
  const { relay, sender, egress, counters, check, state, releaseAll, sent } = create({
    isOpen: false,
  });
  while (sender.slotsFree > EGRESS_RESERVE) relay(39, 0);
  const before = counters.relayed_packets_total;
  for (let i = 0; i < SCHEDULER_DEPTH + 20; i++) relay(1, 1);
  relay(2, 2, 8_210);
  assert.ok(!relay(2, 2, 9_000), "no datagram of ours is so large");
  assert.equal(counters.drop_relay_queue_total, 21);
  egress.closeHop(1);
  egress.closeHop(1);
  egress.closeHop(5);
  assert.equal(counters.drop_relay_closed_total, SCHEDULER_DEPTH);
  assert.equal(counters.relay_packets_waiting, 1);
  assert.equal(check(), before + SCHEDULER_DEPTH + 22);
  state.isOpen = true;
  releaseAll();
  await Promise.resolve();
  assert.equal(sent.at(-1), "2:2");
});

Deno.test("Egress.push() lets items of weighted queues leave when it is their turn", async () => {
  const { egress, sender, relay, state, releaseAll } = create({ isOpen: false });
  while (sender.slotsFree > EGRESS_RESERVE) relay(39, 0);
  const left: string[] = [];
  const dropped: string[] = [];
  const item = (name: string): EgressItem => ({
    leave: () => left.push(name),
    drop: () => dropped.push(name),
  });
  const [heavy, light, closed] = [egress.openQueue(3), egress.openQueue(1), egress.openQueue(1)];
  for (let i = 0; i < 160; i++) {
    egress.push(heavy, item("heavy"));
    egress.push(light, item("light"));
  }
  egress.push(closed, item("closed"));
  assert.equal(egress.queueLength(closed), 1);
  egress.closeQueue(closed);
  assert.ok(!egress.push(closed, item("late")));
  assert.deepEqual(left, []);
  state.isOpen = true;
  releaseAll();
  await Promise.resolve();
  const share = left.slice(0, 128).filter((name) => name === "heavy").length;
  assert.equal(share, 96);
  assert.equal(left.length, 320);
  assert.deepEqual(dropped, ["closed"]);
  assert.notEqual(heavy, NO_QUEUE);
  egress.push(light, item("light"));
  await Promise.resolve();
  assert.equal(left.length, 321, "with room it leaves at the end of the turn");
});

Deno.test("Egress loses nothing uncounted, and keeps each neighbour's order", async () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ hop: fc.nat(3) }) },
    fc.constantFrom("open" as const, "block" as const, "turn" as const),
    fc.record({ close: fc.nat(3) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 400 }), async (steps) => {
      const { relay, state, releaseAll, sent, egress, check } = create();
      const next = [0, 0, 0, 0];
      let total = 0;
      for (const each of steps) {
        if (each === "turn") await Promise.resolve();
        else if (each === "block") state.isOpen = false;
        else if (each === "open") {
          state.isOpen = true;
          releaseAll();
        } else if ("close" in each) egress.closeHop(each.close);
        else {
          const mark = next[each.hop] ?? 0;
          next[each.hop] = mark + 1;
          relay(each.hop, mark & 0xff);
          total += 1;
        }
        assert.equal(check(), total);
      }
      for (const hop of [0, 1, 2, 3]) {
        const marks = sent.filter((mark) => mark.startsWith(`${hop}:`)).map((mark) =>
          +mark.slice(2)
        );
        assert.deepEqual(marks, [...marks].sort((a, b) => a - b));
      }
    }),
    { numRuns: 50 },
  );
});
