/** Verbs that show what goes on in the running node: peers, streams, routes, counters, traces. */
import assert from "node:assert/strict";
import { countersText } from "../../cmd/node_counters.ts";
import { peerTable } from "../../cmd/node_peers.ts";
import { runInMemory } from "./_harness.ts";

const WIDTH = 80;

const PEER = {
  node_id: "31a56ab7724a0b59",
  address: "192.168.178.123:54321",
  state: "connected",
  form: "routed",
  trust: "unproven",
  relayed: false,
  rtt_ms: 0.412,
  idle_ms: 90_000,
  loss: 0.1234,
  bytes_sent: 1_234_567_890,
  bytes_received: 999,
};

function assertFits(text: string): void {
  for (const line of text.split("\n")) assert.ok(line.length <= WIDTH, `${line.length}: ${line}`);
}

Deno.test("peerTable() fits 80 columns with the widest IPv4 row", () => {
  const table = peerTable([PEER, { ...PEER, address: "1.2.3.4:5", relayed: true }]);
  assertFits(table);
  const [, first, second] = table.split("\n");
  assert.equal(
    first,
    "31a56ab7724a0b59 192.168.178.123:54321 connected unproven 412us 12%  1.1G 999",
  );
  assert.match(second ?? "", /1\.2\.3\.4:5 +relayed /);
});

Deno.test("peerTable() shows bytes per second beside an earlier look", () => {
  const now = { ...PEER, address: "1.2.3.4:5", bytes_sent: 5_120, bytes_received: 100 };
  const before = { ...now, bytes_sent: 1_024, bytes_received: 4_000 };
  const table = peerTable([now], { peers: [before], seconds: 2 });
  assert.match(table, /OUT\/s {2}IN\/s/);
  // A peer that began anew has received less than before.
  assert.match(table, /12% {3}2\.0K {3}0$/m);
});

Deno.test("peerTable() says below what speaks against a peer", () => {
  const conduct = {
    score: 35,
    heartbeats_in_time: 50,
    heartbeats_late: 7,
    floods: 12_000,
    spent_ttls: 0,
    loops: 3,
    malformed: 0,
  };
  const table = peerTable([{ ...PEER, has_double: true, conduct }]);
  assertFits(table);
  assert.deepEqual(table.split("\n").slice(2), [
    "31a56ab7724a0b59: not sealed: members of the mesh that see it pass can read it",
    "31a56ab7724a0b59: its identity seems to be in use twice",
    "31a56ab7724a0b59: conduct 35 of 100: heartbeats late 7, floods 12K, loops 3",
  ]);
  const good = { ...PEER, trust: "proven", has_double: false, conduct: { ...conduct, score: 50 } };
  assert.equal(peerTable([good]).split("\n").length, 2);
});

Deno.test("node peers --watch prints a document per look until it is stopped", async () => {
  let raise = (_: string) => {};
  const { code, stdout } = await runInMemory(["node", "peers", "--watch", "--json"], {
    onListening: (by) => void (raise = by),
    node: {
      "node.peers": () => {
        queueMicrotask(() => queueMicrotask(() => raise("SIGINT")));
        return { peers: [PEER] };
      },
    },
  });
  assert.equal(code, 130);
  assert.deepEqual(JSON.parse(stdout), { schema: "net.node.peers.v1", peers: [PEER] });
});

const STREAMS = {
  streams: [{
    peer: "31a56ab7724a0b59",
    stream: "4e422edbc7de2001",
    direction: "both",
    idle_ms: 5,
    sent: {
      events: 123_456_789,
      bytes: 987_654_321,
      packets: 1_000_000,
      resent: 31,
      unacked: 2048,
      credit_bytes: 1_048_576,
      congestion_window: 16_384,
      rtt_ms: 18.123,
    },
    received: { ordered: true, events: 7, bytes: 70, duplicates: 1, waiting: 3 },
  }],
  total: {},
  omitted: 12,
};

