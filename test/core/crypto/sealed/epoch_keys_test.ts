import assert from "node:assert/strict";
import fc from "fast-check";
import {
  createPacketCipher,
  deriveSessionKeys,
  EPOCH_MS,
  EPOCH_PACKETS,
  EPOCH_PREVIOUS_MS,
  EpochKeys,
  FLAG_EPOCH_PARITY,
  SEALED_KEY_SLOTS_MAX,
  type SessionRole,
  type SplitKeys,
} from "../../../../src/core/crypto/mod.ts";
import { NetError } from "../../../../src/base/mod.ts";
import { FakeSlots } from "./fake_slots.ts";

const HASH = new Uint8Array(32).fill(9);

function split(): SplitKeys {
  return {
    initiatorToResponder: new Uint8Array(32).fill(1),
    responderToInitiator: new Uint8Array(32).fill(2),
  };
}

interface Packet {
  readonly epoch: number;
  readonly parity: number;
  readonly counter: number;
  readonly key: string;
}

/** Keys that every session keeps beside those that seal and open: two chains. */
const KEPT = 2;

/** One side with its slots, sending and receiving as the transport would. */
class Side {
  readonly slots = new FakeSlots();
  readonly keys: EpochKeys;
  readonly role: SessionRole;
  /** When it came into its epoch, and when it first heard the peer there. */
  movedAt = 0;
  heardAt: number | undefined;
  #counter = 0;

  constructor(role: SessionRole, epochPackets?: number) {
    this.role = role;
    this.keys = new EpochKeys(this.slots, {
      role,
      splitKeys: split(),
      handshakeHash: HASH,
      epochPackets,
    });
  }

  send(now: number): Packet {
    const { epoch, sendParity, sendSlot } = this.keys;
    const key = this.slots.keys.get(sendSlot);
    assert.ok(key !== undefined);
    const packet = { epoch, parity: sendParity, counter: this.#counter++, key };
    this.keys.onSent(now);
    this.#noteMove(epoch, now);
    return packet;
  }

  /** True when the one key that was asked for opens the packet. */
  receive(packet: Packet, now: number): boolean {
    const { epoch } = this.keys;
    const slot = this.keys.receiveSlot(packet.parity, packet.counter, now);
    assert.equal(this.keys.epoch, epoch, "an unverified packet moves nothing");
    if (slot === undefined || this.slots.keys.get(slot) !== packet.key) return false;
    this.keys.onAuthentic(slot, packet.counter, now);
    assert.ok(this.keys.epoch >= packet.epoch);
    this.#noteMove(epoch, now);
    if (packet.epoch === this.keys.epoch) this.heardAt ??= now;
    return true;
  }

  #noteMove(before: number, now: number): void {
    if (this.keys.epoch === before) return;
    assert.equal(this.keys.epoch, before + 1, "epochs are entered one by one");
    this.movedAt = now;
    this.heardAt = undefined;
  }
}

function pair(epochPackets?: number): { readonly left: Side; readonly right: Side } {
  return { left: new Side("initiator", epochPackets), right: new Side("responder", epochPackets) };
}

/** Both speak once, so that each has heard the other. */
function meet({ left, right }: ReturnType<typeof pair>, now: number): void {
  assert.ok(right.receive(left.send(now), now));
  assert.ok(left.receive(right.send(now), now));
}

Deno.test("EpochKeys seals what the other side opens, and no compat key does", () => {
  const cipher = createPacketCipher({ memoryBytes: 1 << 20, keySlots: 16 });
  const options = { splitKeys: split(), handshakeHash: HASH };
  const sender = new EpochKeys(cipher, { ...options, role: "initiator" });
  const receiver = new EpochKeys(cipher, {
    role: "responder",
    splitKeys: split(),
    handshakeHash: HASH,
  });
  const compat = deriveSessionKeys(HASH, "responder");
  const at = cipher.allocate(68 + 5 + 16);
  cipher.memory.set(new TextEncoder().encode("hello"), at + 68);
  cipher.sealPacket(sender.sendSlot, at, 5);
  for (const key of [compat.sendKey, compat.receiveKey]) {
    const slot = cipher.createKey(key);
    assert.equal(cipher.openPacket(slot, at, 5, 0), false);
    cipher.destroyKey(slot);
  }
  const key = receiver.receiveSlot(0, 0, 0);
  assert.ok(key !== undefined && cipher.openPacket(key, at, 5, 0));
  sender.destroy();
  receiver.destroy();
});

Deno.test("EpochKeys holds four keys at first and overwrites the Split() keys", () => {
  const splitKeys = split();
  const slots = new FakeSlots();
  const keys = new EpochKeys(slots, { role: "initiator", splitKeys, handshakeHash: HASH });
  assert.equal(slots.keys.size, 4);
  keys.destroy();
  assert.ok(splitKeys.initiatorToResponder.every((byte) => byte === 0));
  assert.ok(splitKeys.responderToInitiator.every((byte) => byte === 0));
  assert.equal(FLAG_EPOCH_PARITY, 0x40);
});

