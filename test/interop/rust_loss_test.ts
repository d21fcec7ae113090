/**
 * Large reliable transfers between us and the live Rust core over a link that loses packets both ways.
 *
 * With `NET_INTEROP_SEEDS` above 1 they are repeated with so many seeds, and without SACKs as well.
 */
import assert from "node:assert/strict";
import { everyNth, type LossRule, type LossyProxy, seededLoss } from "./lossy_proxy.ts";
import { assertNothingRefused } from "./mesh_node.ts";
import { openRustLink } from "./rust_link.ts";
import { rustPeerTest } from "./rust_peer.ts";
import { transferFromRust, transferToRust } from "./transfers.ts";

const MIB = 1024 * 1024;
const LOSS_RATE = 0.1;
const SEEDS = Number(Deno.env.get("NET_INTEROP_SEEDS") ?? 1);

for (let seed = 1; seed <= SEEDS; seed++) {
  for (const hasRanges of SEEDS > 1 ? [true, false] : [true]) {
    const how = `10 % loss, seed ${seed}, ${hasRanges ? "with" : "without"} SACKs`;
    rustPeerTest(`64 MiB reach the Rust core byte for byte: ${how}`, async () => {
      await using link = await openRustLink({ hasRanges });
      const { node, rust, proxy } = link;
      proxy.lose(seededLoss(seed, LOSS_RATE));
      const received = await transferToRust(node, rust, 21n, 64 * MIB);
      const { tx_resent_total } = node.transport.counters;
      console.log(
        `  ${received.seconds.toFixed(1)} s, ${proxy.counts.toTarget.lost} packets lost,`,
        `${tx_resent_total} resent, ${received.duplicates} events delivered twice by the core`,
      );
      assertLossy(proxy, 64 * MIB);
      assert.ok(tx_resent_total >= proxy.counts.toTarget.lost * 0.9);
      assert.ok(received.disordered > 0, "the core delivers what is behind a gap at once");
      assertNothingRefused(node);
    });
    rustPeerTest(`64 MiB from the Rust core arrive once and in order: ${how}`, async () => {
      await using link = await openRustLink({ hasRanges });
      const { node, rust, proxy } = link;
      proxy.lose(seededLoss(seed, LOSS_RATE));
      const { continuations, seconds } = await transferFromRust(node, rust, 33n, 64 * MIB);
      console.log(
        `  ${seconds.toFixed(1)} s, ${proxy.counts.fromTarget.lost} packets lost,`,
        `${node.transport.counters.drop_duplicate_total} copies dropped,`,
        `given up by the core ${continuations} times`,
      );
      assertLossy(proxy, 64 * MIB);
      assertNothingRefused(node);
    });
  }
}

rustPeerTest("8 MiB arrive byte for byte with every 10th packet dropped, both ways", async (t) => {
  for (const hasRanges of [true, false]) {
    await t.step(hasRanges ? "with SACKs" : "without SACKs", async () => {
      await using link = await openRustLink({ hasRanges });
      const { node, rust, proxy } = link;
      const rule: LossRule = everyNth(10);
      proxy.lose(rule);
      await transferToRust(node, rust, 21n, 8 * MIB);
      assertLossy(proxy, 8 * MIB);
      proxy.lose(rule);
      await transferFromRust(node, rust, 34n, 8 * MIB);
      assertLossy(proxy, 8 * MIB);
      assertNothingRefused(node);
    });
  }
});

/** The proxy did lose a tenth of at least as many packets as the bytes need, in both directions. */
function assertLossy({ counts }: LossyProxy, sizeBytes: number): void {
  for (const { passed, lost } of Object.values(counts)) {
    const share = lost / (passed + lost);
    assert.ok(share > 0.08 && share < 0.12, `${lost} of ${passed + lost} lost`);
  }
  const packets = counts.toTarget.passed + counts.fromTarget.passed;
  assert.ok(packets > sizeBytes / 8192);
}
