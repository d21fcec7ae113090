/** Whole nodes with a capability service, over real sockets on loopback. */
import { openLedger } from "../../../src/core/ledger/mod.ts";
import { createRamKeys, type NodeKeys } from "../../../src/core/crypto/mod.ts";
import { type Clock, systemClock } from "../../../src/base/mod.ts";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import {
  type CapabilityMemory,
  CapabilityService,
  type CapabilityServiceOptions,
  createCapabilityMemory,
  type MeshMemory,
  MeshService,
} from "../../../src/services/mod.ts";

const LOOPBACK = "127.0.0.1";
/** Mesh secret of the nodes here. */
export const PSK = new Uint8Array(32).fill(0x31);

/** A running node. */
export interface CapableNode extends AsyncDisposable {
  readonly nodeId: bigint;
  readonly keys: NodeKeys;
  readonly mesh: MeshService;
  readonly capabilities: CapabilityService;
  /** All counters. */
  counters(): Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

/** Options of {@linkcode startCapableNode}. */
export interface CapableNodeOptions extends CapabilityServiceOptions {
  readonly keys?: NodeKeys;
  /** A ledger's file; memory when left out. */
  readonly path?: string;
  /** Node to connect to. */
  readonly join?: CapableNode;
  /** See `MeshServiceOptions`. */
  readonly pollMicroseconds?: number;
  /** The wall clock of this node is so far off. */
  readonly wallOffsetMs?: number;
  /** In place of what is kept in the ledger. */
  readonly memory?: Partial<CapabilityMemory>;
}

/** Starts a node; it is ready when this resolves, its session with `join` is not. */
export async function startCapableNode(options: CapableNodeOptions = {}): Promise<CapableNode> {
  const { keys = createRamKeys(), path = ":memory:", join, wallOffsetMs = 0, ...others } = options;
  const { pollMicroseconds, ...rest } = others;
  const clock: Clock = { ...systemClock, wallMs: () => systemClock.wallMs() + wallOffsetMs };
  const ledger = openLedger({ path });
  const metrics = createMetricRegistry();
  const deps = { clock, log: silentLog, metrics };
  const mesh = new MeshService({ ...deps, memory: forgetful(), keys }, {
    udp: { host: LOOPBACK, port: 0 },
    meshSecret: PSK,
    expect: [],
    peers: join === undefined ? [] : [{
      nodeId: join.nodeId,
      entityId: join.keys.identity.entityId,
      noisePublicKey: join.keys.noise.publicKey,
      addresses: join.mesh.addresses(),
      label: "",
      isPinned: false,
    }],
    ticket: undefined,
    isSealedOnly: false,
    heartbeatMs: 200,
    sessionTimeoutMs: 1_000,
    pollMicroseconds,
  });
  const memory = { ...createCapabilityMemory(ledger), ...options.memory };
  const capabilities = new CapabilityService({ ...deps, mesh, keys, memory }, rest);
  await mesh.start();
  await capabilities.start();
  const stop = async () => {
    await capabilities.stop();
    await mesh.stop();
    await ledger.close();
  };
  return {
    nodeId: keys.identity.nodeId,
    keys,
    mesh,
    capabilities,
    counters: () => metrics.snapshot(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Waits until something holds, with what did not in the failure. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`it never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function forgetful(): MeshMemory {
  return {
    readUdpPort: () => Promise.resolve(undefined),
    writeUdpPort: () => Promise.resolve(),
    readPeers: () => Promise.resolve([]),
    writePeer: () => Promise.resolve(),
    touchPeer: () => Promise.resolve(),
    removePeer: () => Promise.resolve(false),
  };
}
