/** What a node shows of its traffic, and measurements between two nodes. */
import assert from "node:assert/strict";
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

type Row = Record<string, unknown>;

Deno.test("two nodes show peers, streams, routes, counters and the way to each other", async (t) => {
  await using workspace = await makeWorkspace();
  const { first, second } = await startPair(workspace);
  const firstId = String((await first.status()).node_id);
  const { home } = second;
  const source = `${workspace.dir}/source`;
  await Deno.writeFile(source, patternBytes(3_000_000, 5));
  const { address } = await first.home.json(["blob", "put", source]);
  await home.json(["blob", "get", String(address), `${workspace.dir}/copy`]);

  await t.step("node trace by the first digits of an id", async () => {
    const traced = await home.json(["node", "trace", firstId.slice(0, 8), "--count", "3"]);
    assert.equal(traced.node_id, firstId);
    assert.deepEqual([traced.sent, traced.received, traced.loss], [3, 3, 0]);
    const { min, p50, max } = traced.rtt_ms as Record<string, number>;
    assert.ok(min !== undefined && p50 !== undefined && max !== undefined && min > 0);
    assert.ok(min <= p50 && p50 <= max);
    assert.equal((traced.hops as Row[]).length, 1);
  });
  await t.step("node peers", async () => {
    const [peer] = (await home.json(["node", "peers"])).peers as Row[];
    assert.deepEqual([peer?.node_id, peer?.state, peer?.trust, peer?.relayed], [
      firstId,
      "connected",
      "proven",
      false,
    ]);
    assert.ok(Number(peer?.bytes_received) > 3_000_000);
    const { stdout } = await home.net(["node", "peers"]);
    for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
  });
  await t.step("node streams", async () => {
    const listed = await home.json(["node", "streams", firstId]);
    const received = (listed.streams as Row[]).filter((stream) => stream.received !== null);
    const bytes = received.reduce(
      (sum, { received: half }) => sum + Number((half as Row).bytes),
      0,
    );
    assert.ok(bytes >= 3_000_000, `${bytes} bytes on streams`);
    const { code, stdout } = await home.net(["node", "streams"]);
    assert.equal(code, 0);
    for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
    assertFails(await home.net(["node", "streams", "00000000000000ff"]), 4, "not_found");
  });
  await t.step("node routes", async () => {
    const { routes } = await home.json(["node", "routes"]);
    const route = (routes as Row[]).find(({ destination }) => destination === firstId);
    assert.deepEqual([route?.via, route?.hops], [firstId, 1]);
  });
  await t.step("node counters", async () => {
    const document = await home.json(["node", "counters"]);
    assert.deepEqual(document.mismatches, []);
    const stages = document.stages as Row[];
    const names = stages.map(({ name }) => name);
    for (const name of ["datagrams", "packets", "opened", "events"]) {
      assert.ok(names.includes(name));
    }
    for (const stage of stages) {
      const sum = Object.values(stage.outcomes as Record<string, number>).reduce(
        (a, b) => a + b,
        0,
      );
      assert.equal(sum, stage.in, String(stage.name));
    }
    assert.match((await home.net(["node", "counters"])).stdout, /^events +[\d,]+$/m);
  });
  await t.step("node status", async () => {
    const { sessions } = await home.json(["node", "status"]);
    const { sealed, compat, failed } = sessions as Row;
    assert.deepEqual([sealed, compat, failed], [1, 0, 0]);
    assert.match((await home.net(["node", "status"])).stdout, /sessions: 1 sealed, 0 compat/);
  });
  await t.step("bench transport, from either side", async () => {
    for (const { home: side } of [first, second]) {
      const args = ["bench", "transport", "--seconds", "0.2", "--size", "500", "--streams", "2"];
      const report = await side.json(args);
      const trip = report.round_trip as Record<string, number>;
      assert.ok((trip.received ?? 0) > 10 && (trip.p50_ms ?? 0) > 0);
      assert.ok((trip.p50_ms ?? 0) <= (trip.p99_ms ?? 0));
      const rows = report.events as Record<string, number | boolean>[];
      assert.deepEqual(rows.map(({ way }) => way), ["out", "in"]);
      for (const row of rows) {
        assert.equal(row.complete, true);
        assert.ok(Number(row.events) > 100 && Number(row.events_per_second) > 100);
      }
    }
    const { stdout, stderr } = await home.net(
      ["bench", "transport", firstId, "--seconds", "0.1", "--size", "64"],
    );
    assert.match(
      stdout,
      new RegExp(`^with ${firstId} at 127\\.0\\.0\\.1:\\d+, proven, 1 stream$`, "m"),
    );
    assert.match(stderr, /^2\/3 with [0-9a-f]{16}: events of 64 B out$/m);
  });
  await t.step("bench transport ends on Ctrl-C, and both nodes are free again", async () => {
    const options = { env: home.env, cwd: `${home.dir}/cwd` };
    const program = spawnProgram(["bench", "transport", "--seconds", "7"], options);
    await waitFor("it measures", () => /round trips/.test(program.stderr()));
    program.kill("SIGINT");
    assert.equal((await program.finished()).code, 130);
    const args = ["bench", "transport", "--seconds", "0.1", "--size", "64"];
    assert.ok((await first.home.json(args)).round_trip);
  });
  await t.step("what can't be measured is said", async () => {
    assertFails(await home.net(["bench", "transport", "--seconds", "60"]), 2, "usage");
    assertFails(await home.net(["bench", "transport", "00000000000000ff"]), 4, "not_found");
  });
});

