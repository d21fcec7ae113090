/**
 * Five nodes with churn: a blob with three copies stays readable while any two nodes are down, and after hours of
 * coming and going there are three copies again, not one per node. Real transports, announcements, calls, stores
 * and transfers on a simulated network, with the times of the program.
 */
import assert from "node:assert/strict";
import { type BlobRef, CHUNK_BYTES, COPIES_TIMES } from "../../src/blob/mod.ts";
import {
  BlobMeshKit,
  type BlobMeshNode,
  bytesOf,
  MEET_MS,
  sourceOf,
} from "../services/blobs/blob_mesh_kit.ts";
import { seededRandom } from "./memory_network.ts";

/** Seeds of the churn; `NET_SIM_SEED` in their place. */
const SEEDS = (Deno.env.get("NET_SIM_SEED") ?? "1").split(",").map(Number);
/** Nodes of the mesh, by seed: five, and every other time nine, where there is more room for too many copies. */
const nodesOf = (seed: number) => Array.from({ length: seed % 2 === 1 ? 5 : 9 }, (_, i) => i + 1);
const COPIES = 3;
const HOUR_MS = 3_600_000;
const STEP_MS = 250;
const BYTES = CHUNK_BYTES + 1_000;

/** Five nodes of which each has a session with each, and a blob of node 1 with three copies. */
class Churn {
  readonly kit: BlobMeshKit;
  hash: Uint8Array = new Uint8Array(32);
  ref: BlobRef | undefined;
  readonly numbers: readonly number[];
  readonly #random: () => number;
  /** Repairs and drops of nodes that have been stopped since. */
  #before = { repairs: 0, drops: 0 };

  constructor(seed: number) {
    this.kit = new BlobMeshKit({ seed });
    this.numbers = nodesOf(seed);
    this.#random = seededRandom(seed);
  }

  async begin(): Promise<void> {
    for (const number of this.numbers) await this.up(number);
    await this.kit.pass(MEET_MS, STEP_MS);
    const first = this.node(1);
    const stored = await this.kit.run(first.store.put(sourceOf(bytesOf(BYTES))));
    this.hash = stored.hash;
    this.ref = stored.ref;
    const options = { peers: COPIES - 1, waitMs: 60_000 };
    const receipt = await this.kit.run(first.replicas.replicate(stored.hash, options));
    assert.equal(receipt.holders.length, COPIES - 1);
    await this.kit.pass(MEET_MS, STEP_MS);
  }

  node(number: number): BlobMeshNode {
    const node = this.kit.nodes.get(number);
    assert.ok(node !== undefined, `node ${number} is down`);
    return node;
  }

  async up(number: number): Promise<void> {
    const others = [...this.kit.nodes.values()];
    const node = await this.kit.run(this.kit.start(number));
    for (const other of others) await this.kit.connect(node, other);
  }

  async down(number: number): Promise<void> {
    const { repairs, drops } = acts(this.node(number));
    this.#before.repairs += repairs;
    this.#before.drops += drops;
    await this.kit.stop(number);
  }

  /** Nodes whose disk has the whole blob, those that are down included. */
  async copies(): Promise<number[]> {
    const held: number[] = [];
    for (const number of this.numbers) {
      const store = this.kit.diskOf(number);
      if (await this.kit.run(store.stat(this.hash)) !== undefined) held.push(number);
    }
    return held;
  }

  /** Every node that is up reads every byte, from itself or from whoever has it. */
  async readEverywhere(what: string): Promise<void> {
    const chunks = this.ref?.kind === "manifest" ? this.ref.chunks : [];
    assert.ok(chunks.length > 0);
    for (const node of this.kit.nodes.values()) {
      for (const { hash, size } of chunks) {
        const read = async () =>
          await node.store.readChunk(hash) ??
            (await node.transfer.fetchChunk(hash, { blobHash: this.hash })).bytes;
        const got = await this.kit.run(read(), STEP_MS).catch((error: unknown) => error);
        const length = got instanceof Uint8Array ? got.length : String(got);
        assert.equal(length, size, `${what}: node ${node.number} reads it`);
      }
    }
  }

