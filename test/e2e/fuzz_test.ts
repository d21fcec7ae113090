/**
 * Hostile bytes against a live node, 100,000 of each kind at its UDP port and as many at its
 * JSON-RPC socket: it stays up, stays small, serves its peer, and accounts for every one.
 *
 * `NET_FUZZ_COUNT` changes the number, `NET_SEED` the seed.
 */
import assert from "node:assert/strict";
import { checkCounters, type TransportCounters } from "../../src/core/transport/mod.ts";
import {
  equalFiles,
  makeWorkspace,
  patternBytes,
  type TestNode,
  untilConnected,
  waitFor,
  type Workspace,
} from "./harness.ts";
import { createRandom, HOSTILE_KINDS, makeHostile, type Random } from "./hostile_bytes.ts";
import { describe } from "./program.ts";
import { connectRaw, openRpc, type RpcClient, writeAll } from "./rpc.ts";
import { startUdpProxy } from "./udp_proxy.ts";

type Counters = Readonly<Record<string, number>>;

const MIB = 1024 * 1024;
const UDP = ["--udp", "127.0.0.1:0"];
const COUNT = Number(Deno.env.get("NET_FUZZ_COUNT") ?? "100000");
const SEED = Number(Deno.env.get("NET_SEED") ?? "20817");
/** Sent before the node's counter is looked at; 64 datagrams fit the smallest socket buffer. */
const BURST_DATAGRAMS = 64;
const BURST_BYTES = 64 * 1024;
/** After this long without progress the kernel must have dropped the rest of a burst. */
const BURST_TIMEOUT_MS = 1000;
/** Part of the datagrams that the kernel may drop on a busy machine. */
const LOST_RATIO_MAX = 0.001;
/** Garbage has to go soon, so that what stays is seen; a node that keeps more than this ends. */
const HEAP_FLAGS = "--max-old-space-size=64,--max-semi-space-size=4";
/** Growth that caches may cause; the inputs are many times as much. */
const GROWTH_BYTES_MAX = 48 * MIB;
/** Hostile pieces on one JSON-RPC connection. */
const PIECES_PER_CONNECTION = 1000;

Deno.test("a live node survives hostile bytes on its UDP port and its socket", async (t) => {
  console.log(`seed ${SEED}, ${COUNT} of each kind`);
  await using workspace = await makeWorkspace();
  const { node, peer, real } = await captureDatagrams(workspace);
  console.log(`${real.length} real datagrams captured, ${sizesOf(real)}`);
  const random = createRandom(SEED);
  // Warm up before the first look at the memory.
  await throwAtUdp(node, "random", 2000, real, random);
  const rssBefore = node.rssBytes();

  for (const kind of HOSTILE_KINDS) {
    await t.step(`${COUNT} ${kind} datagrams at the UDP port`, async () => {
      await throwAtUdp(node, kind, COUNT, real, random);
      await assertSound(node, rssBefore);
    });
  }
  for (const kind of HOSTILE_KINDS) {
    await t.step(`${COUNT} ${kind} pieces at the JSON-RPC socket`, async () => {
      await throwAtSocket(node, kind, COUNT, real, random);
      await assertSound(node, rssBefore);
    });
  }
  await t.step("the peer is still served", async () => {
    await untilConnected(node, peer);
    await moveBlob(workspace, node, peer, "after");
  });
});

