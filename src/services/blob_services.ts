/**
 * The services of a node about blobs, put together. They start in this order and stop in the opposite one. A data
 * folder that is opened without a mesh has the first ones only.
 */
import { NetError, systemClock, systemRandom } from "../base/mod.ts";
import type { BlobTransfer } from "../blob/mod.ts";
import {
  BlobKeepingService,
  BlobService,
  createFlowMesh,
  createPolicyMemory,
  createScrubMemory,
  ExchangeService,
  FlowService,
  FolderService,
  PolicyService,
  ReplicaService,
  ScrubService,
  TransferViewService,
} from "./blobs/mod.ts";
import type { MeshServices, NodeParts, OpenServices } from "./node_services.ts";

/** Blobs, and what moves them. */
export interface BlobServices {
  /** First, so that the others start by what it says. */
  readonly policy: PolicyService;
  /** What stays and what goes. */
  readonly keeping: BlobKeepingService;
  readonly scrub: ScrubService;
  /** To and from folders of other programs. */
  readonly exchange: ExchangeService;
  readonly blobs: BlobService;
  /** Folders as blobs. */
  readonly folders: FolderService;
}

/**
 * Adds the blobs of a node.
 *
 * @param mesh `undefined` where no mesh runs: then only what is here can be had.
 */
export function addBlobServices(
  { supervisor, config, log, metrics, storage }: Pick<
    NodeParts,
    "supervisor" | "config" | "log" | "metrics" | "storage"
  >,
  mesh: MeshServices | undefined,
): BlobServices {
  const deps = { clock: systemClock, log, metrics };
  const memory = createPolicyMemory(storage.ledger);
  const policy = supervisor.add(() => new PolicyService({ ...deps, memory }));
  const fetch = async (hash: Uint8Array, signal: AbortSignal) => {
    const options = { signal, bandwidthClass: "background" } as const;
    return (await requireTransfer(blobs).fetchChunk(hash, options)).bytes;
  };
  const keeping = supervisor.add(() =>
    new BlobKeepingService({
      ...deps,
      storage,
      policy: () => policy.current,
      fetch: mesh && fetch,
    }, { retentionMs: config.blobRetentionMs, gcMs: config.blobGcMs })
  );
  const blobs = supervisor.add(() =>
    new BlobService({ ...deps, storage, mesh: mesh?.mesh, nat: mesh?.nat, policy })
  );
  const folders = new FolderService({ ...deps, storage, blobs, policy });
  const scrub = supervisor.add(() =>
    new ScrubService({
      ...deps,
      storage,
      memory: createScrubMemory(storage.ledger),
      transfer: () => blobs.transfer,
    }, { everyMs: config.scrubEveryMs, bytesPerSecond: config.scrubRate })
  );
  const exchange = new ExchangeService({ clock: systemClock, storage });
  return { policy, keeping, scrub, exchange, blobs, folders };
}

/** What is told of blobs by calls. */
export interface BlobCallServices {
  /** Moves blobs by itself. */
  readonly flow: FlowService;
  readonly transferView: TransferViewService;
}

/** Adds what needs calls; behind {@linkcode addBlobServices} and the calls themselves. */
export function addBlobCallServices(
  parts: Pick<NodeParts, "supervisor" | "log" | "metrics" | "storage">,
  blobServices: BlobServices,
  meshServices: Pick<MeshServices, "mesh" | "capabilities">,
  { rpc, channels }: Pick<OpenServices, "rpc" | "channels">,
): BlobCallServices {
  const { supervisor, log, metrics, storage } = parts;
  const { blobs, policy } = blobServices;
  const { mesh, capabilities } = meshServices;
  const transferView = supervisor.add(() => new TransferViewService({ rpc, blobs, policy }));
  const flowMesh = createFlowMesh({
    nodeId: capabilities.own.nodeId,
    capabilities,
    connectedPeers: () => mesh.transport.connectedPeers(),
    rttMs: (nodeId) => mesh.transport.peer(nodeId)?.rttMs,
    transfer: () => blobs.transfer,
    rpc,
  });
  const flow = supervisor.add(() =>
    new FlowService({
      clock: systemClock,
      random: systemRandom,
      log,
      metrics,
      storage,
      policy,
      mesh: flowMesh,
      rpc,
      channels,
      // Nobody's word of its intent is believed, and programs register none yet: then every event passes.
      greedyView: { intents: [], satisfiesIntent: () => undefined, isChainCached: () => false },
    })
  );
  blobs.useSpilled((hash) => flow.fetchSpilled(hash));
  return { transferView, flow };
}

/** Adds holders and copies; behind the calls, by which nodes ask each other. */
export function addReplicaService(
  { supervisor, log, metrics, storage }: NodeParts,
  { policy, blobs }: BlobServices,
  { mesh, capabilities, nat }: MeshServices,
  { rpc }: OpenServices,
  flow: Pick<FlowService, "holdersOf">,
): ReplicaService {
  const replicas = supervisor.add(() =>
    new ReplicaService({
      clock: systemClock,
      log,
      metrics,
      random: systemRandom,
      store: storage.blobs,
      ledger: storage.ledger,
      transfer: () => requireTransfer(blobs),
      capabilities,
      rpc,
      connectedPeers: () => mesh.transport.connectedPeers(),
      rttMs: (nodeId) => mesh.transport.peer(nodeId)?.rttMs,
      reach: (nodeId, signal) => nat.reach(nodeId, signal),
      mayReach: (nodeId) => nat.mayReach(nodeId),
      policy: {
        get current() {
          return policy.current.replicas;
        },
        onChange: (handler) => policy.onChange(handler),
      },
    })
  );
  const { finder } = replicas;
  blobs.useFinder({
    holdersOf: async function* (hash, signal) {
      // Who holds it in this node's stead announces nothing of it.
      yield* await flow.holdersOf(hash);
      yield* finder.holdersOf(hash, { signal });
    },
  });
  return replicas;
}

function requireTransfer({ transfer }: BlobService): BlobTransfer {
  if (transfer !== undefined) return transfer;
  throw new NetError("not_ready", "Cannot transfer blobs: the node is stopping");
}
