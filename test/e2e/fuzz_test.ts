/**
 * Hostile bytes against a live node, 100,000 of each kind at its UDP port and as many at its
 * JSON-RPC socket: it stays up, stays small, serves its peer, and accounts for every one.
 *
 * `NET_FUZZ_COUNT` changes the number, `NET_SEED` the seed.
 */
import assert from "node:assert/strict";
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
/** Growth that caches and the garbage collector may cause; the inputs are many times as much. */
const GROWTH_BYTES_MAX = 96 * MIB;
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
  const node = await workspace.startNode({ flags: UDP });
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
  const after = await countersOf(node);
  const change = Object.fromEntries(
    Object.entries(after)
      .map(([name, value]): [string, number] => [name, value - (before[name] ?? 0)])
      .filter(([name, value]) => value !== 0 && /^rx_|drop_/.test(name)),
  );
  console.log(`${kind}: ${JSON.stringify(change)}`);
}

/** Throws `count` pieces at the control socket over many connections, replies read and dropped. */
async function throwAtSocket(
  node: TestNode,
  kind: (typeof HOSTILE_KINDS)[number],
  count: number,
  real: readonly Uint8Array[],
  random: Random,
): Promise<void> {
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
}

/** Alive, answering, small, and every stage's sum is right. */
async function assertSound(node: TestNode, rssBefore: number): Promise<void> {
  assert.ok(node.program.isAlive(), node.log());
  const { alive } = await node.call("health.liveness");
  assert.equal(alive, true);
  const growth = node.rssBytes() - rssBefore;
  console.log(`resident memory: ${(growth / 1e6).toFixed(1)} MB more`);
  assert.ok(growth < GROWTH_BYTES_MAX, `${growth} bytes more`);
  const c = await countersOf(node);
  const sum = (names: readonly string[]) =>
    names.reduce((total, name) => {
      assert.equal(typeof c[name], "number", `there is no counter ${name}`);
      return total + (c[name] ?? 0);
    }, 0);
  const classes = ["rx_keepalives_total", "rx_pingwaves_total", "rx_routed_total"];
  const drops = ["rx_direct_total", "drop_unknown_class_total", "drop_route_hop_total"];
  assert.equal(sum([...classes, ...drops]), sum(["rx_datagrams_total"]));
}

/** Waits until the node counted `wanted` datagrams; returns how many are missing in the end. */
async function missingAfter(rpc: RpcClient, wanted: number): Promise<number> {
  const deadlineMs = performance.now() + BURST_TIMEOUT_MS;
  for (;;) {
    const { rx_datagrams_total: received = 0 } = plainCounters(await rpc.call("node.counters"));
    if (received >= wanted) return 0;
    if (performance.now() > deadlineMs) return wanted - received;
  }
}

async function countersOf(node: TestNode): Promise<Record<string, number>> {
  const plain = plainCounters(await node.call("node.counters"));
  assert.equal(typeof plain.rx_datagrams_total, "number", Object.keys(plain).join(" "));
  return plain;
}

/** Counters of a `node.counters` answer, the transport's under their plain names. */
function plainCounters(answer: unknown): Record<string, number> {
  const { counters } = answer as { counters: Readonly<Record<string, unknown>> };
  const plain: Record<string, number> = {};
  for (const [name, value] of Object.entries(counters)) {
    if (typeof value !== "number") continue;
    plain[name.replace(/^net_(?:transport_|mesh_)?/, "")] = value;
  }
  return plain;
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