Deno.test("EpochKeys moves on after 2^20 packets", () => {
  const sides = pair();
  meet(sides, 0);
  const { left, right } = sides;
  for (let i = 2; i < EPOCH_PACKETS; i++) {
    assert.equal(left.keys.epoch, 0);
    left.keys.onSent(0);
  }
  assert.equal(left.keys.epoch, 1);
  assert.equal(left.keys.sendParity, 1);
  assert.ok(right.receive(left.send(0), 0));
  assert.equal(right.keys.epoch, 1);
});

Deno.test("EpochKeys moves on 120 s after the first packet of an epoch, received ones included", () => {
  const sides = pair();
  const { left, right } = sides;
  meet(sides, 1_000);
  left.send(1_000 + EPOCH_MS - 1);
  assert.equal(left.keys.epoch, 0);
  left.send(1_000 + EPOCH_MS);
  assert.equal(left.keys.epoch, 1, "the epoch ends behind the packet that was due");
  // The responder never begins one.
  right.send(10 * EPOCH_MS);
  assert.equal(right.keys.epoch, 0);
  assert.ok(left.receive(right.send(10 * EPOCH_MS), 10 * EPOCH_MS));
});

Deno.test("EpochKeys counts the peer's packets too", () => {
  const { left, right } = pair(10);
  for (let i = 0; i < 9; i++) assert.ok(left.receive(right.send(0), 0));
  left.send(0);
  assert.equal(left.keys.epoch, 1);
});

Deno.test("EpochKeys stays in an epoch in which the peer was not heard", () => {
  const { left } = pair(2);
  for (let i = 0; i < 100; i++) left.send(i * EPOCH_MS);
  assert.equal(left.keys.epoch, 0);
});

Deno.test("EpochKeys opens the epoch before for as long as the peer has not followed", () => {
  const sides = pair(2);
  const { left, right } = sides;
  meet(sides, 0);
  const old = right.send(0);
  left.send(1); // Lost, and the last of its epoch.
  assert.equal(left.keys.epoch, 1);
  const much = 24 * 3_600_000;
  assert.ok(left.receive(old, much), "a peer that was silent all the time is still understood");
  assert.ok(right.receive(left.send(much), much));
  const last = right.send(much);
  assert.ok(left.receive(last, much));
  assert.equal(last.epoch, 1);
});

Deno.test("EpochKeys drops the previous key 5 s after the peer came along, on both sides", () => {
  const sides = pair(2);
  const { left, right } = sides;
  meet(sides, 0);
  const lateRight = [right.send(0), right.send(0)] as const;
  const lateLeft = [left.send(0)] as const;
  assert.equal(left.keys.epoch, 1);
  assert.ok(right.receive(left.send(100), 100));
  assert.ok(left.receive(right.send(200), 200));
  assert.equal(left.slots.keys.size, KEPT + 3);
  assert.equal(right.slots.keys.size, KEPT + 3);
  assert.ok(left.receive(lateRight[0], 200 + EPOCH_PREVIOUS_MS - 1));
  assert.ok(!left.receive(lateRight[1], 200 + EPOCH_PREVIOUS_MS));
  assert.ok(!right.receive(lateLeft[0], 100 + EPOCH_PREVIOUS_MS));
  left.keys.sweep(200 + EPOCH_PREVIOUS_MS);
  right.keys.sweep(100 + EPOCH_PREVIOUS_MS);
  assert.equal(left.slots.keys.size, KEPT + 2);
  assert.equal(right.slots.keys.size, KEPT + 2);
});

Deno.test("EpochKeys tells the previous from the next epoch by the counter", () => {
  const sides = pair(2);
  const { left, right } = sides;
  meet(sides, 0);
  const late = left.send(0); // Epoch 0, delayed.
  const second = left.send(0);
  assert.ok(right.receive(second, 0));
  assert.ok(left.receive(right.send(0), 0));
  left.send(0);
  const third = left.send(0);
  assert.deepEqual([late.epoch, second.epoch, third.epoch], [0, 1, 2]);
  // All within 5 s: epochs 0 and 2 have one parity, and either is opened at once.
  assert.ok(right.receive(late, 1));
  assert.ok(right.receive(third, 2));
  assert.equal(right.keys.epoch, 2);
});

Deno.test("EpochKeys makes one key for any number of forged packets of the next epoch", () => {
  const { right } = pair(2);
  for (let i = 0; i < 100; i++) assert.ok(right.keys.receiveSlot(1, 2 ** 64 - i, 0));
  assert.equal(right.slots.keys.size, KEPT + 3);
  assert.equal(right.keys.epoch, 0);
});

Deno.test("EpochKeys waits for another epoch when no slot is free", () => {
  const slots = new FakeSlots(2 * (KEPT + 2));
  const make = (role: SessionRole) =>
    new EpochKeys(slots, { role, splitKeys: split(), handshakeHash: HASH, epochPackets: 2 });
  const [left, right] = [make("initiator"), make("responder")];
  const key = left.receiveSlot(0, 0, 0);
  assert.ok(key !== undefined);
  left.onAuthentic(key, 0, 0);
  left.onSent(0);
  assert.deepEqual([left.epoch, left.deferrals], [0, 1]);
  assert.equal(right.receiveSlot(1, 9, 0), undefined);
  assert.equal(right.deferrals, 1);
  assert.throws(() => make("initiator"), NetError);
  right.destroy();
  assert.equal(slots.keys.size, KEPT + 2);
  left.onSent(0);
  left.onSent(0);
  assert.equal(left.epoch, 1);
  left.destroy();
});

