/** `blob.transfers` between nodes on a simulated network. */
import assert from "node:assert/strict";
import { NetError, utf8 } from "../../../src/base/mod.ts";
import {
  type BlobTransfer,
  DEFAULT_DATA_POLICY,
  type TransferRegistry,
  TransferRegistry as Registry,
} from "../../../src/blob/mod.ts";
import { TransferViewService } from "../../../src/services/mod.ts";
import { RpcKit } from "../rpc/rpc_kit.ts";

const HASH = new Uint8Array(32).fill(7);

async function twoNodes(kit: RpcKit, options: { readonly hasEngine?: boolean } = {}) {
  const [asker, other] = [await kit.node(1), await kit.node(2)];
  await kit.connect(asker, other);
  const registry = new Registry(kit.clock, 100n);
  const transfer = { registry } as unknown as BlobTransfer;
  let policy = DEFAULT_DATA_POLICY;
  const view = (rpc: typeof asker.rpc, own: BlobTransfer | undefined) =>
    new TransferViewService({
      rpc,
      blobs: { transfer: own },
      policy: {
        get current() {
          return policy;
        },
      },
    });
  const served = view(other.rpc, options.hasEngine === false ? undefined : transfer);
  await served.start();
  await kit.clock.advance(2_000);
  const allow = (remote: "off" | "list" | "cancel") => {
    policy = { ...policy, fetch: { ...policy.fetch, remote } };
  };
  return { asking: view(asker.rpc, undefined), peer: other.node.nodeId, registry, allow, asker };
}

/** A get with one stream, as the engine enters it. */
function enter(registry: TransferRegistry) {
  const get = registry.beginGet("b3:00");
  const stream = registry.openStream({
    streamId: 0x2000_0000_0000_0005n,
    peer: 9n,
    hash: HASH,
    direction: "fetch",
    getId: get.id,
  });
  registry.openStream({ streamId: 6n, peer: 9n, hash: HASH, direction: "serve" });
  stream.moved(8_000, 4_194_304);
  return get;
}

Deno.test("a peer tells what it fetches, not what it serves, and ends it when asked", async () => {
  using kit = new RpcKit();
  const { asking, peer, registry } = await twoNodes(kit);
  const empty = await kit.settled(asking.ask(peer, { kind: "list" }));
  assert.deepEqual(empty, { kind: "transfers", transfers: [] });
  const get = enter(registry);
  const transfer = {
    streamId: 0x2000_0000_0000_0005n,
    holder: 9n,
    expectedHash: HASH,
    bytesReceived: 8_000n,
    totalBytes: 4_194_304n,
  };
  const list = await kit.settled(asking.ask(peer, { kind: "list" }));
  assert.deepEqual(list, { kind: "transfers", transfers: [transfer] });
  const { streamId } = transfer;
  const one = await kit.settled(asking.ask(peer, { kind: "get", streamId }));
  assert.deepEqual(one, { kind: "transfer", transfer });
  const none = await kit.settled(asking.ask(peer, { kind: "get", streamId: 6n }));
  assert.deepEqual(none, { kind: "transfer", transfer: undefined });
  const cancelled = await kit.settled(asking.ask(peer, { kind: "cancel", streamId }));
  assert.deepEqual(cancelled, { kind: "cancelled", existed: true });
  assert.ok(get.signal.aborted);
  const again = await kit.settled(asking.ask(peer, { kind: "cancel", streamId: 1n }));
  assert.deepEqual(again, { kind: "cancelled", existed: false });
});

Deno.test("a peer says no more than its policy lets it", async () => {
  using kit = new RpcKit();
  const { asking, peer, registry, allow } = await twoNodes(kit);
  const get = enter(registry);
  allow("list");
  const list = await kit.settled(asking.ask(peer, { kind: "list" }));
  assert.equal(list.kind, "transfers");
  const streamId = 0x2000_0000_0000_0005n;
  await assert.rejects(
    kit.settled(asking.ask(peer, { kind: "cancel", streamId })),
    /fetch\.remote/,
  );
  assert.ok(!get.signal.aborted);
  allow("off");
  await assert.rejects(kit.settled(asking.ask(peer, { kind: "list" })), /fetch\.remote/);
});

Deno.test("errors of the service are told as what they are", async () => {
  using kit = new RpcKit();
  const { asking, peer, asker } = await twoNodes(kit, { hasEngine: false });
  await assert.rejects(
    kit.settled(asking.ask(peer, { kind: "list" })),
    (error) => error instanceof NetError && error.code === "not_ready" && error.next !== undefined,
  );
  const call = asker.rpc.call("blob.transfers", utf8("\x09"), { target: peer });
  assert.equal((await kit.settled(call)).toHex().slice(0, 4), "0300");
});

Deno.test("an answer that does not fit the question is refused", async () => {
  using kit = new RpcKit();
  const [asker, other] = [await kit.node(1), await kit.node(2)];
  await kit.connect(asker, other);
  const bodies = ["", "0201", "0001"];
  other.rpc.serve("blob.transfers", () => Uint8Array.fromHex(bodies.shift() ?? ""));
  await kit.clock.advance(2_000);
  const asking = new TransferViewService({
    rpc: asker.rpc,
    blobs: { transfer: undefined },
    policy: { current: DEFAULT_DATA_POLICY },
  });
  for (let i = 0; i < 3; i++) {
    await assert.rejects(
      kit.settled(asking.ask(other.node.nodeId, { kind: "list" })),
      (error) => error instanceof NetError && error.code === "integrity",
    );
  }
});