/** Two nodes joined through a relay that keeps what they said, a blob transfer included. */
async function captureDatagrams(workspace: Workspace) {
  const node = await workspace.startNode({ flags: UDP, env: { DENO_V8_FLAGS: HEAP_FLAGS } });
  const { node_id, noise_public_key } = await node.status();
  const { psk } = await node.home.json(["node", "ticket"]);
  const pskFile = `${workspace.dir}/psk`;
  await Deno.writeTextFile(pskFile, `${psk}\n`, { mode: 0o600 });
  const proxy = startUdpProxy(await udpAddress(node));
  workspace.defer(() => proxy.stop());
  const spec = `127.0.0.1:${proxy.address.port}#${node_id}#${noise_public_key}`;
  const flags = [...UDP, "--peer", spec, "--psk-file", pskFile, "--heartbeat", "200ms"];
  const peer = await workspace.startNode({ flags });
  await untilConnected(node, peer);
  await moveBlob(workspace, node, peer, "before");
  await waitFor("a few heartbeats were seen", () => {
    const lengths = new Set(proxy.captured().map((datagram) => datagram.length));
    return lengths.has(72) && lengths.has(84);
  });
  return { node, peer, real: proxy.captured() };
}

async function moveBlob(
  workspace: Workspace,
  node: TestNode,
  peer: TestNode,
  name: string,
): Promise<void> {
  const source = `${workspace.dir}/${name}`;
  await Deno.writeFile(source, patternBytes(5 * MIB, name.length));
  const put = await node.home.net(["blob", "put", source]);
  assert.equal(put.code, 0, describe(put));
  const get = await peer.home.net(["blob", "get", put.stdout.trim(), `${source}.copy`]);
  assert.equal(get.code, 0, describe(get));
  assert.ok(await equalFiles(source, `${source}.copy`));
}

/** Throws `count` datagrams and checks that the node's counters took note of each. */
async function throwAtUdp(
  node: TestNode,
  kind: (typeof HOSTILE_KINDS)[number],
  count: number,
  real: readonly Uint8Array[],
  random: Random,
): Promise<void> {
  const target = await udpAddress(node);
  using rpc = await openRpc(node);
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const before = await countersOf(node);
  let lost = 0;
  try {
    for (let sent = 0; sent < count;) {
      let bytes = 0;
      for (let n = 0; n < BURST_DATAGRAMS && bytes < BURST_BYTES && sent < count; n++, sent++) {
        bytes += await socket.send(makeHostile(kind, real, random), target);
      }
      // Waiting for the counter keeps the kernel from dropping what the node never saw.
      lost += await missingAfter(rpc, (before.rx_datagrams_total ?? 0) + sent - lost);
    }
  } finally {
    socket.close();
  }
  assert.ok(lost <= count * LOST_RATIO_MAX, `${lost} of ${count} datagrams were not counted`);
  console.log(`${kind}: ${changeOf(before, await countersOf(node))}`);
}

/** Counters that grew, as text. */
function changeOf(before: Counters, after: Counters): string {
  return Object.entries(after)
    .map(([name, value]) => [name, value - (before[name] ?? 0)] as const)
    .filter(([, change]) => change !== 0)
    .map(([name, change]) => `${name} ${change}`)
    .join(", ");
}

/** Throws `count` pieces at the control socket over many connections, replies read and dropped. */
async function throwAtSocket(
  node: TestNode,
  kind: (typeof HOSTILE_KINDS)[number],
  count: number,
  real: readonly Uint8Array[],
  random: Random,
): Promise<void> {
  const before = countersIn(await node.call("node.counters")).control;
  for (let sent = 0; sent < count; sent += PIECES_PER_CONNECTION) {
    const connection = await connectRaw({ socketPath: node.socketPath });
    const reading = drain(connection);
    try {
      const pieces: Uint8Array[] = [];
      for (let i = 0; i < Math.min(PIECES_PER_CONNECTION, count - sent); i++) {
        // Most pieces end as lines do; some run into the next one.
        pieces.push(makeHostile(kind, real, random).subarray(0, 512));
        if (random.integer(4) !== 0) pieces.push(new Uint8Array([0x0a]));
      }
      await writeAll(connection, joinPieces(pieces));
      await (connection as Deno.UnixConn).closeWrite();
    } catch (error) {
      // The node may hang up on what it takes for HTTP or for an endless line.
      if (!(error instanceof Deno.errors.BrokenPipe || isReset(error))) throw error;
    }
    await reading;
    connection.close();
  }
  const after = countersIn(await node.call("node.counters")).control;
  console.log(`${kind}: ${changeOf(before, after)}`);
}

