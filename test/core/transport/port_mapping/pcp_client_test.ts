import assert from "node:assert/strict";
import { createPcpClient } from "../../../../src/core/transport/mod.ts";
import { clientDeps, HOST, REQUEST, UdpGateway } from "./gateway_kit.ts";

const isExternal = (host: string) => host.startsWith("198.51.100.");

interface Change {
  readonly result?: number;
  readonly version?: number;
  readonly isOtherNonce?: boolean;
  readonly protocol?: number;
  readonly internalPort?: number;
  readonly externalPort?: number;
  readonly host?: readonly number[];
  readonly lease?: number;
}

/** What a gateway answers to a request. */
function answerTo(request: Uint8Array, change: Change = {}): Uint8Array {
  const bytes = new Uint8Array(60);
  const view = new DataView(bytes.buffer);
  const asked = new DataView(request.buffer, request.byteOffset);
  bytes.set(request.subarray(24, 48), 24);
  bytes[0] = change.version ?? 2;
  bytes[1] = 0x81;
  bytes[3] = change.result ?? 0;
  view.setUint32(4, change.lease ?? asked.getUint32(4));
  if (change.isOtherNonce) bytes[24] = (bytes[24] ?? 0) ^ 1;
  bytes[36] = change.protocol ?? 17;
  view.setUint16(40, change.internalPort ?? asked.getUint16(40));
  view.setUint16(42, change.externalPort ?? 5000);
  view.setUint16(54, 0xffff);
  bytes.set(change.host ?? [198, 51, 100, 9], 56);
  return bytes;
}

Deno.test("createPcpClient() maps, renews with the same nonce, and takes it back", async () => {
  await using gateway = new UdpGateway((bytes) => [answerTo(bytes)]);
  const client = createPcpClient(clientDeps(), { port: gateway.port, isExternal });
  const mapping = await client.map(REQUEST);
  assert.deepEqual(mapping, {
    protocol: "pcp",
    external: { host: "198.51.100.9", port: 5000 },
    internalHost: HOST,
    internalPort: 4000,
    gateway: HOST,
    leaseSeconds: 3600,
  });
  await client.map({ ...REQUEST, externalPort: 5000 });
  await client.unmap(mapping);
  const nonces = gateway.heard.map((bytes) => bytes.slice(24, 36).toHex());
  assert.equal(new Set(nonces).size, 1);
  const [first, , last] = gateway.heard;
  assert.equal(first?.slice(0, 24).toHex(), `0201000000000e10${"0".repeat(20)}ffff7f000001`);
  assert.equal(first?.slice(36, 44).toHex(), "110000000fa00fa0");
  // Lease and port outside are 0.
  assert.equal(last?.slice(4, 8).toHex(), "00000000");
  assert.equal(last?.slice(40, 44).toHex(), "0fa00000");
});

for (
  const [what, change] of [
    ["another nonce", { isOtherNonce: true }],
    ["another protocol", { protocol: 6 }],
    ["another port of ours", { internalPort: 1 }],
    ["another version's success", { version: 3 }],
    ["an error for another nonce", { isOtherNonce: true, result: 2 }],
  ] as const
) {
  Deno.test(`createPcpClient() ignores an answer with ${what}`, async () => {
    const deps = clientDeps();
    await using gateway = new UdpGateway((bytes) => [
      answerTo(bytes, change),
      bytes.slice(0, 24),
      answerTo(bytes),
    ]);
    const client = createPcpClient(deps, { port: gateway.port, isExternal });
    assert.equal((await client.map(REQUEST)).external.port, 5000);
    assert.equal(deps.counters.dropped_answer_total, 2);
  });
}

for (
  const [what, answer, reason, message] of [
    [
      "a gateway that only speaks NAT-PMP",
      () => Uint8Array.of(0, 129, 0, 1, 0, 0, 0, 1),
      "unsupported",
      /unsupported version/,
    ],
    [
      "a gateway of another version of PCP",
      (bytes: Uint8Array) => answerTo(bytes, { version: 1, result: 1 }).slice(0, 24),
      "unsupported",
      /unsupported version/,
    ],
    ["a refusal", (bytes: Uint8Array) => answerTo(bytes, { result: 8 }), "refused", /no resources/],
    ["an unknown result", (bytes: Uint8Array) => answerTo(bytes, { result: 99 }), "refused", /99/],
    ["port 0", (bytes: Uint8Array) => answerTo(bytes, { externalPort: 0 }), "malformed", /port/],
    ["lease 0", (bytes: Uint8Array) => answerTo(bytes, { lease: 0 }), "malformed", /lease 0/],
  ] as const
) {
  Deno.test(`createPcpClient() gives up on ${what}`, async () => {
    await using gateway = new UdpGateway((bytes) => [answer(bytes)]);
    const client = createPcpClient(clientDeps(), { port: gateway.port, isExternal });
    await assert.rejects(client.map(REQUEST), { reason, message });
  });
}

Deno.test("createPcpClient() takes back what leads to a private address", async () => {
  await using gateway = new UdpGateway((bytes) => [answerTo(bytes, { host: [100, 64, 0, 1] })]);
  const client = createPcpClient(clientDeps(), { port: gateway.port });
  await assert.rejects(client.map(REQUEST), { reason: "double-nat", message: /100\.64\.0\.1/ });
  assert.equal(gateway.heard[1]?.slice(4, 8).toHex(), "00000000");
});

Deno.test("createPcpClient() grants no longer lease than was asked for", async () => {
  await using gateway = new UdpGateway((bytes) => [answerTo(bytes, { lease: 0xffff_ffff })]);
  const client = createPcpClient(clientDeps(), { port: gateway.port, isExternal });
  assert.equal((await client.map(REQUEST)).leaseSeconds, 3600);
});

Deno.test("createPcpClient() gives up when nobody answers", async () => {
  await using gateway = new UdpGateway(() => []);
  const deps = clientDeps();
  const client = createPcpClient(deps, { port: gateway.port, isExternal });
  const outcome = assert.rejects(client.map(REQUEST), { reason: "silent" });
  await gateway.untilHeard(1);
  await deps.clock.advance(1_000);
  await outcome;
});
