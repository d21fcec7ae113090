import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CausalChain,
  CausalError,
  type CausalEvent,
  type CausalReceived,
  CausalReceiver,
  type Causes,
  encodeEventFrames,
  horizonBits,
  ObservedHorizon,
} from "../../../src/state/mod.ts";
import { eventsOf, snapshotBehind, WRITER } from "./chain_samples.ts";

/** What was handed on, as `origin:number`, early ones with `!`, gaps as `origin:from-to`. */
function textsOf({ items }: Pick<CausalReceived, "items">): string[] {
  return items.map((item) =>
    item.kind === "gap"
      ? `${item.origin}:${item.from}-${item.to}`
      : `${item.event.link.origin}:${item.event.link.sequence}${item.isEarly ? "!" : ""}`
  );
}

const at = (events: readonly CausalEvent[], sequence: number): CausalEvent =>
  events[sequence - 1] ?? assert.fail();

/** Everything received is somewhere. */
function assertConserved(receiver: CausalReceiver): void {
  const { received, handedOn, held, drops } = receiver.stat();
  const dropped = Object.values(drops).reduce((sum, count) => sum + count, 0);
  assert.equal(received, handedOn + held + dropped);
}

Deno.test("CausalReceiver hands on a shuffled chain by number", () => {
  const events = eventsOf(1n, 12);
  const order = fc.shuffledSubarray(events, { minLength: 12 });
  fc.assert(fc.property(order, (shuffled) => {
    const receiver = new CausalReceiver({ strangers: "genesis" });
    const items = shuffled.flatMap((event) => receiver.receive(event, 0).items);
    assert.deepEqual(items, events.map((event) => ({ kind: "event", event, isEarly: false })));
    assert.deepEqual([receiver.stat().held, receiver.stat().heldBytes], [0, 0]);
    assert.equal(receiver.position(1n), 12n);
    assert.equal(receiver.nextDeadlineMs, undefined);
  }));
});

/** Writers who hear of each other now and then; every event with what its writer had seen. */
function conversation(
  steps: readonly { writer: number; hears: number }[],
): { event: CausalEvent; causes: Causes }[] {
  const writers = [1n, 2n, 3n].map((origin) => ({
    origin,
    chain: new CausalChain(origin),
    horizon: new ObservedHorizon(),
  }));
  return steps.flatMap(({ writer, hears }) => {
    const self = writers[writer];
    const other = writers[hears];
    if (self === undefined || other === undefined) return [];
    if (self !== other) {
      self.horizon.merge(other.horizon);
      self.horizon.observe(other.origin, other.chain.head.link.sequence);
    }
    const event = self.chain.append(new Uint8Array(3), self.horizon.bits);
    const causes = new Map(self.horizon.entries());
    causes.delete(self.origin);
    return [{ event, causes }];
  });
}

const anySteps = fc.array(
  fc.record({ writer: fc.nat({ max: 2 }), hears: fc.nat({ max: 2 }) }),
  { minLength: 1, maxLength: 30 },
);

Deno.test("CausalReceiver hands on nothing before its causes, and all of it", () => {
  fc.assert(fc.property(anySteps, fc.infiniteStream(fc.nat()), (steps, draws) => {
    const talk = conversation(steps);
    const receiver = new CausalReceiver({ strangers: "genesis" });
    for (const origin of [1n, 2n, 3n]) receiver.follow(origin, "genesis");
    const causesOf = new Map(talk.map(({ event, causes }) => [event, causes]));
    const seen = new ObservedHorizon();
    const left = [...talk];
    let handedOn = 0;
    while (left.length > 0) {
      const [next] = left.splice((draws.next().value ?? 0) % left.length, 1);
      if (next === undefined) break;
      for (const item of receiver.receive(next.event, 0, next.causes).items) {
        assert.ok(item.kind === "event" && !item.isEarly);
        const causes = [...causesOf].find(([{ link }]) =>
          link.origin === item.event.link.origin && link.sequence === item.event.link.sequence
        );
        for (const [origin, sequence] of causes?.[1] ?? []) {
          assert.ok(sequence === 0n || seen.hasObserved(origin, sequence));
        }
        seen.observe(item.event.link.origin, item.event.link.sequence);
        handedOn += 1;
      }
      assertConserved(receiver);
    }
    assert.equal(handedOn, talk.length);
  }));
});

