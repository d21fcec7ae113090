import assert from "node:assert/strict";
import { runInMemory } from "./_harness.ts";

const STATUS = {
  node_id: "00000000000000ab",
  entity_id: "cd".repeat(32),
  noise_public_key: "ef".repeat(32),
  udp: ["127.0.0.1:7000", "10.0.0.5:7000"],
  tcp: "127.0.0.1:9900",
  socket: "/run/std/net.sock",
  data_dir: "/home/ada/.local/share/net",
  version: "0.1.0",
  uptime_secs: 75,
  pid: 42,
  peers: [{
    node_id: "00000000000000cd",
    address: "10.0.0.6:7000",
    state: "connected",
    form: "direct",
    trust: "proven",
    rtt_ms: 1.25,
    idle_ms: 300,
    loss: 0.025,
    bytes_sent: 1536,
    bytes_received: 70 * 1024 * 1024,
  }],
  sessions: {
    sealed: 1,
    compat: 0,
    relayed: 0,
    healthy: 1,
    suspected: 0,
    failed: 1,
    failures_total: 3,
    recoveries_total: 2,
  },
  drops: {
    net_transport_drop_duplicate_total: 1234,
    net_transport_drop_replay_total: 5,
    net_transport_drop_bad_tag_total: 2,
    net_announcements_drop_stale_total: 1,
  },
};

Deno.test("node status prints the node's answer as one document", async () => {
  const result = await runInMemory(["node", "status", "--json"], {
    node: { "node.status": STATUS },
  });
  assert.equal(result.code, 0);
  assert.equal(result.stderr, "");
  assert.deepEqual(JSON.parse(result.stdout), { schema: "net.node.status.v1", ...STATUS });
  assert.equal(result.openCount, 0);
});

Deno.test("node status prints aligned text and a table of peers", async () => {
  const { stdout } = await runInMemory(["node", "status"], { node: { "node.status": STATUS } });
  assert.match(stdout, /^node {7}00000000000000ab$/m);
  assert.match(stdout, /^running {4}1 m 15 s, pid 42$/m);
  assert.match(stdout, /^udp {8}127\.0\.0\.1:7000, 10\.0\.0\.5:7000$/m);
  assert.match(stdout, /^NODE {14}ADDRESS {8}STATE {6}TRUST {3}RTT {5}LOSS {2}OUT {3}IN$/m);
  const row =
    /^00000000000000cd {2}10\.0\.0\.6:7000 {2}connected {2}proven {2}1\.25ms {2}2\.5% {2}1\.5K/m;
  assert.match(stdout, row);
  assert.match(stdout, /^peers {6}1; sessions: 1 sealed, 0 compat, 0 relayed$/m);
  assert.match(stdout, /^failures {3}0 suspected, 1 failed now; 3 failed and 2 recovered since/m);
  assert.match(stdout, /^dropped {4}duplicate 1,234, replay 5, bad_tag 2; see net node counters$/m);
});

Deno.test("node status says what the node is behind, once that is known", async () => {
  const nat = {
    enabled: true,
    class: "open",
    reflex: "198.51.100.3:8",
    stated_by: "port_mapping",
    punches_attempted: 4,
    punches_succeeded: 3,
    relay_fallbacks: 1,
  };
  const shown = async (change: object) => {
    const status = { ...STATUS, nat: { ...nat, ...change } };
    return (await runInMemory(["node", "status"], { node: { "node.status": status } })).stdout;
  };
  assert.match(
    await shown({}),
    /^nat {8}open, seen at 198\.51\.100\.3:8; a port at the router; 3 of 4 punches; 1 times relayed/m,
  );
  const plain = { class: "cone", stated_by: null, punches_attempted: 0, relay_fallbacks: 0 };
  assert.match(await shown(plain), /^nat {8}cone, seen at 198\.51\.100\.3:8$/m);
  assert.doesNotMatch(await shown({ class: "unknown", reflex: null }), /^nat/m);
});

Deno.test("node peers says when there are none", async () => {
  const { stdout } = await runInMemory(["node", "peers"], {
    node: { "node.peers": { peers: [] } },
  });
  assert.equal(stdout, "no peers\n");
});

Deno.test("node status without a node exits 6 and says how to start one", async () => {
  const { code, stderr } = await runInMemory(["node", "status"]);
  assert.equal(code, 6);
  assert.match(stderr, /^code: not_running$/m);
  assert.match(stderr, /^next: .*net node start$/m);
});

Deno.test("node ticket prints the ticket alone on standard output", async () => {
  const node = { "node.ticket": { ticket: "net1abc", psk: "00", expires_at: 1 } };
  const result = await runInMemory(["node", "ticket", "--expires", "90s", "--label", "oak"], {
    node,
  });
  assert.equal(result.stdout, "net1abc\n");
  assert.match(result.stderr, /password/);
  assert.deepEqual(result.calls, [
    { method: "node.ticket", params: { expires_secs: 90, label: "oak" } },
  ]);
  const json = await runInMemory(["node", "ticket", "--json"], { node });
  assert.deepEqual(JSON.parse(json.stdout), {
    schema: "net.node.ticket.v1",
    ...node["node.ticket"],
  });
  assert.equal(json.stderr, "");
});