Deno.test("EpochKeys leaves no slot behind when it cannot be made", () => {
  const slots = new FakeSlots(1);
  assert.throws(
    () => new EpochKeys(slots, { role: "initiator", splitKeys: split(), handshakeHash: HASH }),
    NetError,
  );
  assert.equal(slots.keys.size, 0);
});

Deno.test("EpochKeys.destroy() frees and overwrites everything, once", () => {
  const sides = pair(2);
  meet(sides, 0);
  sides.left.send(0);
  sides.right.receive(sides.left.send(0), 0);
  const next = sides.right.keys.receiveSlot(0, 100, 0);
  assert.ok(next !== undefined && next !== sides.right.keys.receiveSlot(1, 100, 0));
  assert.equal(sides.right.slots.keys.size, SEALED_KEY_SLOTS_MAX);
  for (const { keys, slots } of [sides.left, sides.right]) {
    keys.destroy();
    keys.destroy();
    assert.equal(slots.keys.size, 0);
    assert.equal(keys.receiveSlot(0, 0, 0), undefined);
    keys.onSent(1e9);
    keys.sweep(1e9);
  }
});

/** What happens in one step of a simulated session. */
const anyStep = fc.record({
  isLeft: fc.boolean(),
  waitMs: fc.constantFrom(0, 0, 0, 1, 20, 4_999, 5_000, 60_000, EPOCH_MS, 600_000),
  /** Lost, at once, or after that many further steps. */
  fate: fc.constantFrom("lost", 0, 0, 0, 1, 2, 5, 20),
}, { noNullPrototype: true });

Deno.test("EpochKeys: two sides understand each other through loss, reorder and silence", () => {
  let movesTotal = 0;
  fc.assert(
    fc.property(
      fc.array(anyStep, { minLength: 1, maxLength: 300 }),
      fc.integer({ min: 2, max: 12 }),
      (steps, epochPackets) => {
        const { left, right } = pair(epochPackets);
        let now = 0;
        const inFlight: { readonly packet: Packet; readonly to: Side; readonly at: number }[] = [];
        const deliver = (packet: Packet, to: Side) => {
          const { epoch } = to.keys;
          const behind = epoch - packet.epoch;
          const since = to.role === "responder" ? to.movedAt : to.heardAt;
          const isPreviousKept = since === undefined || now - since < EPOCH_PREVIOUS_MS;
          const mustOpen = behind <= 0 || (behind === 1 && isPreviousKept);
          assert.equal(to.receive(packet, now), mustOpen, `epoch ${packet.epoch} at ${epoch}`);
        };
        for (const [at, step] of steps.entries()) {
          now += step.waitMs;
          const [from, to] = step.isLeft ? [left, right] : [right, left];
          const packet = from.send(now);
          if (step.fate === 0) deliver(packet, to);
          else if (step.fate !== "lost") inFlight.push({ packet, to, at: at + Number(step.fate) });
          for (const due of inFlight.filter((each) => each.at <= at)) {
            inFlight.splice(inFlight.indexOf(due), 1);
            deliver(due.packet, due.to);
          }
          const ahead = left.keys.epoch - right.keys.epoch;
          assert.ok(ahead === 0 || ahead === 1, `the initiator is ${ahead} epochs ahead`);
          for (const { slots } of [left, right]) {
            assert.ok(slots.keys.size <= SEALED_KEY_SLOTS_MAX);
          }
        }
        movesTotal += left.keys.epoch;
        // However it went: after any silence both directions still work, in either order.
        now += 86_400_000;
        const order = steps.length % 2 === 0 ? [left, right] : [right, left];
        for (const from of order) deliver(from.send(now), from === left ? right : left);
        // And an undisturbed exchange brings both into new epochs.
        const before = right.keys.epoch;
        for (let i = 0; i < 3 * epochPackets; i++) {
          deliver(left.send(now), right);
          deliver(right.send(now), left);
        }
        assert.ok(right.keys.epoch > before);
      },
    ),
    { numRuns: 300 },
  );
  assert.ok(movesTotal > 100, "epochs advance in spite of it all");
});

Deno.test("EpochKeys: the keys of one epoch are never those of another, or of the other direction", () => {
  const sides = pair(4);
  const seen = new Map<string, string>();
  for (let i = 0; i < 200; i++) {
    for (const from of [sides.left, sides.right]) {
      const packet = from.send(0);
      const owner = `${from.role} ${packet.epoch}`;
      assert.equal(seen.get(packet.key) ?? owner, owner);
      seen.set(packet.key, owner);
      assert.ok((from === sides.left ? sides.right : sides.left).receive(packet, 0));
    }
  }
  assert.ok(seen.size > 100);
});
