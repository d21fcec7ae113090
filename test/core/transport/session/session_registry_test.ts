import assert from "node:assert/strict";
import {
  CROSSING_MS,
  PEERS_MAX,
  SUPERSEDED_MS,
  UNCONFIRMED_MS,
} from "../../../../src/core/transport/limits.ts";
import { SessionRegistry } from "../../../../src/core/transport/session/session_registry.ts";
import type { StreamEnd } from "../../../../src/core/transport/mod.ts";
import { addressOf, createSessionKit, resultOf, type SessionKitOptions } from "../session_kit.ts";

const SELF = 100n;
/** Dials with a lower id: its sessions win when dials cross. */
const LOW = 5n;
/** Dials with a higher id: ours win. */
const HIGH = 200n;

function create(options?: SessionKitOptions) {
  const kit = createSessionKit(options);
  const { peers, counters, clock, context } = kit;
  const opened: [bigint, boolean][] = [];
  const confirmed: bigint[] = [];
  const registry = new SessionRegistry({
    peers,
    counters,
    clock,
    context,
    guard: { onProven: () => {} },
    onSession: (peer, isReplacement) => opened.push([peer.nodeId, isReplacement]),
    onProven: () => {},
    onConfirmed: (peer) => confirmed.push(peer.nodeId),
  }, SELF);
  const find = (result: ReturnType<typeof resultOf>) =>
    registry.get(result.keys.sessionIdLow, result.keys.sessionIdHigh);
  const require = (result: ReturnType<typeof resultOf>) => find(result) ?? assert.fail();
  const accept = (nodeId: bigint) => {
    const result = resultOf(nodeId);
    assert.ok(registry.accept(result));
    return require(result);
  };
  const initiate = (nodeId: bigint) =>
    registry.initiate(resultOf(nodeId, { isInitiator: true })) ?? assert.fail();
  return { ...kit, registry, opened, confirmed, find, accept, initiate };
}

Deno.test("accept() uses the first session of a peer, and waits for its first packet", () => {
  const { registry, peers, opened, confirmed, accept, counters } = create();
  const session = accept(LOW);
  const peer = peers.get(LOW) ?? assert.fail();
  assert.equal(peer.session, session);
  assert.equal(peer.state, "connecting");
  assert.ok(!session.isConfirmed);
  assert.deepEqual(opened, [[LOW, false]]);
  assert.deepEqual(confirmed, []);
  registry.confirm(session);
  assert.ok(session.isConfirmed);
  assert.equal(peer.state, "connected");
  assert.deepEqual(confirmed, [LOW]);
  assert.equal(counters.sessions_opened_total, 1);
  assert.equal(counters.sessions_replaced_total, 0);
});

Deno.test("accept() notes how the peer is reached", () => {
  const { registry, peers } = create();
  registry.accept(resultOf(LOW, { form: "direct" }));
  const direct = peers.get(LOW) ?? assert.fail();
  assert.equal(peers.ownerOf(addressOf(5)), direct);
  assert.equal(direct.form, "direct");
  assert.equal(direct.relayTo, undefined);
  registry.accept(resultOf(HIGH, { isRelayed: true, address: addressOf(5) }));
  const relayed = peers.get(HIGH) ?? assert.fail();
  assert.deepEqual(relayed.relayTo, { low: relayed.low, high: relayed.high });
  assert.ok(!relayed.ownsAddress);
  assert.equal(peers.ownerOf(addressOf(5)), direct);
});

Deno.test("accept() refuses a first message that was used before", () => {
  const { registry, peers, counters, find } = create();
  const first = resultOf(LOW);
  assert.ok(registry.accept(first));
  assert.ok(!registry.accept(resultOf(LOW, { ephemeral: first.ephemeral })));
  const second = resultOf(LOW);
  assert.ok(registry.accept(second));
  assert.ok(!registry.accept(resultOf(LOW, { ephemeral: second.ephemeral })));
  // The same session id is refused too, whatever named it.
  assert.ok(!registry.accept(resultOf(LOW, { keys: first.keys })));
  assert.equal(counters.drop_handshake_replayed_total, 3);
  assert.equal(registry.size, 2);
  assert.equal(peers.get(LOW)?.session, find(first));
});

