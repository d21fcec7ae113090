import assert from "node:assert/strict";
import {
  announcedNoiseKey,
  createCapabilitySet,
  NOISE_KEY_METADATA,
  noiseKeyEntry,
  requireUserMetadataKey,
  TAG_SEALED,
} from "../../../src/core/capability/mod.ts";
import { createIdentity, createNoiseKeyPair } from "../../../src/core/crypto/mod.ts";

const { nodeId, entityId } = createIdentity(new Uint8Array(32).fill(1));
const { publicKey } = createNoiseKeyPair(new Uint8Array(32).fill(2));

/** What is read of an announcement with this entry. */
function readOf(text: string, tags = [TAG_SEALED], announcedBy = nodeId): Uint8Array | undefined {
  const capabilities = createCapabilitySet(tags, [[NOISE_KEY_METADATA, text]]);
  return announcedNoiseKey({ nodeId: announcedBy, entityId, capabilities });
}

Deno.test("announcedNoiseKey() reads what noiseKeyEntry() says", () => {
  const [key, text] = noiseKeyEntry(publicKey);
  assert.equal(key, "net.noise-key");
  assert.match(text, /^[0-9a-f]{64}$/);
  assert.deepEqual(readOf(text), publicKey);
});

Deno.test("announcedNoiseKey() believes no other text, and no key of low order", () => {
  const text = publicKey.toHex();
  const refused = [
    "",
    text.toUpperCase(),
    text.slice(2),
    `${text}00`,
    ` ${text}`,
    `0x${text.slice(2)}`,
    "0".repeat(64),
    `01${"0".repeat(62)}`,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    `ec${"f".repeat(60)}7f`,
  ];
  for (const one of refused) assert.equal(readOf(one), undefined, one);
});

Deno.test("announcedNoiseKey() takes a key from no node that does not seal, or is not the entity's", () => {
  const text = publicKey.toHex();
  assert.equal(readOf(text, ["net.other@1"]), undefined);
  assert.equal(readOf(text, [TAG_SEALED], nodeId + 1n), undefined);
  const capabilities = createCapabilitySet([TAG_SEALED], []);
  assert.equal(announcedNoiseKey({ nodeId, entityId, capabilities }), undefined);
});

Deno.test("an operator can't announce another key", () => {
  assert.throws(() => requireUserMetadataKey(NOISE_KEY_METADATA), {
    code: "usage",
    message: /it is the node's own key/,
  });
});