Deno.test("CausalReceiver gets all on by Bloom bits alone, each chain in order", () => {
  fc.assert(fc.property(anySteps, fc.infiniteStream(fc.nat()), (steps, draws) => {
    const left = conversation(steps);
    const count = left.length;
    const receiver = new CausalReceiver({ strangers: "genesis" });
    const position = new Map<bigint, bigint>();
    while (left.length > 0) {
      const [next] = left.splice((draws.next().value ?? 0) % left.length, 1);
      if (next === undefined) break;
      for (const item of receiver.receive(next.event, 0).items) {
        assert.ok(item.kind === "event" && !item.isEarly);
        const { origin, sequence } = item.event.link;
        assert.equal(sequence, (position.get(origin) ?? 0n) + 1n);
        position.set(origin, sequence);
      }
    }
    assert.equal(receiver.stat().handedOn, count);
  }));
});

Deno.test("CausalReceiver holds what may have seen an event that is known to be missing", () => {
  const [first, second] = eventsOf(1n, 2);
  assert.ok(first !== undefined && second !== undefined);
  const horizon = new ObservedHorizon();
  horizon.observe(1n, 1n);
  const knowing = new CausalChain(2n).append(new Uint8Array(), horizon.bits);
  const receiver = new CausalReceiver({ strangers: "genesis" });
  assert.deepEqual(textsOf(receiver.receive(second, 0)), []);
  assert.deepEqual(textsOf(receiver.receive(knowing, 0)), []);
  assert.deepEqual(textsOf(receiver.receive(first, 0)), ["1:1", "1:2", "2:1"]);
});

Deno.test("CausalReceiver gives up what does not come in time, and says which", () => {
  const events = eventsOf(1n, 6);
  const receiver = new CausalReceiver({ strangers: "genesis", patienceMs: 100 });
  receiver.receive(at(events, 3), 10);
  receiver.receive(at(events, 6), 20);
  assert.equal(receiver.nextDeadlineMs, 110);
  assert.deepEqual(textsOf(receiver.expire(109)), []);
  assert.deepEqual(textsOf(receiver.expire(110)), ["1:1-2", "1:3"]);
  assert.equal(receiver.nextDeadlineMs, 210);
  // Too late: their place was given up.
  assert.deepEqual(receiver.receive(at(events, 2), 120).drops, ["duplicate"]);
  assert.deepEqual(textsOf(receiver.receive(at(events, 4), 130)), ["1:4"]);
  assert.deepEqual(textsOf(receiver.expire(230)), ["1:5-5", "1:6"]);
  const { gaps, handedOn, drops } = receiver.stat();
  assert.deepEqual([gaps, handedOn, drops.duplicate], [2, 3, 1]);
  assertConserved(receiver);
});

Deno.test("CausalReceiver hands on early what waited too long for its causes, and waits for them once only", () => {
  const [first, second] = eventsOf(2n, 2);
  assert.ok(first !== undefined && second !== undefined);
  const receiver = new CausalReceiver({ strangers: "genesis", patienceMs: 100 });
  receiver.follow(1n, "genesis");
  const causes = new Map([[1n, 5n], [9n, 1n]]);
  assert.deepEqual(textsOf(receiver.receive(first, 0, causes)), []);
  assert.deepEqual(textsOf(receiver.receive(second, 0, causes)), []);
  assert.deepEqual(textsOf(receiver.expire(100)), ["2:1!", "2:2"]);
  assert.equal(receiver.stat().early, 1);
});

Deno.test("CausalReceiver gets out of causes that wait for each other", () => {
  const receiver = new CausalReceiver({ strangers: "genesis", patienceMs: 100 });
  const [one] = eventsOf(1n, 1);
  const [two] = eventsOf(2n, 1);
  assert.ok(one !== undefined && two !== undefined);
  receiver.follow(1n, "genesis");
  receiver.follow(2n, "genesis");
  receiver.receive(one, 0, new Map([[2n, 1n]]));
  receiver.receive(two, 1, new Map([[1n, 1n]]));
  assert.deepEqual(textsOf(receiver.expire(100)), ["1:1!", "2:1"]);
});

Deno.test("CausalReceiver drops events that do not continue the chain, and takes the right one", () => {
  const events = eventsOf(1n, 3);
  const forged: CausalEvent = { ...at(events, 2), link: { ...at(events, 2).link, parent: 1n } };
  const receiver = new CausalReceiver({ strangers: "genesis" });
  receiver.receive(forged, 0);
  assert.deepEqual(receiver.receive(at(events, 1), 0).drops, ["parent"]);
  assert.deepEqual(textsOf(receiver.receive(at(events, 3), 0)), []);
  assert.deepEqual(receiver.receive(forged, 0).drops, ["parent"]);
  assert.deepEqual(textsOf(receiver.receive(at(events, 2), 0)), ["1:2", "1:3"]);
  // Two at one place: the right one is found whichever came first.
  const other = new CausalReceiver({ strangers: "genesis" });
  other.receive(forged, 0);
  other.receive(at(events, 2), 0);
  const { items, drops } = other.receive(at(events, 1), 0);
  assert.deepEqual([textsOf({ items }), drops], [["1:1", "1:2"], ["parent"]]);
  assertConserved(receiver);
});

