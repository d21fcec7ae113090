import assert from "node:assert/strict";
import { withStore } from "../store_kit.ts";
import { putStripes } from "./stripe_kit.ts";

Deno.test("standingOf() tells when the stripe of a chunk can bear no more loss", () =>
  withStore(async ({ store }) => {
    const { stripes } = await putStripes(store, 10);
    const [first = [], second = [], rest = []] = stripes;
    assert.deepEqual([first.length, second.length, rest.length], [6, 6, 2]);
    const isShort = async (hash: Uint8Array | undefined) =>
      (await store.standingOf(hash ?? new Uint8Array()))?.isStripeShort;
    assert.equal(await isShort(first[0]), false);
    for (const lost of first.slice(0, 2)) assert.equal(await store.dropCopy(lost), 100);
    for (const left of first.slice(2)) {
      assert.equal(await isShort(left), true);
      assert.equal(await store.dropCopy(left), undefined);
    }
    // Other stripes have lost nothing, and what no parity protects cannot be short.
    assert.equal(await isShort(second[5]), false);
    assert.equal(await isShort(rest[0]), false);
  }));
