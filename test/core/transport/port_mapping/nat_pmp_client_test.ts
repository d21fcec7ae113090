import assert from "node:assert/strict";
import { createNatPmpClient } from "../../../../src/core/transport/mod.ts";
import { clientDeps, HOST, REQUEST, UdpGateway } from "./gateway_kit.ts";

const isExternal = (host: string) => host.startsWith("198.51.100.");

/** The address 198.51.100.7. */
function addressAnswer(last = 7): Uint8Array {
  return Uint8Array.of(0, 128, 0, 0, 0, 0, 0, 9, 198, 51, 100, last);
}

function mapAnswer(internal = 4000, external = 4000, lease = 3600): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  bytes[1] = 129;
  view.setUint16(8, internal);
  view.setUint16(10, external);
  view.setUint32(12, lease);
  return bytes;
}

function failure(op: number, result: number): Uint8Array {
  return Uint8Array.of(0, 128 + op, 0, result, 0, 0, 0, 9);
}

Deno.test("createNatPmpClient() maps a port and takes it back", async () => {
  await using gateway = new UdpGateway((bytes) => [
    bytes[1] === 0 ? addressAnswer() : mapAnswer(
      4000,
      bytes[8] === 0 && bytes[11] === 0 ? 0 : 4001,
      new DataView(bytes.buffer, bytes.byteOffset).getUint32(8),
    ),
  ]);
  const client = createNatPmpClient(clientDeps(), { port: gateway.port, isExternal });
  const mapping = await client.map(REQUEST);
  assert.deepEqual(mapping, {
    protocol: "nat-pmp",
    external: { host: "198.51.100.7", port: 4001 },
    internalHost: HOST,
    internalPort: 4000,
    gateway: HOST,
    leaseSeconds: 3600,
  });
  assert.deepEqual(gateway.heard.map((bytes) => bytes.toHex()), [
    "0000",
    "000100000fa00fa000000e10",
  ]);
  await client.unmap(mapping);
  assert.equal(gateway.heard[2]?.toHex(), "000100000fa0000000000000");
});

Deno.test("createNatPmpClient() asks three times within a second, then gives up", async () => {
  await using gateway = new UdpGateway(() => []);
  const deps = clientDeps();
  const mapped = createNatPmpClient(deps, { port: gateway.port, isExternal }).map(REQUEST);
  const outcome = assert.rejects(mapped, { reason: "silent", code: "unreachable" });
  await gateway.untilHeard(1);
  await deps.clock.advance(249);
  assert.equal(deps.counters.datagrams_sent_total, 1);
  await deps.clock.advance(1);
  assert.equal(deps.counters.datagrams_sent_total, 2);
  await deps.clock.advance(500);
  assert.equal(deps.counters.datagrams_sent_total, 3);
  await deps.clock.advance(250);
  await outcome;
});

Deno.test("createNatPmpClient() hears nobody but the gateway", async () => {
  await using stranger = new UdpGateway(() => []);
  const ports: number[] = [];
  const deps = clientDeps();
  const openSocket = (local: Parameters<typeof deps.openSocket>[0]) => {
    const socket = deps.openSocket(local);
    ports.push(socket.localAddress.port);
    return socket;
  };
  await using gateway = new UdpGateway(() => []);
  const client = createNatPmpClient({ ...deps, openSocket }, { port: gateway.port, isExternal });
  const outcome = client.map(REQUEST);
  await gateway.untilHeard(1);
  await stranger.send(addressAnswer(66), ports[0] ?? 0);
  // What else the gateway says does not count either.
  await gateway.send(mapAnswer(), ports[0] ?? 0);
  await gateway.send(failure(1, 2), ports[0] ?? 0);
  await gateway.send(Uint8Array.of(0, 128, 0), ports[0] ?? 0);
  await gateway.send(new Uint8Array(500).fill(7), ports[0] ?? 0);
  await gateway.send(failure(0, 3), ports[0] ?? 0);
  await assert.rejects(outcome, { reason: "refused", message: /network failure/ });
  assert.equal(deps.counters.dropped_source_total, 1);
  assert.equal(deps.counters.dropped_answer_total, 4);
});

for (
  const [what, answers, reason, message] of [
    ["an address that is private", [addressAnswer().fill(10, 8, 9)], "double-nat", /10\.51\.100/],
    ["no address", [addressAnswer().fill(0, 8)], "double-nat", /0\.0\.0\.0/],
    ["another version", [failure(0, 1)], "unsupported", /unsupported version/],
    ["not authorized", [addressAnswer(), failure(1, 2)], "refused", /not authorized/],
    ["port 0", [addressAnswer(), mapAnswer(4000, 0)], "malformed", /port or lease 0/],
    ["lease 0", [addressAnswer(), mapAnswer(4000, 4000, 0)], "malformed", /port or lease 0/],
  ] as const
) {
  Deno.test(`createNatPmpClient() gives up on ${what}`, async () => {
    await using gateway = new UdpGateway((bytes) => {
      const answer = answers[bytes[1] ?? 0];
      return answer === undefined ? [] : [answer];
    });
    const client = createNatPmpClient(clientDeps(), { port: gateway.port, isExternal });
    await assert.rejects(client.map(REQUEST), { reason, message });
  });
}

Deno.test("createNatPmpClient() ends at once when it is told to", async () => {
  await using gateway = new UdpGateway(() => []);
  const controller = new AbortController();
  const client = createNatPmpClient(clientDeps(), { port: gateway.port, isExternal });
  const outcome = client.map(REQUEST, { signal: controller.signal });
  await gateway.untilHeard(1);
  controller.abort(new Error("enough"));
  await assert.rejects(outcome, /enough/);
  await assert.rejects(client.map(REQUEST, { signal: controller.signal }), /enough/);
});

Deno.test("createNatPmpClient() says when this machine can't ask", async () => {
  const openSocket = () => {
    throw new Error("no such address");
  };
  const client = createNatPmpClient({ ...clientDeps(), openSocket });
  await assert.rejects(client.map(REQUEST), { reason: "network", code: "network" });
});