Deno.test("CausalReceiver tells a repeat from a fork", () => {
  const [first] = eventsOf(1n, 1);
  assert.ok(first !== undefined);
  const receiver = new CausalReceiver({ strangers: "genesis" });
  receiver.receive(first, 0);
  assert.deepEqual(receiver.receive(first, 0).drops, ["duplicate"]);
  const fork = { ...first, payload: Uint8Array.of(9) };
  assert.deepEqual(receiver.receive(fork, 0).drops, ["fork"]);
  assert.deepEqual(receiver.receive({ ...first, payload: first.payload.slice() }, 0).drops, [
    "duplicate",
  ]);
});

Deno.test("CausalReceiver takes a chain up where it is told to", () => {
  const events = eventsOf(1n, 5);
  const anywhere = new CausalReceiver();
  anywhere.follow(1n, "first-received");
  assert.equal(anywhere.position(1n), undefined);
  assert.deepEqual(textsOf(anywhere.receive(at(events, 3), 0)), ["1:3"]);
  assert.deepEqual(anywhere.receive(at(events, 2), 0).drops, ["duplicate"]);
  const behind = new CausalReceiver();
  behind.follow(1n, at(events, 3));
  assert.deepEqual(textsOf(behind.receive(at(events, 4), 0)), ["1:4"]);
  assert.throws(() => behind.follow(1n, "genesis"), CausalError);
  assert.throws(() => behind.follow(2n, at(events, 1)), /another origin/);
  assert.deepEqual(behind.receive(at(eventsOf(5n, 1), 1), 0).drops, ["stranger"]);
});

Deno.test("CausalReceiver has bounds, and what comes next goes on all the same", () => {
  const events = eventsOf(1n, 8);
  const receiver = new CausalReceiver({
    strangers: "genesis",
    originsMax: 2,
    heldPerOriginMax: 3,
    heldMax: 4,
    heldBytesMax: 100,
  });
  for (const sequence of [8, 7, 6]) receiver.receive(at(events, sequence), 0);
  assert.deepEqual(receiver.receive(at(events, 5), 0).drops, ["full"]);
  receiver.receive(at(eventsOf(2n, 2), 2), 0);
  assert.deepEqual(receiver.receive(at(eventsOf(2n, 3), 3), 0).drops, ["full"]);
  assert.deepEqual(receiver.receive(at(eventsOf(3n, 1), 1), 0).drops, ["stranger"]);
  assert.throws(() => receiver.follow(3n, "genesis"), /at most 2/);
  assert.deepEqual(textsOf(receiver.receive(at(events, 1), 0)), ["1:1"]);
  assertConserved(receiver);
});

Deno.test("CausalReceiver copies what it holds out of frames, and counts a malformed one", () => {
  const events = eventsOf(1n, 3);
  const frames = encodeEventFrames([at(events, 3), at(events, 2)]);
  const receiver = new CausalReceiver({ strangers: "genesis" });
  assert.deepEqual(receiver.receiveFrames(frames, 3, 0).drops, ["malformed"]);
  frames.fill(0);
  const { items } = receiver.receive(at(events, 1), 0);
  assert.deepEqual(items.map((item) => item.kind === "event" && item.event), events);
  assertConserved(receiver);
});

Deno.test("CausalReceiver.unfollow() lets go of what is held, and lets others go on", () => {
  const receiver = new CausalReceiver({ strangers: "genesis" });
  const [, second] = eventsOf(1n, 2);
  const [other] = eventsOf(2n, 1);
  assert.ok(second !== undefined && other !== undefined);
  receiver.receive(second, 0);
  assert.deepEqual(textsOf(receiver.receive(other, 0, new Map([[1n, 1n]]))), []);
  const { items, drops } = receiver.unfollow(1n, 5);
  assert.deepEqual([textsOf({ items }), drops], [["2:1"], ["unfollowed"]]);
  assert.deepEqual(receiver.unfollow(1n, 5), { items: [], drops: [] });
  assertConserved(receiver);
});