Deno.test("a newer session takes over with the peer's first packet, not before", () => {
  const { registry, peers, opened, accept, counters, clock } = create();
  const first = accept(LOW);
  registry.confirm(first);
  const ends: StreamEnd[] = [];
  const handler = { onEvent: () => {}, onEnd: (reason: StreamEnd) => void ends.push(reason) };
  first.streams.touch(1, 0).handler = handler;
  const second = accept(LOW);
  const peer = peers.get(LOW) ?? assert.fail();
  assert.equal(peer.session, first);
  assert.equal(peer.candidate, second);
  assert.deepEqual(ends, []);
  registry.confirm(second);
  assert.equal(peer.session, second);
  assert.equal(peer.candidate, undefined);
  assert.equal(first.supersededAt, clock.now());
  assert.ok(!first.isEnded);
  assert.deepEqual(ends, ["peer_lost"]);
  assert.deepEqual(opened, [[LOW, false], [LOW, true]]);
  assert.equal(counters.sessions_replaced_total, 1);
});

Deno.test("a replayed first message never displaces a session, however often", () => {
  const { registry, peers, accept } = create();
  const session = accept(LOW);
  registry.confirm(session);
  for (let i = 0; i < 100; i++) accept(LOW);
  assert.equal(peers.get(LOW)?.session, session);
  assert.ok(!session.isEnded);
  // One candidate at a time.
  assert.equal(registry.size, 2);
});

Deno.test("a late packet on a replaced session changes nothing", () => {
  const { registry, peers, accept } = create();
  const first = accept(LOW);
  const second = accept(LOW);
  registry.confirm(second);
  registry.confirm(first);
  assert.equal(peers.get(LOW)?.session, second);
});

Deno.test("initiate() uses its session at once", () => {
  const { peers, initiate, opened } = create();
  const first = initiate(LOW);
  assert.ok(first.isConfirmed && first.isInitiator);
  assert.equal(peers.get(LOW)?.session, first);
  const second = initiate(LOW);
  assert.equal(peers.get(LOW)?.session, second);
  assert.notEqual(first.supersededAt, undefined);
  assert.deepEqual(opened, [[LOW, false], [LOW, true]]);
});

Deno.test("crossing dials: the session of the lower node id is kept", async () => {
  for (const order of ["ours first", "theirs first"]) {
    for (const [peerId, ourDialWins] of [[LOW, false], [HIGH, true]] as const) {
      const { registry, peers, accept, initiate, clock } = create();
      let ours, theirs;
      if (order === "ours first") {
        ours = initiate(peerId);
        await clock.advance(CROSSING_MS);
        theirs = accept(peerId);
        registry.confirm(theirs);
      } else {
        theirs = accept(peerId);
        registry.confirm(theirs);
        await clock.advance(CROSSING_MS);
        ours = initiate(peerId);
      }
      const [kept, lost] = ourDialWins ? [ours, theirs] : [theirs, ours];
      const peer = peers.get(peerId);
      assert.equal(peer?.session, kept, `${order}, peer ${peerId}`);
      assert.equal(peer?.candidate, undefined);
      assert.equal(kept.supersededAt, undefined);
      // What was in flight on the other one is still opened for a while.
      assert.ok(!lost.isEnded);
      assert.equal(lost.supersededAt, clock.now());
    }
  }
});

Deno.test("of a relayed and a direct session made at once the direct one is kept, whoever is lower", () => {
  for (const peerId of [LOW, HIGH]) {
    for (const isDirectOurs of [true, false]) {
      for (const order of ["direct first", "relayed first"]) {
        const { registry, peers, find } = create();
        const open = (isOurs: boolean, isRelayed: boolean) => {
          const result = resultOf(peerId, { isInitiator: isOurs, isRelayed });
          if (isOurs) registry.initiate(result);
          else registry.accept(result);
          const session = find(result) ?? assert.fail();
          if (!isOurs) registry.confirm(session);
          return session;
        };
        const steps = [
          () => open(isDirectOurs, false),
          () => open(!isDirectOurs, true),
        ];
        const [direct] = order === "direct first"
          ? steps.map((step) => step())
          : steps.toReversed().map((step) => step()).toReversed();
        const trace = `${order}, peer ${peerId}, direct ${isDirectOurs ? "ours" : "theirs"}`;
        assert.equal(peers.get(peerId)?.session, direct, trace);
        assert.equal(peers.get(peerId)?.relayTo, undefined, trace);
      }
    }
  }
});

