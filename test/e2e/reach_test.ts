/** Verbs about the way to a peer, between real processes: ping, connect, doctor --peer. */
import assert from "node:assert/strict";
import {
  assertFails,
  makeWorkspace,
  startPair,
  ticketOf,
  untilConnected,
  waitFor,
} from "./harness.ts";
import { spawnProgram } from "./program.ts";

type Row = Record<string, unknown>;

const NOBODY = "00000000000000ff";

Deno.test("ping, connect and doctor --peer between two nodes and over a relay", async (t) => {
  await using workspace = await makeWorkspace();
  const udp = ["--udp", "127.0.0.1:0"];
  const { first: relay, second: left } = await startPair(workspace);
  const [relayStatus, leftStatus] = [await relay.status(), await left.status()];
  const [relayId, leftId] = [String(relayStatus.node_id), String(leftStatus.node_id)];
  const relayAddress = String((relayStatus.udp as string[])[0]);
  const { home } = left;

  await t.step("ping counts round trips", async () => {
    const pinged = await home.json(["node", "ping", relayId.slice(0, 8), "-c", "3", "-i", "20ms"]);
    assert.deepEqual([pinged.node_id, pinged.sent, pinged.received, pinged.loss], [
      relayId,
      3,
      3,
      0,
    ]);
    const { min, avg, max, mdev } = pinged.rtt_ms as Record<string, number>;
    assert.ok(min !== undefined && avg !== undefined && max !== undefined && mdev !== undefined);
    assert.ok(min > 0 && min <= avg && avg <= max && mdev >= 0);
    const { code, stdout } = await home.net(["node", "ping", relayId, "-c", "2", "-i", "20ms"]);
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`^${relayId} ${relayAddress} seq=2 time=[0-9.]+ ms$`, "m"));
    assert.match(stdout, /^2 sent, 2 answered, 0 % lost\nrtt min\/avg\/max\/mdev = /m);
  });

  await t.step("Ctrl-C ends a ping with the sums so far", async () => {
    const args = ["node", "ping", relayId, "--count", "0", "--interval", "20ms"];
    const program = spawnProgram(args, { env: home.env, cwd: `${home.dir}/cwd` });
    await waitFor("a few round trips are printed", () => program.stdout().includes("seq=3 "));
    program.kill("SIGINT");
    const { code } = await program.finished();
    assert.equal(code, 0, program.stderr());
    assert.match(program.stdout(), /^[0-9]+ sent, [0-9]+ answered, 0 % lost$/m);
  });

  await t.step("a direct session needs no other way", async () => {
    const connected = await home.json(["node", "connect", relayId]);
    assert.equal(connected.outcome, "direct");
    const { code, stdout } = await home.net(["doctor", "--peer", relayId, "--json"]);
    const reached = JSON.parse(stdout);
    assert.deepEqual([code, reached.ok, reached.next], [0, true, []]);
    assert.deepEqual([reached.session.relayed, reached.session.trust], [false, "proven"]);
    const row = (reached.addresses as Row[]).find(({ address }) => address === relayAddress);
    assert.deepEqual(row?.sources, ["session", "ticket", "pin"]);
    assert.deepEqual([reached.port_mapping.mode, reached.port_mapping.state], ["auto", "idle"]);
  });

  await t.step("nodes that nothing is known of", async () => {
    assertFails(await home.net(["node", "ping", NOBODY]), 6, "unreachable");
    assertFails(await home.net(["doctor", "--peer", NOBODY]), 4, "not_found");
    assertFails(await home.net(["doctor", "--peer", leftId]), 2, "usage");
    assertFails(await home.net(["node", "connect", "127.0.0.1:1#ff#00"]), 2, "usage");
    const { code, stdout } = await home.net(["node", "connect", NOBODY]);
    assert.equal(code, 6);
    assert.match(stdout, /key is unknown/);
  });

  // Its only address of the left one is the relay's.
  const peer = `${relayAddress}#${leftId}#${leftStatus.noise_public_key}`;
  const right = await workspace.startNode({
    flags: [...udp, "--nat", "off", "--join", "-", "--peer", peer],
    stdin: await ticketOf(relay),
  });
  await untilConnected(left, right);

  await t.step("a relayed session says through whom, and what to do", async () => {
    const pinged = await right.home.json(["node", "ping", leftId, "-c", "1"]);
    assert.deepEqual([pinged.relayed, pinged.relay], [true, relayId]);
    const traced = await right.home.json(["node", "trace", leftId, "--count", "1"]);
    assert.deepEqual([traced.relayed, traced.relay], [true, relayId]);
    const { code, stdout } = await right.home.net(["doctor", "--peer", leftId]);
    assert.equal(code, 1);
    assert.match(stdout, new RegExp(`^session +relayed through ${relayId}, connected`, "m"));
    assert.match(stdout, /^readable by +the two nodes only$/m);
    assert.match(stdout, /^own port +the router is not asked: --port-map is off$/m);
    assert.match(stdout, new RegExp(`^relay +connected +${relayAddress} +${relayId} `, "m"));
    assert.match(stdout, /^next: traversal is switched off on this node/m);
  });

  await t.step("with the peer's own address a relayed session becomes a direct one", async () => {
    const address = String((leftStatus.udp as string[])[0]);
    const spec = `${address}#${leftId}#${leftStatus.noise_public_key}`;
    const connected = await right.home.json(["node", "connect", spec]);
    assert.equal(connected.outcome, "direct", JSON.stringify(connected));
    const last = (connected.paths as Row[]).at(-1);
    assert.deepEqual([last?.kind, last?.outcome, last?.address], ["direct", "connected", address]);
    const { code } = await right.home.net(["doctor", "--peer", leftId]);
    assert.equal(code, 0);
  });
});