Deno.test("node http shows where it is, and the secret only when asked", async () => {
  const facts = { address: "127.0.0.1:1", url: "http://127.0.0.1:1", write: "token" };
  const shown = await runInMemory(["node", "http"], { node: { "node.http": facts } });
  assert.match(shown.stdout, /^address +http:\/\/127\.0\.0\.1:1$/m);
  assert.deepEqual(shown.calls, [{ method: "node.http", params: { secret: false } }]);
  const node = { "node.http": { ...facts, secret: "s3cret" } };
  const secret = await runInMemory(["node", "http", "--show-secret"], { node });
  assert.equal(secret.stdout, "s3cret\n");
  assert.match(secret.stderr, /password/);
});

Deno.test("node stop waits until nobody answers", async () => {
  let isRunning = true;
  let looks = 0;
  const { code, stdout } = await runInMemory(["node", "stop", "--json"], {
    doors: {
      connect: () => {
        if (!isRunning && ++looks > 0) return Promise.reject(new Error("gone"));
        return Promise.resolve({
          call: () => {
            isRunning = false;
            return Promise.resolve({ status: "stopping" });
          },
          close: () => {},
        });
      },
    },
  });
  assert.equal(code, 0);
  assert.equal(looks, 1);
  assert.deepEqual(JSON.parse(stdout), { schema: "net.node.stop.v1", status: "stopped" });
});

Deno.test("node status gives up after --timeout with exit code 7", async () => {
  const { code, stderr } = await runInMemory(["node", "status", "--timeout", "5ms"], {
    doors: {
      connect: (_path, signal) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    },
  });
  assert.equal(code, 7);
  assert.match(stderr, /within 5 ms/);
  assert.match(stderr, /^next: .*--timeout$/m);
});

Deno.test("a verb stopped by a signal exits 130 or 143 without an error text", async () => {
  for (const [signal, exit] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    let raise = (_: string) => {};
    const { code, stderr, stdout } = await runInMemory(["node", "status"], {
      onListening: (by) => void (raise = by),
      doors: {
        connect: (_path, abort) =>
          new Promise((_, reject) => {
            abort.addEventListener("abort", () => reject(abort.reason));
            raise(signal);
          }),
      },
    });
    assert.equal(code, exit);
    assert.equal(stderr + stdout, "");
  }
});

Deno.test("identity show works with and without a node", async () => {
  const identity = {
    node_id: "01",
    entity_id: "02",
    origin_hash: "03",
    routing_id: "04",
    noise_public_key: "05",
  };
  const running = await runInMemory(["identity", "show", "--json"], {
    node: { "identity.show": identity },
  });
  assert.deepEqual(JSON.parse(running.stdout), { schema: "net.identity.show.v1", ...identity });
  const folder = await Deno.makeTempDir();
  try {
    const show = () =>
      runInMemory(["identity", "show", "--data-dir", folder], {
        standalone: { "identity.show": identity },
      });
    const none = await show();
    assert.deepEqual([none.code, none.configs], [4, []], "looking makes no identity");
    assert.match(none.stderr, /holds none yet\n.*\nnext: make one with net node start --data-dir/s);
    await Deno.writeTextFile(`${folder}/identity.key`, "");
    const alone = await show();
    assert.equal(alone.code, 0);
    assert.match(alone.stdout, /^node {7}01\n/);
    const entity = await runInMemory(["identity", "show", "--entity"], {
      node: { "identity.show": identity },
    });
    assert.equal(entity.stdout, "02\n");
    assert.equal(alone.configs[0]?.dataDir, folder);
    assert.equal(alone.openCount, 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("node stop does not wake the next node at a socket that is kept", async () => {
  let connections = 0;
  const { code, stderr } = await runInMemory(["node", "stop"], {
    doors: {
      connect: () => {
        connections++;
        // No process has a number as large as this.
        const answer = { status: "stopping", pid: 2 ** 31 - 1, socket_kept: true };
        return Promise.resolve({ call: () => Promise.resolve(answer), close: () => {} });
      },
    },
  });
  assert.equal(code, 0);
  assert.equal(connections, 1);
  assert.match(stderr, /its service manager still listens/);
});

Deno.test("node stop gives a node the time that it says it needs", async () => {
  let looks = 0;
  const connect = () => {
    // It is still there for half a second.
    if (looks++ > 10) return Promise.reject(new Error("gone"));
    const answer = { status: "stopping", stops_within_ms: 60_000 };
    return Promise.resolve({ call: () => Promise.resolve(answer), close: () => {} });
  };
  const patient = await runInMemory(["node", "stop"], { doors: { connect } });
  assert.equal(patient.code, 0);
  looks = 0;
  const told = await runInMemory(["node", "stop", "--timeout", "100ms"], { doors: { connect } });
  assert.equal(told.code, 7);
  assert.match(told.stderr, /no result within 100 ms/);
});
