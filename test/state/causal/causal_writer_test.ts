import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CausalReceiver,
  CausalWriter,
  decodeCauses,
  encodeCauses,
  mayHaveSeen,
  ObservedHorizon,
} from "../../../src/state/mod.ts";

const PAYLOAD = Uint8Array.of(1);

Deno.test("CausalWriter says with every event what was observed before it", () => {
  const writer = new CausalWriter(1n);
  const first = writer.write(PAYLOAD);
  assert.deepEqual([first.event.link.horizon, first.causes], [0n, new Map()]);
  writer.observe(2n, 5n);
  writer.observe(1n, 1n);
  const [second, third] = [writer.write(PAYLOAD), writer.write(PAYLOAD)];
  assert.deepEqual(second.causes, new Map([[2n, 5n]]));
  assert.equal(second.causes, third.causes);
  assert.equal(second.event.link.horizon, third.event.link.horizon);
  assert.ok(mayHaveSeen(second.event.link.horizon, 2n));
  writer.observe(2n, 6n);
  const fourth = writer.write(PAYLOAD);
  assert.deepEqual(fourth.causes, new Map([[2n, 6n]]));
  assert.deepEqual(second.causes, new Map([[2n, 5n]]));
  assert.equal(fourth.event.link.sequence, 4n);
});

Deno.test("CausalWriter leaves exact causes out when it cannot know them, or there are too many", () => {
  const forgetful = new CausalWriter(1n, new ObservedHorizon(2));
  for (const origin of [2n, 3n]) forgetful.observe(origin, 1n);
  assert.equal(forgetful.write(PAYLOAD).causes?.size, 2);
  forgetful.observe(4n, 1n);
  assert.equal(forgetful.write(PAYLOAD).causes, undefined);
  const popular = new CausalWriter(1n);
  for (let origin = 2n; origin < 4_098n; origin++) popular.observe(origin, 1n);
  assert.equal(popular.write(PAYLOAD).causes?.size, 4_096);
  popular.observe(5_000n, 1n);
  assert.equal(popular.write(PAYLOAD).causes, undefined);
});

Deno.test("what writers write comes to a reader after what they had read, in whatever order it travels", () => {
  const anySteps = fc.array(
    fc.record({ writer: fc.nat({ max: 2 }), reads: fc.nat({ max: 2 }) }),
    { minLength: 1, maxLength: 25 },
  );
  fc.assert(fc.property(anySteps, fc.infiniteStream(fc.nat()), (steps, draws) => {
    const writers = [1n, 2n, 3n].map((origin) => new CausalWriter(origin));
    const travelling = steps.map(({ writer, reads }) => {
      const [self, other] = [writers[writer], writers[reads]];
      assert.ok(self !== undefined && other !== undefined);
      const { origin, sequence } = other.chain.head.link;
      if (sequence > 0n) self.observe(origin, sequence);
      const { event, causes } = self.write(PAYLOAD);
      assert.ok(causes !== undefined);
      return { event, causes: decodeCauses(encodeCauses(causes)) };
    });
    const receiver = new CausalReceiver();
    for (const origin of [1n, 2n, 3n]) receiver.follow(origin, "genesis");
    const order: string[] = [];
    while (travelling.length > 0) {
      const [next] = travelling.splice((draws.next().value ?? 0) % travelling.length, 1);
      if (next === undefined) break;
      for (const item of receiver.receive(next.event, 0, next.causes).items) {
        assert.ok(item.kind === "event" && !item.isEarly);
        order.push(`${item.event.link.origin}:${item.event.link.sequence}`);
      }
    }
    assert.equal(order.length, steps.length);
    // Each step was written after the one that its writer had read last.
    const placeOf = new Map(order.map((name, place) => [name, place]));
    const counts = new Map<number, number>();
    for (const { writer, reads } of steps) {
      const read = counts.get(reads) ?? 0;
      const own = (counts.get(writer) ?? 0) + 1;
      counts.set(writer, own);
      const place = placeOf.get(`${writer + 1}:${own}`) ?? -1;
      const placeRead = read === 0 ? -1 : placeOf.get(`${reads + 1}:${read}`) ?? Infinity;
      assert.ok(place >= 0 && (writer === reads || placeRead < place));
    }
  }));
});