Deno.test("CausalReceiver counts causes that it has to remember, and not those that are met", () => {
  const receiver = new CausalReceiver({ strangers: "genesis", heldBytesMax: 250 });
  receiver.follow(1n, "genesis");
  receiver.follow(2n, "genesis");
  const [one, , three] = eventsOf(1n, 3);
  const [first, second] = eventsOf(3n, 2);
  assert.ok(one !== undefined && three !== undefined);
  assert.ok(first !== undefined && second !== undefined);
  receiver.receive(one, 0);
  const causes = new Map([[1n, 1n], [2n, 5n], [7n, 9n]]);
  assert.deepEqual(receiver.receive(first, 0, causes).drops, []);
  assert.equal(receiver.stat().heldBytes, first.payload.length + 96);
  const many = new Map([[1n, 9n], [2n, 9n]]);
  assert.deepEqual(receiver.receive(second, 0, many).drops, ["full"]);
  assert.deepEqual(receiver.receive(three, 0, new Map()).drops, []);
  const endless = new Map(Array.from({ length: 4_097 }, (_, index) => [BigInt(index), 1n]));
  assert.deepEqual(receiver.receive(second, 0, endless).drops, ["too_many_causes"]);
});

Deno.test("CausalReceiver looks at no more than 64 gaps for an event that knows only bits", () => {
  const receiver = new CausalReceiver({ strangers: "genesis" });
  const gapAt = (origin: bigint) => receiver.receive(at(eventsOf(origin, 2), 2), 0);
  const knowing = (origin: bigint, seen: bigint) => {
    const horizon = new ObservedHorizon();
    horizon.observe(seen, 1n);
    return textsOf(
      receiver.receive(new CausalChain(origin).append(new Uint8Array(), horizon.bits), 0),
    );
  };
  // Of origins that share no bit with the one that was seen.
  const seen = 0xffffn;
  const others = Array.from({ length: 400 }, (_, index) => 1_000n + BigInt(index))
    .filter((origin) => (horizonBits(origin) & horizonBits(seen)) === 0n);
  for (const origin of others.slice(0, 63)) gapAt(origin);
  gapAt(seen);
  assert.deepEqual(knowing(1n, seen), []);
  receiver.unfollow(seen, 0);
  gapAt(others[63] ?? assert.fail());
  gapAt(seen);
  assert.deepEqual(knowing(2n, seen), ["2:1"]);
});

Deno.test("CausalReceiver goes on where another one had come to, without the last payload", () => {
  const events = eventsOf(1n, 4);
  const before = new CausalReceiver({ strangers: "genesis" });
  assert.equal(before.anchor(1n), undefined);
  for (const sequence of [1, 2]) before.receive(at(events, sequence), 0);
  const anchor = before.anchor(1n) ?? assert.fail();
  const after = new CausalReceiver();
  after.follow(1n, anchor);
  assert.deepEqual(after.receive(at(events, 2), 0).drops, ["duplicate"]);
  const wrong = { ...at(events, 3), link: { ...at(events, 3).link, parent: 5n } };
  assert.deepEqual(after.receive(wrong, 0).drops, ["parent"]);
  assert.deepEqual(textsOf(after.receive(at(events, 3), 0)), ["1:3"]);
});

Deno.test("CausalReceiver follows a writer across a restore that it was told of", () => {
  const events = eventsOf(WRITER.originHash, 3);
  const snapshot = snapshotBehind(at(events, 3));
  const chain = CausalChain.afterSnapshot(snapshot);
  const next = [chain.append(Uint8Array.of(1)), chain.append(Uint8Array.of(2))];
  const receiver = new CausalReceiver({ strangers: "genesis" });
  assert.ok(!receiver.noteRestore(snapshot));
  receiver.receive(at(events, 1), 0);
  // It may be told before it has come so far.
  assert.ok(receiver.noteRestore(snapshot));
  for (const sequence of [2, 3]) receiver.receive(at(events, sequence), 0);
  assert.ok(receiver.noteRestore(snapshot));
  const other = { ...snapshot, link: { ...snapshot.link, parent: 1n } };
  assert.ok(!receiver.noteRestore(other));
  const handedOn = next.flatMap((event) => receiver.receive(event, 0).items);
  assert.deepEqual(handedOn.map((item) => item.kind === "event" && item.event), next);
  assert.ok(!receiver.noteRestore(snapshot));
});

/** What a network does to one event: it comes never, once or twice, after so long. */
const anyFate = fc.record({
  copies: fc.oneof({ arbitrary: fc.constant(1), weight: 6 }, fc.constantFrom(0, 2)),
  delaysMs: fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 400 })),
  hasCauses: fc.boolean(),
});

