/**
 * Seeded hostile inputs for every decoder: none throws, what is accepted comes back, nothing grows.
 *
 * `NET_FUZZ_COUNT` sets how many inputs each gets, `NET_FUZZ_SEED` the seed, `NET_FUZZ_TARGET` names one
 * decoder and `NET_FUZZ_AT` one input of it, to replay.
 */

import assert from "node:assert/strict";
import { FuzzRandom } from "./fuzz_random.ts";
import { runFuzz, weigh } from "./fuzz.ts";
import { drawInput } from "./mutate.ts";
import { FUZZ_TARGETS } from "./targets.ts";

const COUNT = Number(Deno.env.get("NET_FUZZ_COUNT") ?? 20_000);
const SEED = Number(Deno.env.get("NET_FUZZ_SEED") ?? 20_817);
const ONLY = Deno.env.get("NET_FUZZ_TARGET");
const at = Deno.env.get("NET_FUZZ_AT");
/** A corpus that hardly ever gets through its decoder would test its first line only. */
const ACCEPTED_SHARE_MIN = 0.005;

for (const [name, create] of Object.entries(FUZZ_TARGETS)) {
  if (ONLY !== undefined && ONLY !== name) continue;
  Deno.test(`${name} survives hostile inputs`, async () => {
    const options = {
      name,
      seed: SEED,
      count: COUNT,
      at: at === undefined ? undefined : Number(at),
    };
    const { inputs, accepted } = await runFuzz(create, options);
    if (at === undefined) {
      assert.ok(accepted >= inputs * ACCEPTED_SHARE_MIN, `${accepted} accepted`);
    }
  });
}

Deno.test("drawInput() draws the same again for the same seed, and leaves the corpus alone", () => {
  const corpus = [Uint8Array.of(1, 2, 3, 4), new Uint8Array(100).fill(9)];
  const before = corpus.map((bytes) => bytes.toHex());
  const draw = (index: number) => drawInput(corpus, new FuzzRandom(7, index)).toHex();
  const first = Array.from({ length: 500 }, (_, index) => draw(index));
  assert.deepEqual(Array.from({ length: 500 }, (_, index) => draw(index)), first);
  assert.ok(new Set(first).size > 400);
  assert.deepEqual(corpus.map((bytes) => bytes.toHex()), before);
});

Deno.test("runFuzz() names the input that broke a promise, and replays it", async () => {
  const create = () => ({
    corpus: [Uint8Array.of(1, 2, 3)],
    feed: (bytes: Uint8Array) => {
      if (bytes.length > 40) throw new Error("too long");
    },
  });
  const options = { name: "sample", seed: 3, count: 5_000 };
  const error = await runFuzz(create, options).then(() => assert.fail(), (error: Error) => error);
  const [, index] = /NET_FUZZ_AT=(\d+)/.exec(error.message) ?? [];
  await assert.rejects(runFuzz(create, { ...options, at: Number(index) }), {
    message: error.message,
  });
});

Deno.test("runFuzz() refuses what makes much out of little", async () => {
  const create = () => ({
    corpus: [Uint8Array.of(1, 2, 3)],
    feed: () => new Uint8Array(100_000),
  });
  await assert.rejects(
    runFuzz(create, { name: "sample", seed: 1, count: 1 }),
    (error: Error) => /became 100016/.test(String(error.cause)),
  );
  assert.ok(weigh({ text: "abc", list: [1n, new Uint8Array(9)] }) < 100);
});
