/** Verbs about the way to a peer: connect, ping, doctor --peer; and what peers says of open sessions. */
import assert from "node:assert/strict";
import { peerTable } from "../../cmd/node_peers.ts";
import { type Answers, runInMemory } from "./_harness.ts";

const ID = "00000000000000ab";
const RELAY = "00000000000000bb";

const PUNCHED = {
  kind: "punch",
  outcome: "connected",
  address: "198.51.100.3:8",
  via: RELAY,
  ms: 612,
  reason: "the hole opened",
  error: null,
};
const SKIPPED = {
  kind: "direct",
  outcome: "skipped",
  address: null,
  via: null,
  ms: 0,
  reason: "no address",
  error: "peer-not-reachable",
};

function connected(outcome: string) {
  const nat = { own: "cone", peer: "cone", action: "punch" };
  return { node_id: ID, outcome, nat, paths: [SKIPPED, PUNCHED] };
}

Deno.test("node connect prints each way with its result", async () => {
  const node = { "node.connect": connected("direct") };
  const { code, stdout, stderr, calls, openCount } = await runInMemory(["node", "connect", "ab"], {
    node,
  });
  assert.equal(code, 0, stderr);
  assert.deepEqual(calls, [
    { method: "node.connect", params: { peer: "ab", timeout_ms: 20_000 } },
  ]);
  assert.equal(openCount, 0);
  assert.deepEqual(stdout.split("\n").map((line) => line.replaceAll(/ +/g, " ")), [
    "PATH OUTCOME ADDRESS VIA TIME WHY",
    "direct skipped - - - no address",
    `punch connected 198.51.100.3:8 ${RELAY} 612ms the hole opened`,
    `${ID} is connected directly`,
    "",
  ]);
});

Deno.test("node connect says when a relay stays in between, or nothing leads there", async () => {
  for (
    const [outcome, expected, text] of [
      ["relayed", 0, /is connected through a relay/],
      ["none", 6, /is not connected: no way leads there/],
    ] as const
  ) {
    const node = { "node.connect": connected(outcome) };
    const { code, stdout, stderr } = await runInMemory(["node", "connect", ID], { node });
    assert.equal(code, expected);
    assert.match(stdout, text);
    assert.match(stderr, new RegExp(`net doctor --peer ${ID}`));
  }
});

Deno.test("node connect --json is one document, and hands its patience on", async () => {
  const node = { "node.connect": connected("direct") };
  const args = ["node", "connect", ID, "--json", "--timeout", "3s"];
  const { code, stdout, calls } = await runInMemory(args, { node });
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout), { schema: "net.node.connect.v1", ...connected("direct") });
  // The report has to come before the verb gives up.
  assert.equal(calls[0]?.params.timeout_ms, 1_500);
  const long = await runInMemory(["node", "connect", ID, "--timeout", "30s"], { node });
  assert.equal(long.calls[0]?.params.timeout_ms, 25_000);
});

const WAY = { node_id: ID, address: "192.0.2.7:4", relayed: false, relay: null, trust: "proven" };
const SUMS = { sent: 2, received: 1, loss: 0.5, rtt_ms: { min: 1, avg: 1, max: 1, mdev: 0 } };
const NOTHING = { sent: 2, received: 0, loss: 1, rtt_ms: null };

Deno.test("node ping prints each round trip and the sums", async () => {
  const node: Answers = {
    "node.ping": (_params, report) => {
      report({ seq: 1, ...WAY, sent: 1, received: 1, this_ms: 1.25 });
      report({ seq: 2, ...WAY, relayed: true, relay: RELAY, sent: 2, received: 1, this_ms: null });
      return { ...WAY, ...SUMS };
    },
  };
  const args = ["node", "ping", ID, "-c", "2", "-i", "200ms"];
  const { code, stdout, stderr, calls } = await runInMemory(args, { node });
  assert.equal(code, 0, stderr);
  assert.deepEqual(calls[0]?.params, {
    peer: ID,
    count: 2,
    interval_ms: 200,
    timeout_ms: 1_000,
  });
  assert.equal(
    stdout,
    `${ID} 192.0.2.7:4 seq=1 time=1.250 ms\n${ID} through ${RELAY} seq=2 no answer\n` +
      "2 sent, 1 answered, 50 % lost\nrtt min/avg/max/mdev = 1.000/1.000/1.000/0.000 ms\n",
  );
});

Deno.test("node ping exits 6 when nothing came back", async () => {
  const node = { "node.ping": { ...WAY, ...NOTHING } };
  const { code, stdout } = await runInMemory(["node", "ping", ID, "--quiet"], { node });
  assert.equal(code, 6);
  assert.equal(stdout, "2 sent, 0 answered, 100 % lost\n");
});

Deno.test("node ping prints the sums so far on Ctrl-C", async () => {
  for (const [sums, expected] of [[SUMS, 0], [NOTHING, 6]] as const) {
    let interrupt = (_signal: string) => {};
    const node: Answers = {
      "node.ping": (_params, report) => {
        report({ seq: 2, ...WAY, ...sums, this_ms: null });
        interrupt("SIGINT");
        throw new Error("the call was given up");
      },
    };
    const args = ["node", "ping", ID, "--count", "0", "--json"];
    const { code, stdout } = await runInMemory(args, {
      node,
      onListening: (raise) => void (interrupt = raise),
    });
    assert.equal(code, expected);
    assert.deepEqual(JSON.parse(stdout), { schema: "net.node.ping.v1", ...WAY, ...sums });
  }
});