Deno.test("CausalReceiver accounts for every number on a network that loses, delays and repeats", () => {
  const anyFates = fc.array(anyFate, { minLength: 60, maxLength: 60 });
  const anyTalk = fc.array(
    fc.record({ writer: fc.nat({ max: 2 }), hears: fc.nat({ max: 2 }) }),
    { minLength: 20, maxLength: 60 },
  );
  fc.assert(
    fc.property(anyTalk, anyFates, (steps, fates) => {
      const talk = conversation(steps);
      const arrivals = talk.flatMap(({ event, causes }, index) => {
        const { copies, delaysMs, hasCauses } = fates[index] ?? assert.fail();
        return delaysMs.slice(0, copies).map((delay) => ({
          event,
          causes: hasCauses ? causes : undefined,
          atMs: index * 10 + delay,
        }));
      }).sort((left, right) => left.atMs - right.atMs);
      const receiver = new CausalReceiver({ patienceMs: 150 });
      for (const origin of [1n, 2n, 3n]) receiver.follow(origin, "genesis");
      const causesOf = new Map(
        talk.map(({ event: { link }, causes }) => [`${link.origin}:${link.sequence}`, causes]),
      );
      const exact = new Set(
        arrivals.filter(({ causes }) => causes !== undefined)
          .map(({ event: { link } }) => `${link.origin}:${link.sequence}`),
      );
      const position = new Map([[1n, 0n], [2n, 0n], [3n, 0n]]);
      const early = new Set<bigint>();
      const take = ({ items }: CausalReceived) => {
        for (const item of items) {
          const origin = item.kind === "gap" ? item.origin : item.event.link.origin;
          const [from, to] = item.kind === "gap"
            ? [item.from, item.to]
            : [item.event.link.sequence, item.event.link.sequence];
          assert.equal(from, (position.get(origin) ?? 0n) + 1n);
          position.set(origin, to);
          if (item.kind === "gap") continue;
          if (item.isEarly) early.add(origin);
          const name = `${origin}:${from}`;
          // Once a chain did without causes it does without those for good.
          if (!exact.has(name) || early.has(origin)) continue;
          for (const [cause, sequence] of causesOf.get(name) ?? []) {
            assert.ok(
              (position.get(cause) ?? 0n) >= sequence,
              `${name} before ${cause}:${sequence}`,
            );
          }
        }
        assertConserved(receiver);
      };
      for (const { event, causes, atMs } of arrivals) {
        for (let due = receiver.nextDeadlineMs; due !== undefined && due <= atMs;) {
          take(receiver.expire(due));
          due = receiver.nextDeadlineMs;
        }
        take(receiver.receive(event, atMs, causes));
      }
      for (let due = receiver.nextDeadlineMs; due !== undefined; due = receiver.nextDeadlineMs) {
        take(receiver.expire(due));
      }
      const stat = receiver.stat();
      assert.deepEqual([stat.held, stat.heldBytes], [0, 0]);
      const came = new Set(arrivals.map(({ event }) => event));
      assert.ok(stat.handedOn <= came.size);
      assert.equal(stat.received, arrivals.length);
    }),
    { numRuns: 300 },
  );
});

Deno.test("CausalReceiver gives up missing events before causes that wait for them", () => {
  const receiver = new CausalReceiver({ strangers: "genesis", patienceMs: 100 });
  receiver.follow(1n, "genesis");
  receiver.receive(at(eventsOf(2n, 1), 1), 0, new Map([[1n, 2n]]));
  receiver.receive(at(eventsOf(1n, 2), 2), 50);
  assert.deepEqual(textsOf(receiver.expire(150)), ["1:1-1", "1:2", "2:1"]);
});

Deno.test("CausalReceiver has the deadline of whoever waits longest, also after others moved on", () => {
  const receiver = new CausalReceiver({ strangers: "genesis", patienceMs: 100 });
  const [left, right] = [eventsOf(1n, 4), eventsOf(2n, 2)];
  receiver.receive(at(left, 2), 0);
  receiver.receive(at(left, 4), 5);
  receiver.receive(at(right, 2), 10);
  assert.equal(receiver.nextDeadlineMs, 100);
  receiver.receive(at(left, 1), 20);
  assert.equal(receiver.nextDeadlineMs, 110);
  receiver.receive(at(right, 1), 30);
  assert.equal(receiver.nextDeadlineMs, 120);
});

Deno.test("CausalReceiver keeps four events that claim one place, and no more", () => {
  const events = eventsOf(1n, 2);
  const receiver = new CausalReceiver({ strangers: "genesis" });
  const drops = [1n, 2n, 3n, 4n, 5n].flatMap((parent) =>
    receiver.receive({ ...at(events, 2), link: { ...at(events, 2).link, parent } }, 0).drops
  );
  assert.deepEqual(drops, ["full"]);
  assert.equal(receiver.receive(at(events, 1), 0).drops.length, 4);
});
