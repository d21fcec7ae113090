import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError } from "../../src/base/mod.ts";
import {
  channelId,
  ChannelRegistry,
  CHANNELS_MAX,
  createChannelConfig,
  createPrefixConfig,
  PREFIXES_MAX,
} from "../../src/channel/mod.ts";

/** Names that share the 16 bits of `lab/x`, found by trying. */
function namesSharing(count: number): string[] {
  const wireHash = channelId("lab/x")?.wireHash;
  const names = ["lab/x"];
  for (let i = 0; names.length < count; i++) {
    if (channelId(`n${i}`)?.wireHash === wireHash) names.push(`n${i}`);
  }
  return names;
}

Deno.test("ChannelRegistry resolves the exact name first, then the longest prefix", () => {
  const registry = new ChannelRegistry();
  registry.set(createPrefixConfig("logs/"));
  registry.set(createPrefixConfig("logs/app/", { priority: 1 }));
  registry.set(createChannelConfig("logs/app/x", { priority: 2 }));
  const priorityOf = (name: string) => registry.resolve(name)?.config.priority;
  assert.deepEqual(
    ["logs/app/x", "logs/app/y", "logs/other", "logs", "log", "logs2/a"].map(priorityOf),
    [2, 1, 0, undefined, undefined, undefined],
  );
  assert.equal(registry.resolve("logs/app/y")?.suffix, "y");
  assert.equal(registry.resolve("logs/app/x")?.suffix, undefined);
});

Deno.test("ChannelRegistry.set() replaces; delete() leaves nothing behind", () => {
  const registry = new ChannelRegistry();
  registry.set(createChannelConfig("a"));
  registry.set(createChannelConfig("a", { isReliable: true }));
  registry.set(createPrefixConfig("p/"));
  registry.set(createPrefixConfig("p/", { isReliable: true }));
  assert.equal(registry.size, 2);
  assert.ok(registry.values().every(({ isReliable }) => isReliable));
  assert.ok(registry.delete("a") && registry.delete("p/"));
  assert.ok(!registry.delete("a") && !registry.delete("p/"));
  assert.equal(registry.size, 0);
  assert.equal(registry.resolve("p/x"), undefined);
  assert.deepEqual(registry.sharersOf(channelId("a")?.wireHash ?? 0), []);
});

Deno.test("ChannelRegistry answers by hash only where one name alone has it", () => {
  const registry = new ChannelRegistry();
  const [first = "", second = ""] = namesSharing(2);
  registry.set(createChannelConfig(first));
  const { hash = 0n, wireHash = 0 } = channelId(first) ?? {};
  assert.equal(registry.byHash(hash)?.name, first);
  assert.equal(registry.byWireHash(wireHash)?.name, first);
  registry.set(createChannelConfig(second));
  assert.equal(registry.byHash(hash)?.name, first);
  assert.equal(registry.byWireHash(wireHash), undefined);
  assert.deepEqual(registry.sharersOf(wireHash), [first, second].sort());
  registry.delete(first);
  assert.equal(registry.byWireHash(wireHash)?.name, second);
});

Deno.test("ChannelRegistry.set() refuses more than there is room for, but replaces", () => {
  const registry = new ChannelRegistry();
  for (let i = 0; i < CHANNELS_MAX; i++) registry.set(createChannelConfig(`c${i}`));
  for (let i = 0; i < PREFIXES_MAX; i++) registry.set(createPrefixConfig(`p${i}/`));
  const isLimit = (error: unknown) => error instanceof NetError && error.code === "limit";
  assert.throws(() => registry.set(createChannelConfig("one-more")), isLimit);
  assert.throws(() => registry.set(createPrefixConfig("one-more/")), isLimit);
  registry.set(createChannelConfig("c0", { priority: 3 }));
  assert.equal(registry.get("c0")?.priority, 3);
});

Deno.test("ChannelRegistry finds what a plain list of names finds", () => {
  const segment = fc.constantFrom("a", "b", "c");
  const name = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
  const steps = fc.array(fc.tuple(name, fc.boolean(), fc.boolean()), { maxLength: 30 });
  fc.assert(fc.property(steps, name, (changes, asked) => {
    const registry = new ChannelRegistry();
    const names = new Set<string>();
    for (const [text, isPrefix, isRemoved] of changes) {
      const key = isPrefix ? `${text}/` : text;
      if (isRemoved) {
        assert.equal(registry.delete(key), names.delete(key));
        continue;
      }
      registry.set(isPrefix ? createPrefixConfig(key) : createChannelConfig(key));
      names.add(key);
    }
    const prefixes = [...names].filter((key) => key.endsWith("/") && asked.startsWith(key));
    const longest = prefixes.sort((a, b) => b.length - a.length)[0];
    const expected = names.has(asked) ? asked : longest;
    assert.equal(registry.resolve(asked)?.config.name, expected);
  }));
});
