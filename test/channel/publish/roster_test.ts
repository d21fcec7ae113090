import assert from "node:assert/strict";
import fc from "fast-check";
import { type ChannelId, requireChannelId, Roster } from "../../../src/channel/mod.ts";

const channels = ["a", "b", "c"].map(requireChannelId);
const [first] = channels as [ChannelId];

function subscription(channel: ChannelId, peer: bigint, queueGroup?: string) {
  return { channel, peer, queueGroup, standing: undefined };
}

Deno.test("Roster.add() adds once, then renews, also into another group", () => {
  const roster = new Roster<string>();
  assert.equal(roster.add(subscription(first, 1n), 0), "added");
  const entry = roster.get("a")?.byPeer.get(1n) ?? assert.fail();
  entry.link = "open";
  assert.equal(roster.add(subscription(first, 1n, "g"), 5), "renewed");
  assert.equal(roster.get("a")?.broadcast.length, 0);
  assert.equal(roster.get("a")?.groups.get("g")?.members.length, 1);
  assert.equal(roster.add(subscription(first, 1n), 6), "renewed");
  assert.equal(roster.get("a")?.groups.size, 0);
  const renewed = roster.get("a")?.byPeer.get(1n);
  assert.deepEqual([renewed?.link, renewed?.renewedAt, roster.size], ["open", 6, 1]);
});

Deno.test("Roster.removePeer() removes a peer everywhere", () => {
  const roster = new Roster<string>();
  for (const channel of channels) roster.add(subscription(channel, 1n), 0);
  roster.add(subscription(first, 2n), 0);
  assert.equal(roster.channelsOf(1n), 3);
  assert.equal(roster.removePeer(1n).length, 3);
  assert.deepEqual([roster.size, roster.peers, roster.channelsOf(1n)], [1, 1, 0]);
  assert.equal(roster.removeChannel("a").length, 1);
  assert.equal(roster.get("a"), undefined);
  assert.equal(roster.remove("a", 2n), undefined);
});

Deno.test("Roster.add() refuses beyond its bounds", () => {
  const roster = new Roster<string>({ entriesMax: 2 });
  roster.add(subscription(first, 1n), 0);
  roster.add(subscription(first, 2n), 0);
  assert.equal(roster.add(subscription(first, 3n), 0), "full");
  assert.equal(roster.add(subscription(first, 2n, "g"), 0), "renewed");
  assert.equal(roster.size, 2);
});

Deno.test("Roster keeps the order and the turn of a group when a member leaves", () => {
  const roster = new Roster<string>();
  for (const peer of [1n, 2n, 3n]) roster.add(subscription(first, peer, "g"), 0);
  const group = roster.get("a")?.groups.get("g") ?? assert.fail();
  group.next = 2;
  roster.remove("a", 1n);
  assert.deepEqual(group.members.map(({ peer }) => peer), [2n, 3n]);
  assert.equal(group.members[group.next]?.peer, 3n);
});

Deno.test("Roster counts and finds what a plain list of pairs does", () => {
  const step = fc.record({
    channel: fc.nat(2),
    peer: fc.bigInt({ min: 1n, max: 6n }),
    group: fc.constantFrom(undefined, "g", "h"),
    kind: fc.constantFrom("add", "add", "remove", "removePeer"),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const roster = new Roster<string>();
    const pairs = new Map<string, string | undefined>();
    for (const { channel: at, peer, group, kind } of steps) {
      const channel = channels[at] ?? first;
      const key = `${channel.name} ${peer}`;
      if (kind === "add") {
        roster.add(subscription(channel, peer, group), 0);
        pairs.set(key, group);
      } else if (kind === "remove") {
        assert.equal(roster.remove(channel.name, peer) !== undefined, pairs.delete(key));
      } else {
        roster.removePeer(peer);
        for (const other of channels) pairs.delete(`${other.name} ${peer}`);
      }
    }
    assert.equal(roster.size, pairs.size);
    const listed = [...roster.values()].flatMap(({ channel, broadcast, groups }) => [
      ...broadcast.map(({ peer }) => [`${channel.name} ${peer}`, undefined] as const),
      ...[...groups].flatMap(([group, { members }]) =>
        members.map(({ peer }) => [`${channel.name} ${peer}`, group] as const)
      ),
    ]);
    assert.deepEqual(new Map(listed), pairs);
    assert.equal(listed.length, pairs.size);
  }));
});
