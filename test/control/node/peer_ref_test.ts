import assert from "node:assert/strict";
import { idToHex } from "../../../src/base/mod.ts";
import { resolvePeer } from "../../../src/control/node/peer_ref.ts";
import { MeshKit } from "../../sim/mesh_kit.ts";
import { viewOf } from "./_view.ts";

Deno.test("resolvePeer() takes an id, or the first digits where one known node begins so", async () => {
  using kit = new MeshKit();
  const [a, b] = [kit.node(1), kit.node(2)];
  await kit.connect(a, b);
  const target = {
    nodeId: 0x1234_5678_9abc_def0n,
    noisePublicKey: new Uint8Array(32),
    addresses: [],
    forms: ["routed" as const],
  };
  const view = viewOf(a, [target, { ...target, nodeId: 0x1234_ffff_0000_0000n }]);
  const hex = idToHex(b.nodeId);
  for (const text of [hex, `0x${hex}`, hex.toUpperCase(), hex.slice(0, 6), String(b.nodeId)]) {
    assert.equal(resolvePeer(view, text, "Cannot trace"), b.nodeId, text);
  }
  assert.equal(resolvePeer(view, "12345", "Cannot trace"), target.nodeId, "digits are a beginning");
  assert.equal(resolvePeer(view, "00000000000000ff", "Cannot trace"), 0xffn, "a whole id, unknown");
  assert.throws(() => resolvePeer(view, "1234", "Cannot trace"), {
    code: "not_found",
    message: 'Cannot trace "1234": 2 nodes begin so',
    next: /123456789abcdef0/,
  });
  assert.throws(() => resolvePeer(view, "abcdef", "Cannot trace"), { code: "not_found" });
  for (const text of ["", "oak", "0123456789abcdef0"]) {
    assert.throws(() => resolvePeer(view, text, "Cannot trace"), {
      code: "usage",
      next: /net node peers/,
    }, text);
  }
});
