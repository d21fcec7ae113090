import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import {
  type ChannelOptions,
  configChannel,
  createChannelConfig,
  createPrefixConfig,
  isChannelPrefix,
} from "../../src/channel/mod.ts";
import { createIdentity } from "../../src/core/crypto/mod.ts";

const root = createIdentity(new Uint8Array(32).fill(1)).entityId;

Deno.test("createChannelConfig() fills in the defaults", () => {
  assert.deepEqual(createChannelConfig("room/a"), {
    name: "room/a",
    isPrefix: false,
    visibility: "global",
    publishTags: [],
    subscribeTags: [],
    requiresToken: false,
    tokenRoots: [],
    bindsOrigin: false,
    queueGroups: "unrestricted",
    priority: 0,
    isReliable: false,
    ratePerSecond: undefined,
  });
});

Deno.test("createChannelConfig() demands tokens where roots are given", () => {
  assert.ok(createChannelConfig("room/a", { tokenRoots: [root] }).requiresToken);
});

Deno.test("createChannelConfig() refuses what can't be", () => {
  const wrong: readonly ChannelOptions[] = [
    { priority: 256 },
    { priority: 1.5 },
    { ratePerSecond: 0 },
    { ratePerSecond: 10_000_001 },
    { tokenRoots: [new Uint8Array(31)] },
    { tokenRoots: [new Uint8Array(32)] },
    { tokenRoots: Array.from({ length: 33 }, () => root) },
    { publishTags: [""] },
    { subscribeTags: Array.from({ length: 33 }, (_, i) => `t${i}`) },
    { bindsOrigin: true },
  ];
  for (const options of wrong) {
    assert.throws(
      () => createChannelConfig("room/a", options),
      (error: unknown) => error instanceof NetError && error.code === "usage",
    );
  }
});

Deno.test("createPrefixConfig() takes the beginning of names up to a separator", () => {
  assert.equal(createPrefixConfig("logs/", { bindsOrigin: true }).isPrefix, true);
  for (const prefix of ["logs/", "svc.replies.", "a/b/"]) assert.ok(isChannelPrefix(prefix));
  for (const prefix of ["", "logs", "/", "Logs/", "a//", "a".repeat(255) + "/"]) {
    assert.ok(!isChannelPrefix(prefix));
    assert.throws(() => createPrefixConfig(prefix), NetError);
  }
  assert.equal(configChannel(createPrefixConfig("logs/")), undefined);
  assert.equal(configChannel(createChannelConfig("logs/a"))?.name, "logs/a");
});
