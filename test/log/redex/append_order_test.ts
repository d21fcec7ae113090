import assert from "node:assert/strict";
import fc from "fast-check";
import { AppendOrder } from "../../../src/log/mod.ts";
import { bytes, createRedexKit, described, isRedexError, text } from "./redex_kit.ts";

async function openOrder(turnsMax?: number) {
  const kit = createRedexKit();
  const file = await kit.redex.open("a");
  return { kit, file, order: new AppendOrder(file, turnsMax) };
}

Deno.test("events come into the log in the order of the turns, whatever order they are ready in", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ readyAt: fc.nat(20), isGivenUp: fc.boolean() }), { maxLength: 30 }),
      async (writers) => {
        const { kit, file, order } = await openOrder();
        await using _ = kit;
        const turns = writers.map(() => order.take());
        const appended: Promise<bigint | undefined>[] = [];
        const byTime = [...writers.entries()].sort(([, a], [, b]) => a.readyAt - b.readyAt);
        for (const [i, { isGivenUp }] of byTime) {
          if (isGivenUp) turns[i]?.cancel();
          else appended.push(turns[i]?.append([bytes(String(i))]) ?? Promise.resolve(undefined));
        }
        await Promise.all(appended);
        const kept = [...writers.entries()].filter(([, { isGivenUp }]) => !isGivenUp);
        assert.deepEqual(
          file.readRange(0n, file.nextSeq).map(({ payload }) => text(payload)),
          kept.map(([i]) => String(i)),
        );
        assert.equal(order.waiting, 0);
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("a writer waits for the turns before it, and gets its own number", async () => {
  const { kit, file, order } = await openOrder();
  await using _ = kit;
  const [first, second] = [order.take(), order.take()];
  const later = second.append([bytes("b"), bytes("c")]);
  await kit.clock.advance(0);
  assert.equal(file.nextSeq, 0n);
  assert.equal(await first.append([bytes("a")]), 0n);
  assert.equal(await later, 1n);
  using tail = file.tail({ from: 0n });
  assert.deepEqual(described(tail.takeNow(9)), ["0=a", "1=b", "2=c"]);
});

Deno.test("a turn that is given up lets those behind it go on", async () => {
  const { kit, order } = await openOrder();
  await using _ = kit;
  const controller = new AbortController();
  const first = order.take({ signal: controller.signal });
  let waiting: Promise<bigint | undefined>;
  {
    using second = order.take();
    const third = order.take();
    waiting = third.append([bytes("c")]);
    assert.ok(second);
  }
  controller.abort();
  assert.equal(await waiting, 0n);
  await assert.rejects(first.append([bytes("a")]), isRedexError("closed"));
  assert.equal(await order.take().append([]), undefined);
  const aborted = order.take({ signal: controller.signal });
  await assert.rejects(aborted.append([bytes("a")]), isRedexError("closed"));
  assert.equal(order.waiting, 0);
});

Deno.test("an append that waits for its turn is refused when the turn is given up", async () => {
  const { kit, order } = await openOrder();
  await using _ = kit;
  const first = order.take();
  const second = order.take();
  const waiting = second.append([bytes("b")]);
  second.cancel();
  await assert.rejects(waiting, isRedexError("closed"));
  assert.equal(await first.append([bytes("a")]), 0n);
  await assert.rejects(first.append([bytes("a")]), isRedexError("closed"), "a turn is used once");
});

Deno.test("an append that fails is its own writer's, and the next ones go on", async () => {
  const { kit, file, order } = await openOrder();
  await using _ = kit;
  const [first, second] = [order.take(), order.take()];
  const later = second.append([bytes("b")]);
  await file.close();
  await assert.rejects(first.append([bytes("a")]), isRedexError("closed"));
  await assert.rejects(later, isRedexError("closed"));
});

Deno.test("so many turns wait, and no more", async () => {
  const { kit, order } = await openOrder(2);
  await using _ = kit;
  const first = order.take();
  order.take();
  assert.throws(() => order.take(), isRedexError("limit"));
  first.cancel();
  order.take();
});
