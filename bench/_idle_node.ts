/**
 * CPU an idle node with many peers needs: the real program as a process of its own, and peers that are
 * real transports with sockets of their own, all in this process, which is not counted.
 */
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
  createResetTagger,
  decodeTicket,
  deriveNodeId,
  generateSeed,
} from "../src/core/crypto/mod.ts";
import { systemClock, systemRandom } from "../src/base/mod.ts";
import { Dialer, MeshTransport, openBestUdpSocket } from "../src/core/transport/mod.ts";
import { silentLog } from "../src/observe/mod.ts";

const START_MS = 30_000;
const CONNECT_MS = 60_000;
/** Ticks of `/proc/PID/stat` per second, on every Linux this runs on. */
const TICKS_PER_SECOND = 100;

/** What one run gave. */
export interface IdleFigures {
  readonly peers: number;
  /** Share of one core, in percent. */
  readonly cpuPercent: number;
  readonly residentBytes: number;
}

/** Starts a node, connects peers, lets it idle for `seconds` and reads its CPU time. */
export async function measureIdleNode(peers: number, seconds: number): Promise<IdleFigures> {
  const folder = await Deno.makeTempDir({ prefix: "net-idle-" });
  const node = await startNode(folder);
  const crowd: { stop(): void }[] = [];
  try {
    const ticket = decodeTicket(node.ticket, Math.floor(Date.now() / 1000));
    const transports = [];
    for (let i = 0; i < peers; i++) {
      const peer = startPeer(ticket.meshSecret);
      crowd.push(peer);
      transports.push(peer.transport);
      peer.dialer.add({
        nodeId: deriveNodeId(ticket.entityId),
        noisePublicKey: ticket.noisePublicKey,
        addresses: ticket.addresses.slice(0, 1),
        forms: ["routed"],
      });
    }
    const deadline = performance.now() + CONNECT_MS;
    while (transports.some((transport) => transport.connectedPeers().length === 0)) {
      if (performance.now() > deadline) {
        throw new Error(
          `Cannot measure idling: ${
            transports.filter((t) => t.connectedPeers().length > 0).length
          } of ${peers} connect`,
        );
      }
      await pause(200);
    }
    // What follows a handshake is over.
    await pause(6_000);
    const before = await cpuTicks(node.pid);
    const startMs = performance.now();
    await pause(seconds * 1000);
    const ticks = await cpuTicks(node.pid) - before;
    const passed = (performance.now() - startMs) / 1000;
    return {
      peers,
      cpuPercent: 100 * ticks / TICKS_PER_SECOND / passed,
      residentBytes: await residentBytes(node.pid),
    };
  } finally {
    for (const peer of crowd) peer.stop();
    await node.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

function startPeer(meshSecret: Uint8Array) {
  const seed = generateSeed(systemRandom);
  const identity = createIdentity(seed);
  const socket = openBestUdpSocket({ host: "127.0.0.1", port: 0 }, { kind: "portable" });
  const transport = new MeshTransport({
    socket,
    cipher: createPacketCipher({ memoryBytes: 6 * 1024 * 1024, keySlots: 32 }),
    clock: systemClock,
    log: silentLog,
  }, {
    nodeId: identity.nodeId,
    noiseKeys: createNoiseKeyPair(),
    meshSecret,
    sealing: {
      identity,
      resetTagger: createResetTagger(seed),
      policyOf: () => ({ isRequired: false }),
    },
  });
  transport.start();
  const dialer = new Dialer({ transport, clock: systemClock, log: silentLog });
  return {
    transport,
    dialer,
    stop: () => {
      dialer.stop();
      transport.stop();
    },
  };
}

async function startNode(folder: string) {
  const main = new URL("../main.ts", import.meta.url).pathname;
  const env = {
    HOME: folder,
    XDG_DATA_HOME: `${folder}/data`,
    XDG_RUNTIME_DIR: `${folder}/run`,
    XDG_CONFIG_HOME: `${folder}/config`,
  };
  await Deno.mkdir(env.XDG_RUNTIME_DIR, { mode: 0o700 });
  const run = (args: readonly string[]) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--unstable-net", main, ...args],
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    });
  const child = run(["node", "start", "--udp", "127.0.0.1:0", "--log-level", "error"]).spawn();
  void child.stdout.pipeTo(new WritableStream()).catch(() => {});
  const deadline = performance.now() + START_MS;
  for (;;) {
    const { code, stdout } = await run(["node", "ticket", "--json"]).output();
    if (code === 0) {
      const { ticket } = JSON.parse(new TextDecoder().decode(stdout)) as { ticket: string };
      return {
        pid: child.pid,
        ticket,
        stop: async () => {
          child.kill("SIGTERM");
          await child.status;
        },
      };
    }
    if (performance.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error("Cannot measure idling: the node did not start");
    }
    await pause(200);
  }
}

async function cpuTicks(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  // Behind the name in parentheses the third field follows; user and system time are 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

async function residentBytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? NaN);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