Deno.test("node ping refuses counts and times that make no sense", async () => {
  for (
    const [flag, value] of [
      ["--count", "-1"],
      ["--count", "1e3"],
      ["--count", "2000000"],
      ["--interval", "1ms"],
      ["--interval", "2h"],
      ["--wait", "soon"],
    ] as const
  ) {
    const { code, stderr, calls } = await runInMemory(["node", "ping", ID, `${flag}=${value}`], {
      node: { "node.ping": WAY },
    });
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^next: write for example/m);
    assert.deepEqual(calls, []);
  }
});

const REACHED = {
  node_id: ID,
  session: {
    state: "connected",
    form: "routed",
    relayed: true,
    relay: RELAY,
    trust: "unproven",
    address: "192.0.2.1:9",
    rtt_ms: 1.5,
    age_ms: 65_000,
    initiator: false,
  },
  addresses: [
    { address: "198.51.100.3:8", sources: ["announced", "pin"] },
    { address: "10.0.0.7:8", sources: ["ticket"] },
  ],
  nat: {
    enabled: true,
    own: "open",
    own_reflex: "203.0.113.9:7",
    own_stated_by: "port_mapping",
    peer: "symmetric",
    peer_reflex: "198.51.100.3:8",
    action: "punch",
  },
  paths: [SKIPPED, { ...PUNCHED, outcome: "failed", reason: "no hole opened" }],
  tried_ago_ms: 120_000,
  coordinator: RELAY,
  relay: RELAY,
  port_mapping: {
    mode: "auto",
    state: "active",
    external: "203.0.113.9:7",
    protocol: "upnp",
    gateway: "192.168.1.1",
    lease_secs: 3600,
    renewals: 1,
    attempts: [],
  },
  clock_behind_ms: 4_000,
  next: ["the punch failed: a firewall may drop UDP", "the session is not sealed: update the peer"],
};

Deno.test("doctor --peer tells the way to a peer, what was tried, and what to do", async () => {
  const node = { "node.reach": REACHED };
  const { code, stdout, calls } = await runInMemory(["doctor", "--peer", ID], { node });
  assert.equal(code, 1);
  assert.deepEqual(calls, [{ method: "node.reach", params: { peer: ID, timeout_ms: 20_000 } }]);
  const lines = stdout.split("\n").map((line) => line.replaceAll(/ +/g, " "));
  assert.deepEqual(lines, [
    `node ${ID}`,
    `session relayed through ${RELAY}, connected, unproven, routed handshake, begun there, ` +
    "round trip 1.50ms, for 1 m 5 s",
    "readable by the relay, and members of the mesh that see it pass: it is not sealed",
    "addresses 198.51.100.3:8 its announcement, remembered, it proved itself there",
    " 10.0.0.7:8 its ticket",
    "own NAT open, seen at 203.0.113.9:7, by its port at the router",
    "its NAT symmetric, seen at 198.51.100.3:8",
    "the two allow a punch through both NATs",
    `coordinator ${RELAY}`,
    `relay ${RELAY}`,
    "own port 203.0.113.9:7 at the router 192.168.1.1, by upnp",
    "its clock about 4 s behind",
    "ways tried 2 m 0 s ago:",
    "PATH OUTCOME ADDRESS VIA TIME WHY",
    "direct skipped - - - no address",
    `punch failed 198.51.100.3:8 ${RELAY} 612ms no hole opened`,
    "next: the punch failed: a firewall may drop UDP",
    "next: the session is not sealed: update the peer",
    "",
  ]);
});

Deno.test("doctor --peer exits by what it found, and says the same as a document", async () => {
  const direct = { ...REACHED.session, relayed: false, trust: "proven" };
  for (
    const [change, expected] of [
      [{ session: direct, next: [] }, 0],
      [{}, 1],
      [{ session: null }, 6],
      [{ session: { ...direct, state: "failed" } }, 6],
    ] as const
  ) {
    const answer = { ...REACHED, ...change };
    const args = ["doctor", "--peer", ID, "--json"];
    const { code, stdout } = await runInMemory(args, { node: { "node.reach": answer } });
    assert.equal(code, expected);
    const document = JSON.parse(stdout);
    assert.deepEqual(document, {
      schema: "net.doctor.peer.v1",
      ok: answer.next.length === 0,
      ...answer,
    });
  }
});

Deno.test("doctor --peer needs a running node", async () => {
  const { code, stderr } = await runInMemory(["doctor", "--peer", ID]);
  assert.equal(code, 6);
  assert.match(stderr, /^next: start one/m);
});

Deno.test("node peers says who can read a session that is not sealed", () => {
  const peer = { node_id: ID, address: "192.0.2.1:9", state: "connected", form: "routed" };
  const relayed = peerTable([{ ...peer, relayed: true, trust: "unproven" }]);
  assert.match(relayed, new RegExp(`^${ID}: not sealed: its relay and members of the mesh`, "m"));
  const near = peerTable([{ ...peer, relayed: false, trust: "unproven" }]);
  assert.match(near, new RegExp(`^${ID}: not sealed: members of the mesh`, "m"));
  assert.doesNotMatch(peerTable([{ ...peer, relayed: true, trust: "proven" }]), /sealed/);
});