Deno.test("node streams prints a row per direction within 80 columns", async () => {
  const result = await runInMemory(["node", "streams", "31a5"], {
    node: { "node.streams": STREAMS },
  });
  assert.equal(result.code, 0);
  assert.deepEqual(result.calls, [{ method: "node.streams", params: { peer: "31a5" } }]);
  assertFits(result.stdout);
  const [heading, out, back, more] = result.stdout.split("\n");
  assert.match(heading ?? "", /^PEER +STREAM +WAY +EVENTS +BYTES +AGAIN +WAIT +CRED +CWND +RTT$/);
  assert.match(out ?? "", /4e422edbc7de2001 out +123m +942M +31 +2048 +1\.0M +16384 +18\.1ms$/);
  assert.match(back ?? "", /4e422edbc7de2001 ord +7 +70 +1 +3 +- +- +-$/);
  assert.equal(more, "and 12 more");
  const relayed = [{ stream: "00000000000000aa", packets: 12, bytes: 14_400, drops: 1 }];
  const through = await runInMemory(["node", "streams"], {
    node: { "node.streams": { streams: [], relayed } },
  });
  assert.equal(
    through.stdout,
    "RELAYED STREAM    PACKETS  BYTES  DROPPED\n" + "00000000000000aa       12    14K        1\n",
  );
  const none = await runInMemory(["node", "streams"], {
    node: { "node.streams": { streams: [] } },
  });
  assert.equal(none.stdout, "no streams\n");
  assert.deepEqual(none.calls, [{ method: "node.streams", params: {} }]);
});

Deno.test("node routes prints ways, direct ones as such", async () => {
  const routes = [
    { destination: "aa", via: "aa", hops: 1, metric: 1, protected: true, age_ms: 1_500 },
    {
      destination: "bb",
      via: "aa",
      hops: 2,
      metric: 3,
      protected: false,
      suspected: true,
      age_ms: 61_000,
    },
  ];
  const { stdout } = await runInMemory(["node", "routes"], { node: { "node.routes": { routes } } });
  assert.equal(
    stdout,
    "DESTINATION  VIA     HOPS  METRIC  STATE      PROTECTED  AGE\n" +
      "aa           direct     1       1  live       yes        2 s\n" +
      "bb           aa         2       3  suspected  no         1 m 1 s\n",
  );
  const none = await runInMemory(["node", "routes"], { node: { "node.routes": { routes: [] } } });
  assert.equal(none.stdout, "no routes\n");
});

const COUNTERS = {
  counters: {
    net_transport_rx_datagrams_total: 12_345,
    net_transport_rx_direct_total: 12_340,
    net_transport_rx_routed_total: 0,
    net_transport_drop_unknown_class_total: 5,
    net_announcements_drop_stale_total: 2,
    net_blobs_known: 3,
  },
  stages: [{
    name: "datagrams",
    inputs: { net_transport_rx_datagrams_total: 12_345 },
    in: 12_345,
    accounted: 12_345,
    adds_up: true,
    outcomes: {
      net_transport_rx_direct_total: 12_340,
      net_transport_rx_routed_total: 0,
      net_transport_drop_unknown_class_total: 5,
    },
  }],
  drops: { net_transport_drop_unknown_class_total: 5, net_announcements_drop_stale_total: 2 },
  tables: { routes: 1_234, relayed_pairs: 3, packets_waiting: 0 },
  mismatches: [],
};

Deno.test("node counters prints stages, then what was dropped elsewhere", async () => {
  const { code, stdout } = await runInMemory(["node", "counters"], {
    node: { "node.counters": COUNTERS },
  });
  assert.equal(code, 0);
  assert.equal(
    stdout,
    "STAGE                        TOTAL\n" +
      "datagrams                   12,345\n" +
      "  rx_direct                 12,340\n" +
      "  drop_unknown_class             5\n" +
      "dropped elsewhere\n" +
      "  announcements_drop_stale       2\n" +
      "entries now\n" +
      "  routes                     1,234\n" +
      "  relayed pairs                  3\n",
  );
  const all = await runInMemory(["node", "counters", "--all"], {
    node: { "node.counters": COUNTERS },
  });
  assert.match(all.stdout, /^others\n {2}announcements_drop_stale +2\n {2}blobs_known +3$/m);
});