Deno.test("a dial that comes later than crossing takes over, whoever is lower", async () => {
  const { registry, peers, accept, initiate, clock } = create();
  const ours = initiate(HIGH);
  await clock.advance(CROSSING_MS + 1);
  const theirs = accept(HIGH);
  registry.confirm(theirs);
  assert.equal(peers.get(HIGH)?.session, theirs);
  assert.notEqual(ours.supersededAt, undefined);
});

Deno.test("sweep() ends replaced sessions when nothing of them can be in flight", async () => {
  const { registry, accept, clock, peers } = create();
  const first = accept(LOW);
  registry.confirm(first);
  const second = accept(LOW);
  registry.confirm(second);
  await clock.advance(SUPERSEDED_MS);
  assert.deepEqual(registry.sweep(clock.now()), []);
  assert.ok(!first.isEnded);
  await clock.advance(1);
  assert.deepEqual(registry.sweep(clock.now()), []);
  assert.ok(first.isEnded);
  assert.equal(registry.size, 1);
  assert.equal(peers.get(LOW)?.session, second);
});

Deno.test("sweep() ends sessions nobody ever spoke on, and says whom it lost", async () => {
  const { registry, accept, clock, peers, counters } = create();
  accept(LOW);
  const known = accept(HIGH);
  registry.confirm(known);
  accept(HIGH);
  await clock.advance(UNCONFIRMED_MS);
  assert.deepEqual(registry.sweep(clock.now()), []);
  await clock.advance(1);
  const lost = registry.sweep(clock.now());
  assert.deepEqual(lost.map((peer) => peer.nodeId), [LOW]);
  assert.equal(counters.sessions_unconfirmed_total, 2);
  assert.equal(peers.get(HIGH)?.session, known);
  assert.equal(peers.get(HIGH)?.candidate, undefined);
  assert.equal(registry.size, 1);
});

Deno.test("sweep() leaves a peer its newer session, of which the proof is on its way", async () => {
  const { registry, accept, clock, peers } = create();
  accept(LOW);
  await clock.advance(UNCONFIRMED_MS);
  const second = accept(LOW);
  await clock.advance(1);
  assert.deepEqual(registry.sweep(clock.now()), []);
  assert.ok(!second.isEnded);
  registry.confirm(second);
  assert.equal(peers.get(LOW)?.session, second);
  const third = accept(HIGH);
  await clock.advance(UNCONFIRMED_MS);
  accept(HIGH);
  await clock.advance(1);
  registry.sweep(clock.now());
  assert.ok(third.isEnded);
  await clock.advance(UNCONFIRMED_MS);
  assert.deepEqual(registry.sweep(clock.now()).map((peer) => peer.nodeId), [HIGH]);
});

Deno.test("endAll() ends every session of one peer and frees the keys", () => {
  const { registry, accept, cipher, peers } = create({ keySlots: 6 });
  const sessions = [accept(LOW), accept(LOW)];
  const other = accept(HIGH);
  assert.throws(() => cipher.createKey(new Uint8Array(32)));
  registry.endAll(peers.get(LOW) ?? assert.fail());
  assert.ok(sessions.every((session) => session.isEnded));
  assert.ok(!other.isEnded);
  assert.equal(registry.size, 1);
  assert.equal(peers.get(LOW)?.session, undefined);
  for (let i = 0; i < 4; i++) cipher.createKey(new Uint8Array(32));
});

Deno.test("accept() and initiate() refuse when no key is free, and lose none", () => {
  // Room for one session and a half.
  const { registry, accept, counters, cipher } = create({ keySlots: 3 });
  const session = accept(LOW);
  assert.ok(!registry.accept(resultOf(HIGH)));
  assert.equal(registry.initiate(resultOf(HIGH, { isInitiator: true })), undefined);
  assert.equal(counters.drop_handshake_limit_total, 2);
  assert.equal(registry.size, 1);
  cipher.createKey(new Uint8Array(32));
  assert.ok(!session.isEnded);
});

Deno.test("accept() refuses a new peer when the table is full", () => {
  const { registry, peers, counters, clock } = create();
  for (let i = 0; i < PEERS_MAX; i++) {
    peers.getOrCreate(1_000n + BigInt(i), addressOf(1), clock.now());
  }
  assert.ok(!registry.accept(resultOf(LOW)));
  assert.equal(registry.initiate(resultOf(LOW, { isInitiator: true })), undefined);
  assert.equal(counters.drop_handshake_limit_total, 2);
  assert.ok(registry.accept(resultOf(1_000n)));
});