Deno.test("bench transport says that the other side has measurements switched off", async () => {
  await using workspace = await makeWorkspace();
  const udp = ["--udp", "127.0.0.1:0"];
  const first = await workspace.startNode({ flags: [...udp, "--bench", "off"] });
  assertFails(await first.home.net(["bench", "transport"]), 4, "not_found");
  const ticket = await ticketOf(first);
  const second = await workspace.startNode({ flags: [...udp, "--join", "-"], stdin: ticket });
  await untilConnected(first, second);
  const error = assertFails(await second.home.net(["bench", "transport"]), 5, "not_allowed");
  assert.match(error, /^next: .*--bench off$/m);
});

Deno.test("measurements, traces and routes over a relay", async (t) => {
  await using workspace = await makeWorkspace();
  const udp = ["--udp", "127.0.0.1:0"];
  const { first: relay, second: left } = await startPair(workspace);
  const join = ["--join", "-"];
  const stdin = await ticketOf(relay);
  const [relayStatus, leftStatus] = [await relay.status(), await left.status()];
  const [relayId, leftId] = [String(relayStatus.node_id), String(leftStatus.node_id)];
  const relayAddress = String((relayStatus.udp as unknown[])[0]);

  await t.step("a node without a session is known by the way to it", async () => {
    const far = await workspace.startNode({ flags: [...udp, ...join], stdin });
    await untilConnected(relay, far);
    await waitFor("the far node hears of the other one", async () => {
      const { routes } = await far.home.json(["node", "routes"]);
      return (routes as Row[]).some(({ destination, via }) =>
        destination === leftId && via === relayId
      );
    });
    const traced = await far.home.net(["node", "trace", leftId, "--json"]);
    assert.equal(traced.code, 6, traced.stderr);
    const { session, hops, hop_count } = JSON.parse(traced.stdout);
    assert.deepEqual([session, hop_count], [false, 2]);
    assert.deepEqual(hops.map((hop: Row) => hop.node_id), [relayId, leftId]);
    await far.kill("SIGTERM");
  });

  // Its only address of the left one is the relay's.
  const peer = `${relayAddress}#${leftId}#${leftStatus.noise_public_key}`;
  const right = await workspace.startNode({ flags: [...udp, ...join, "--peer", peer], stdin });
  await untilConnected(left, right);
  await t.step("a trace names the relay", async () => {
    const traced = await right.home.json(["node", "trace", leftId, "--count", "2"]);
    assert.deepEqual((traced.hops as Row[]).map((hop) => [hop.node_id, hop.address]), [
      [relayId, relayAddress],
      [leftId, null],
    ]);
    assert.equal(traced.received, 2);
    assert.match(
      (await right.home.net(["node", "peers"])).stdout,
      new RegExp(`^${leftId}.* relayed`, "m"),
    );
  });
  await t.step("a measurement works in both directions, from either side", async () => {
    const rightId = String((await right.status()).node_id);
    for (const [from, to] of [[left, rightId], [right, leftId]] as const) {
      const args = ["bench", "transport", to, "--seconds", "0.3", "--size", "1000"];
      const report = await from.home.json(args);
      assert.deepEqual([report.relayed, report.trust], [true, "proven"]);
      assert.ok(Number((report.round_trip as Row).received) > 10);
      for (const row of report.events as Row[]) {
        assert.equal(row.complete, true, JSON.stringify(row));
        assert.ok(Number(row.events) > 100);
      }
    }
    const { relayed } = await relay.home.json(["node", "streams"]);
    assert.ok((relayed as Row[]).some(({ stream }) => String(stream).startsWith("4e42")));
    assert.deepEqual((await relay.home.json(["node", "counters"])).mismatches, []);
  });
});
