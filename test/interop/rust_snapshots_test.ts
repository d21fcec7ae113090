/** Chains and snapshots of daemons (`CDS1`) that the live core makes and restores, beside ours. */
import assert from "node:assert/strict";
import { utf8 } from "../../src/base/mod.ts";
import {
  createIdentity,
  createNoiseKeyPair,
  sealIdentityEnvelope,
} from "../../src/core/crypto/mod.ts";
import {
  CausalChain,
  decodeStateSnapshot,
  encodeCausalLink,
  encodeStateSnapshot,
  ObservedHorizon,
  type StateSnapshot,
} from "../../src/state/mod.ts";
import { type RustStorage, rustTest } from "./rust_storage.ts";

function decoded(bytes: Uint8Array): StateSnapshot {
  const result = decodeStateSnapshot(bytes);
  assert.ok(result.ok, result.ok ? "" : result.fault);
  assert.deepEqual(encodeStateSnapshot(result.snapshot), bytes);
  return result.snapshot;
}

/** What the core's daemon does, done by us: two outputs per event, the number of events as state. */
class OwnDaemon {
  readonly entityId: Uint8Array;
  chain: CausalChain;
  #horizon = new ObservedHorizon();
  #events = 0;

  constructor(seed: Uint8Array) {
    const { entityId, originHash } = createIdentity(seed);
    this.entityId = entityId;
    this.chain = new CausalChain(originHash);
  }

  restore(snapshot: StateSnapshot): void {
    this.chain = CausalChain.afterSnapshot(snapshot);
    this.#horizon = new ObservedHorizon();
    this.#events = Number(new TextDecoder().decode(snapshot.state));
  }

  deliver(origin: bigint, sequence: bigint, payload: Uint8Array): Uint8Array[] {
    this.#horizon.observe(origin, sequence);
    this.#events += 1;
    const outputs = [0, 1].map((output) => Uint8Array.of(...payload, output));
    for (const output of outputs) this.chain.append(output, this.#horizon.bits);
    return outputs;
  }

  snapshot(createdAtNs: bigint): StateSnapshot {
    return {
      entityId: this.entityId,
      link: this.chain.head.link,
      createdAtNs,
      state: utf8(String(this.#events)),
      bindings: new Uint8Array(),
      envelope: undefined,
    };
  }
}

const SEED = new Uint8Array(32).fill(0x5c);
const INPUTS = [[0xaaaan, 1n], [0xbbbbn, 5n], [0xaaaan, 2n], [0xffff_ffff_ffff_ffffn, 9n]] as const;

/** Delivers to both, and compares outputs and snapshots. */
async function deliverBoth(
  rust: RustStorage,
  daemon: bigint,
  own: OwnDaemon,
  inputs: readonly (readonly [bigint, bigint])[],
): Promise<Uint8Array> {
  let bytes = await rust.call("daemonSnapshot", { daemon });
  for (const [origin, sequence] of inputs) {
    const payload = utf8(`input ${sequence}`);
    const outputs = await rust.call("deliver", { daemon, origin, sequence, payload });
    assert.deepEqual(outputs, own.deliver(origin, sequence, payload));
    bytes = await rust.call("daemonSnapshot", { daemon });
    const theirs = decoded(bytes);
    assert.deepEqual(encodeStateSnapshot(own.snapshot(theirs.createdAtNs)), bytes);
  }
  return bytes;
}

rustTest(
  "a daemon's snapshots in the core are byte for byte those of its chain here",
  async (rust) => {
    const own = new OwnDaemon(SEED);
    const daemon = await rust.call("spawnDaemon", { seed: SEED });
    assert.equal(daemon, own.chain.origin);
    const bytes = await deliverBoth(rust, daemon, own, INPUTS);
    const { createdAtNs } = decoded(bytes);
    const now = BigInt(Date.now()) * 1_000_000n;
    assert.ok(createdAtNs <= now + 1_000_000n && createdAtNs > now - 60_000_000_000n);
  },
);

rustTest("a snapshot of the core goes on here as it goes on in the core", async (rust) => {
  const own = new OwnDaemon(SEED);
  const first = await rust.call("spawnDaemon", { seed: SEED });
  const snapshot = await deliverBoth(rust, first, own, INPUTS.slice(0, 2));
  await rust.call("stopDaemon", { daemon: first });
  const restored = new OwnDaemon(SEED);
  restored.restore(decoded(snapshot));
  const second = await rust.call("spawnDaemon", { seed: SEED, snapshot });
  await deliverBoth(rust, second, restored, INPUTS.slice(2));
  // And once more, behind a restore.
  await rust.call("stopDaemon", { daemon: second });
});

rustTest(
  "a snapshot that we made is restored by the core and goes on as it does here",
  async (rust) => {
    const own = new OwnDaemon(SEED);
    for (const [origin, sequence] of INPUTS) own.deliver(origin, sequence, utf8("here"));
    const snapshot = own.snapshot(1_700_000_000_000_000_000n);
    const daemon = await rust.call("spawnDaemon", {
      seed: SEED,
      snapshot: encodeStateSnapshot(snapshot),
    });
    const restored = new OwnDaemon(SEED);
    restored.restore(snapshot);
    await deliverBoth(rust, daemon, restored, INPUTS.slice(0, 2));
  },
);

rustTest(
  "the core takes a snapshot of ours with an envelope, and refuses what we refuse",
  async (rust) => {
    const own = new OwnDaemon(SEED);
    own.deliver(1n, 1n, utf8("here"));
    const plain = own.snapshot(1n);
    const target = createNoiseKeyPair(new Uint8Array(32).fill(9));
    const envelope = sealIdentityEnvelope({
      seed: SEED,
      targetKey: target.publicKey,
      causalLink: encodeCausalLink(plain.link),
    });
    const sealed = encodeStateSnapshot({ ...plain, envelope });
    const daemon = await rust.call("spawnDaemon", { seed: SEED, snapshot: sealed });
    await rust.call("stopDaemon", { daemon });

    const good = encodeStateSnapshot(plain);
    const spoiled = [
      good.slice(0, -1),
      Uint8Array.of(...good, 0),
      good.with(0, 0x63),
      good.with(4, 1),
      good.with(37, 9),
      good.with(good.length - 1, 2),
      good.with(45, (good[45] ?? 0) ^ 1),
      good.with(88, 0x7f),
      sealed.with(good.length, 2),
    ];
    for (const [index, bytes] of spoiled.entries()) {
      assert.ok(!decodeStateSnapshot(bytes).ok, `case ${index}`);
      await assert.rejects(
        rust.call("spawnDaemon", { seed: SEED, snapshot: bytes }),
        /snapshot decode failed/,
        `case ${index}`,
      );
    }
    const other = new OwnDaemon(new Uint8Array(32).fill(0x5d)).snapshot(1n);
    await assert.rejects(
      rust.call("spawnDaemon", { seed: SEED, snapshot: encodeStateSnapshot(other) }),
      /mismatch/,
    );
  },
);