Deno.test("countersText() shows changes per second beside an earlier look", () => {
  const before = {
    ...COUNTERS,
    counters: { ...COUNTERS.counters, net_transport_rx_datagrams_total: 345 },
  };
  const text = countersText({ answer: COUNTERS, before, seconds: 2 }, false);
  assert.match(text, /^STAGE +TOTAL +PER SECOND$/m);
  assert.match(text, /^datagrams +12,345 +6,000$/m);
  assert.match(text, /^ {2}drop_unknown_class +5 +0$/m);
});

Deno.test("node counters exits 1 and names the stage that does not add up", async () => {
  const [stage] = COUNTERS.stages;
  const node = {
    "node.counters": {
      ...COUNTERS,
      stages: [{ ...stage, accounted: 12_344, adds_up: false }],
      mismatches: ["datagrams: 12345 in, 12344 accounted for"],
    },
  };
  const { code, stdout, stderr } = await runInMemory(["node", "counters"], { node });
  assert.equal(code, 1);
  assert.match(stdout, /^datagrams: 12345 in, 12344 accounted for +12,345$/m);
  assert.match(stderr, /^net: Counters don't add up: datagrams: 12345 in, 12344 accounted for$/m);
  assert.match(stderr, /^next: .*--json/m);
  const json = await runInMemory(["node", "counters", "--json"], { node });
  assert.equal(json.code, 1);
  assert.equal(JSON.parse(json.stdout).schema, "net.node.counters.v1");
  assert.equal(JSON.parse(json.stderr).error.code, "failed");
});

const TRACE = {
  node_id: "bb",
  session: true,
  hops: [
    { node_id: "aa", address: "10.0.0.1:7000", rtt_ms: 0.5 },
    { node_id: "bb", address: null, rtt_ms: 1.25 },
  ],
  sent: 4,
  received: 3,
  loss: 0.25,
  rtt_ms: { min: 1, avg: 2.5, p50: 1.25, max: 12.34 },
};

Deno.test("node trace prints hops, loss and times, and every probe on standard error", async () => {
  const node = {
    "node.trace": (_: unknown, report: (told: object) => void) => {
      report({ probe: 1, rtt_ms: 1.25 });
      report({ probe: 2, rtt_ms: null });
      return TRACE;
    },
  };
  const result = await runInMemory(["node", "trace", "bb", "--count", "4"], { node });
  assert.equal(result.code, 0);
  assert.deepEqual(result.calls, [{ method: "node.trace", params: { peer: "bb", count: 4 } }]);
  assert.equal(result.stderr, "1  1.25ms\n2  no answer\n");
  assert.equal(
    result.stdout,
    "HOP  NODE  ADDRESS        RTT\n" +
      "1    aa    10.0.0.1:7000  500us\n" +
      "2    bb    -              1.25ms\n" +
      "3 of 4 answered, 25 % lost, min 1.00ms  p50 1.25ms  avg 2.50ms  max 12.3ms\n",
  );
});

Deno.test("node trace names the relay", async () => {
  const node = { "node.trace": { ...TRACE, relayed: true, relay: "aa" } };
  const { stdout } = await runInMemory(["node", "trace", "bb"], { node });
  assert.match(stdout, /^through the relay aa$/m);
});

Deno.test("node trace tells the way to a node without a session, and exits 6", async () => {
  const route = {
    ...TRACE,
    session: false,
    hop_count: 2,
    metric: 3,
    age_ms: 4_000,
    sent: 0,
    received: 0,
    loss: null,
    rtt_ms: null,
  };
  const { code, stdout, stderr } = await runInMemory(["node", "trace", "bb"], {
    node: { "node.trace": route },
  });
  assert.equal(code, 6);
  assert.match(stdout, /^no session; a route of 2 hops, metric 3, confirmed 4 s ago$/m);
  assert.match(stderr, /ticket/);
  const silent = await runInMemory(["node", "trace", "bb"], {
    node: { "node.trace": { ...TRACE, received: 0, loss: 1, rtt_ms: null } },
  });
  assert.equal(silent.code, 6);
  assert.match(silent.stdout, /^0 of 4 answered, 100 % lost, no round trip$/m);
});
