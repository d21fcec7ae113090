/** Three processes in a chain, joined by tickets only: the ends call, ping and trace each other; a Rust core at one of them. */
import assert from "node:assert/strict";
import { idToHex, parseId } from "../../src/base/mod.ts";
import { rustPeerTest, startRustPeer } from "../interop/rust_peer.ts";
import {
  assertFails,
  makeWorkspace,
  patternBytes,
  startPair,
  ticketOf,
  untilConnected,
  waitFor,
} from "./harness.ts";
import { spawnProgram } from "./program.ts";

Deno.test("a node calls a service two tickets away, and is told how it is reached", async (t) => {
  await using workspace = await makeWorkspace();
  const flags = ["--udp", "127.0.0.1:0", "--nat", "off"];
  const { first: middle, second: left } = await startPair(workspace, { flags: ["--nat", "off"] });
  const right = await workspace.startNode({
    flags: [...flags, "--join", "-"],
    stdin: await ticketOf(middle),
  });
  await untilConnected(middle, right);
  const [middleId, rightId] = [
    String((await middle.status()).node_id),
    String((await right.status()).node_id),
  ];
  const serving = spawnProgram(["rpc", "serve", "upper", "--", "tr", "a-z", "A-Z"], {
    env: right.home.env,
    cwd: `${right.home.dir}/cwd`,
  });

  await t.step("by the name of the service", async () => {
    await waitFor("the service is heard of", async () => {
      const { stdout } = await left.home.net(["rpc", "ls"]);
      return stdout.includes("upper");
    });
    const peers = await left.call("node.peers");
    assert.equal((peers.peers as readonly unknown[]).length, 1);
    const called = await left.home.net(["rpc", "call", "upper", "over two tickets"]);
    assert.deepEqual([called.code, called.stdout], [0, "OVER TWO TICKETS"], called.stderr);
  });

  await t.step("by its node id", async () => {
    const called = await left.home.net(["rpc", "call", "upper", "again", "--node", rightId]);
    assert.deepEqual([called.code, called.stdout], [0, "AGAIN"], called.stderr);
  });

  await t.step("the session is sealed, through the node in between", async () => {
    const pinged = await left.home.json(["node", "ping", rightId, "-c", "1"]);
    assert.deepEqual(
      [pinged.trust, pinged.relayed, pinged.relay, pinged.received],
      ["proven", true, middleId, 1],
    );
    const shown = await left.home.json(["cap", "show", rightId]);
    assert.match(
      String((shown.metadata as Record<string, unknown>)["net.noise-key"]),
      /^[0-9a-f]{64}$/,
    );
  });

  serving.kill("SIGINT");
  await serving.finished();
});

Deno.test("ping, trace and connect make a session with a node that only its announcement tells of", async () => {
  await using workspace = await makeWorkspace();
  const udp = ["--udp", "127.0.0.1:0"];
  const { first: middle, second: left } = await startPair(workspace);
  const ticket = await ticketOf(middle);
  const others: string[] = [];
  for (let count = 0; count < 3; count++) {
    const node = await workspace.startNode({ flags: [...udp, "--join", "-"], stdin: ticket });
    await untilConnected(middle, node);
    others.push(String((await node.status()).node_id));
  }
  await waitFor("all are heard of", async () => {
    const { routes } = await left.call("node.routes");
    const known = (routes as readonly Record<string, unknown>[]).map((route) => route.destination);
    const found = await Promise.all(
      others.map((id) => left.home.net(["cap", "show", id]).then(({ code }) => code === 0)),
    );
    return others.every((id) => known.includes(id)) && found.every((is) => is);
  });
  const [pingedId, tracedId, connectedId] = others;
  const pinged = await left.home.json(["node", "ping", String(pingedId), "-c", "1"]);
  assert.deepEqual([pinged.trust, pinged.received], ["proven", 1]);
  const traced = await left.home.json(["node", "trace", String(tracedId), "--count", "1"]);
  assert.deepEqual([traced.session, traced.trust, traced.received], [true, "proven", 1]);
  const connected = await left.home.json(["node", "connect", String(connectedId)]);
  assert.ok(["direct", "relayed"].includes(String(connected.outcome)), JSON.stringify(connected));
});

rustPeerTest(
  "a Rust core two hops away is not reached, and the caller is told what to do",
  async () => {
    await using workspace = await makeWorkspace();
    const udp = ["--udp", "127.0.0.1:0"];
    const psk = patternBytes(32, 6);
    const pskFile = `${workspace.dir}/psk`;
    await Deno.writeTextFile(pskFile, `${psk.toHex()}\n`, { mode: 0o600 });
    await using rustProcess = await startRustPeer();
    const rust = await rustProcess.createNode({ psk });
    const rustId = idToHex(rust.nodeId);
    const middle = await workspace.startNode({
      flags: [...udp, "--psk-file", pskFile, "--expect", rustId],
    });
    const left = await workspace.startNode({
      flags: [...udp, "--join", "-"],
      stdin: await ticketOf(middle),
    });
    await untilConnected(middle, left);
    const { udp: addresses, node_id, noise_public_key } = await middle.status();
    await rust.call("connect", {
      address: String((addresses as readonly string[])[0]),
      publicKey: Uint8Array.fromHex(String(noise_public_key)),
      peer: parseId(String(node_id)) ?? 0n,
    });
    await rust.call("start", {});
    await rust.call("serveEcho", { service: "echo" });
    await waitFor("a route to it", async () => {
      const { routes } = await left.call("node.routes");
      return (routes as readonly Record<string, unknown>[]).some((route) =>
        route.destination === rustId
      );
    });
    const called = await left.home.net(["rpc", "call", "echo", "hello", "--node", rustId]);
    const error = assertFails(called, 6, "unreachable");
    assert.match(error, /no session with node [0-9a-f]{16}, and it announced no key/);
    assert.match(error, /^next: .*join with its ticket .*#NOISEKEY/m);
    assertFails(await left.home.net(["node", "ping", rustId, "-c", "1"]), 6, "unreachable");
    const traced = await left.home.net(["node", "trace", rustId, "--count", "1"]);
    assert.equal(traced.code, 6);
    // Where there is a session it is called as ever.
    const direct = await middle.home.net(["rpc", "call", "echo", "hello", "--node", rustId]);
    assert.deepEqual([direct.code, direct.stdout], [0, "hello"], direct.stderr);
  },
);