/** Alive, answering, small, and every stage's sum is right. */
async function assertSound(node: TestNode, rssBefore: number): Promise<void> {
  assert.ok(node.program.isAlive(), node.log());
  const { alive } = await node.call("health.liveness");
  assert.equal(alive, true);
  const growth = node.rssBytes() - rssBefore;
  console.log(`resident memory: ${(growth / 1e6).toFixed(1)} MB more`);
  assert.ok(growth < GROWTH_BYTES_MAX, `${growth} bytes more`);
  const { transport, control } = countersIn(await node.call("node.counters"));
  assert.deepEqual(checkCounters(transport as unknown as TransportCounters), []);
  assert.deepEqual(checkControl(control), []);
}

/** What does not add up on the JSON-RPC surface; empty when all does. */
function checkControl(c: Counters): string[] {
  const wrong: string[] = [];
  const at = (name: string) => c[name] ?? NaN;
  const ended = at("notifications_total") + at("results_total") + at("errors_total");
  // The request that asks is counted when it came, and not yet as one under way.
  const asking = 1;
  const known = ended + at("requests_in_flight");
  if (![known, known + asking].includes(at("requests_total"))) wrong.push("requests");
  const reasons = Object.entries(c)
    .filter(([name]) => name.startsWith("errors_") && name !== "errors_total")
    .reduce((total, [, value]) => total + value, 0);
  if (at("errors_total") !== reasons) wrong.push("errors by reason");
  return wrong;
}

/** Waits until the node counted `wanted` datagrams; returns how many are missing in the end. */
async function missingAfter(rpc: RpcClient, wanted: number): Promise<number> {
  const deadlineMs = performance.now() + BURST_TIMEOUT_MS;
  for (;;) {
    const { transport } = countersIn(await rpc.call("node.counters"));
    const received = transport.rx_datagrams_total ?? 0;
    if (received >= wanted) return 0;
    if (performance.now() > deadlineMs) return wanted - received;
  }
}

/** The transport's counters. */
async function countersOf(node: TestNode): Promise<Counters> {
  const { transport } = countersIn(await node.call("node.counters"));
  assert.equal(typeof transport.rx_datagrams_total, "number");
  return transport;
}

/** Counters of a `node.counters` answer by area, without the area's prefix. */
function countersIn(answer: unknown): { readonly transport: Counters; readonly control: Counters } {
  const { counters } = answer as { counters: Readonly<Record<string, unknown>> };
  const areas: Record<string, Record<string, number>> = {};
  for (const [name, value] of Object.entries(counters)) {
    const [, area, rest] = /^net_([a-z]+)_(.+)$/.exec(name) ?? [];
    if (area === undefined || rest === undefined || typeof value !== "number") continue;
    (areas[area] ??= {})[rest] = value;
  }
  return { transport: areas.transport ?? {}, control: areas.control ?? {} };
}

async function udpAddress(node: TestNode): Promise<Deno.NetAddr> {
  const { udp } = await node.status();
  const [, hostname, port] = /^([0-9.]+):(\d+)$/.exec(String((udp as string[])[0])) ?? [];
  assert.ok(hostname !== undefined && port !== undefined, `udp is ${udp}`);
  return { transport: "udp", hostname, port: Number(port) };
}

async function drain(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(65_536);
  try {
    while (await connection.read(buffer) !== null);
  } catch (error) {
    if (!isReset(error)) throw error;
  }
}

function isReset(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BadResource;
}

function joinPieces(pieces: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    joined.set(piece, offset);
    offset += piece.length;
  }
  return joined;
}

function sizesOf(datagrams: readonly Uint8Array[]): string {
  const counts = new Map<number, number>();
  for (const { length } of datagrams) counts.set(length, (counts.get(length) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => a - b).map(([size, n]) => `${n}×${size}`).join(" ");
}
