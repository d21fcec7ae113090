import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/mod.ts";
import { ItemBatches } from "../../../src/control/node/rpc_batches.ts";
import { sendItems } from "../../../src/control/node/rpc_items.ts";

const item = (text: string) => new TextEncoder().encode(text);

Deno.test("ItemBatches hands on what came together, and what comes alone at once", async () => {
  let wake: (() => void) | undefined;
  async function* source() {
    for (const text of ["a", "b", "c"]) yield item(text);
    await new Promise<void>((resolve) => wake = resolve);
    yield item("d");
    throw new Error("it broke");
  }
  const batches = new ItemBatches(source(), systemClock);
  assert.deepEqual(await batches.next(), ["a", "b", "c"].map(item));
  wake?.();
  assert.deepEqual(await batches.next(), [item("d")]);
  await assert.rejects(batches.next(), /it broke/);
});

Deno.test("ItemBatches holds a bounded number of items and bytes", async () => {
  let asked = 0;
  async function* source() {
    for (; asked < 1_000; asked++) yield new Uint8Array(asked < 600 ? 1 : 100_000);
  }
  const batches = new ItemBatches(source(), systemClock);
  const sizes: number[] = [];
  for (let batch = await batches.next(); batch; batch = await batches.next()) {
    sizes.push(batch.length);
    if (sizes.length === 1) assert.ok(asked <= 257, `${asked} were asked for`);
  }
  assert.deepEqual(sizes.slice(0, 4), [256, 256, 90, 2]);
  assert.equal(sizes.reduce((sum, size) => sum + size, 0), 1_000);
});

Deno.test("sendItems() sends short items together and a long one in pieces, in order", async () => {
  const sent: { readonly items: readonly string[]; readonly more: boolean }[] = [];
  const long = new Uint8Array(600 * 1024).fill(7);
  const send = (data: object) => {
    sent.push(data as typeof sent[number]);
    return Promise.resolve();
  };
  await sendItems(send, [item("a"), item("b"), long, item("c")]);
  assert.deepEqual(sent.map(({ items, more }) => [items.length, more]), [
    [2, false],
    [1, true],
    [1, false],
    [1, false],
  ]);
  const bytes = sent.flatMap(({ items }) =>
    items.map((text) => Uint8Array.fromBase64(text).length)
  );
  assert.deepEqual(bytes, [1, 1, 512 * 1024, 88 * 1024, 1]);
});