  get repairs(): number {
    return this.#sum().repairs;
  }

  get drops(): number {
    return this.#sum().drops;
  }

  /** A whole number from `least` to below `most`. */
  between(least: number, most: number): number {
    return Math.floor(least + this.#random() * (most - least));
  }

  #sum() {
    const sum = { ...this.#before };
    for (const node of this.kit.nodes.values()) {
      const { repairs, drops } = acts(node);
      sum.repairs += repairs;
      sum.drops += drops;
    }
    return sum;
  }
}

function acts({ metrics }: BlobMeshNode) {
  const counters = metrics.snapshot();
  return {
    repairs: Number(counters.net_replicas_keep_repairs_total),
    drops: Number(counters.net_replicas_keep_dropped_total),
  };
}

Deno.test("a blob with three copies is read everywhere while any two of five nodes are down", async () => {
  const churn = new Churn(1);
  await using kit = churn.kit;
  await churn.begin();
  const before = await churn.copies();
  assert.equal(before.length, COPIES);
  const { numbers } = churn;
  for (const [i, left] of numbers.entries()) {
    for (const right of numbers.slice(i + 1)) {
      await churn.down(left);
      await churn.down(right);
      await churn.readEverywhere(`without ${left} and ${right}`);
      await churn.up(left);
      await churn.up(right);
      await kit.pass(MEET_MS, STEP_MS);
    }
  }
  // Nobody was away for long: nothing was copied for that.
  assert.deepEqual(await churn.copies(), before);
  assert.equal(churn.repairs, 0);
});

for (const seed of SEEDS) {
  Deno.test(`copies come back to three after hours of coming and going, seed ${seed}`, async () => {
    const churn = new Churn(seed);
    await using kit = churn.kit;
    await churn.begin();
    /** When each node that is down comes back. */
    const down = new Map<number, number>();
    let outages = 0;
    let most = 0;
    const endMs = kit.clock.now() + 8 * HOUR_MS;
    while (kit.clock.now() < endMs) {
      for (const [number, untilMs] of down) {
        if (kit.clock.now() < untilMs) continue;
        down.delete(number);
        await churn.up(number);
      }
      const victim = churn.between(1, churn.numbers.length + 1);
      if (down.size < 2 && !down.has(victim) && churn.between(0, 3) === 0) {
        await churn.down(victim);
        const awayMs = churn.between(60_000, 2 * HOUR_MS);
        if (awayMs > COPIES_TIMES.graceMs) outages += 1;
        down.set(victim, kit.clock.now() + awayMs);
      }
      await churn.readEverywhere(`${down.size} nodes down`);
      most = Math.max(most, (await churn.copies()).length);
      await kit.pass(churn.between(60_000, 600_000), STEP_MS);
    }
    for (const number of down.keys()) await churn.up(number);
    const many = await churn.copies();
    assert.ok(many.length >= COPIES, `${many.length} copies`);
    assert.ok(most <= 2 * COPIES, `${most} copies at a time`);
    // One copy for each long outage at the most: nobody repairs what another one repairs.
    assert.ok(churn.repairs <= outages, `${churn.repairs} repairs for ${outages} outages`);
    assert.ok(churn.repairs > 0, "the churn was worth the name");
    const calm = churn.repairs;
    await kit.pass(8 * HOUR_MS, STEP_MS);
    const left = await churn.copies();
    assert.equal(left.length, COPIES, `copies on ${left.join(", ")}`);
    assert.equal(churn.repairs, calm, "nothing is copied while nothing happens");
    assert.equal(churn.drops >= many.length - COPIES, true);
    await churn.readEverywhere("after it all");
    console.log(
      `seed ${seed}: ${outages} long outages, ${churn.repairs} repairs, ${churn.drops} drops, ` +
        `at most ${most} copies at a time, ${many.length} at the end of the churn, ` +
        `${left.length} after it`,
    );
  });
}
