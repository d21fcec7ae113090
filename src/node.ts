/**
 * A node: its data folder, keys and records, and the services that run on them.
 *
 * `createNode` builds it, `start` takes the folder and runs the services under the supervisor, `stop`
 * ends them in a bounded time. Control surfaces are handed in as factories, because they stand above.
 */
import {
  idToHex,
  NetError,
  type SocketAddress,
  STOPPING_NEXT,
  systemClock,
  systemRandom,
  toHex,
} from "./base/mod.ts";
import { type NodeConfig, PROGRAM_BUILD, PROGRAM_NAME, PROGRAM_VERSION } from "./config/mod.ts";
import {
  createRamKeys,
  decodeTicket,
  encodeTicket,
  loadKeys,
  type NodeKeys,
  requireIdentityFile,
  type Ticket,
  TICKET_ADDRESSES_MAX,
} from "./core/crypto/mod.ts";
import {
  type DataFolder,
  healthFamilies,
  HealthState,
  type HealthView,
  type MemberFacts,
  type Service,
  Supervisor,
  takeDataFolder,
} from "./kernel/mod.ts";
import {
  type CounterSet,
  createMetricRegistry,
  type Log,
  LoopLag,
  processFamilies,
} from "./observe/mod.ts";
import {
  type AdapterService,
  addAdapterService,
  addBlobCallServices,
  addBlobServices,
  addBusService,
  addLogServices,
  addMeshServices,
  addOpenServices,
  addReplicaService,
  type BenchService,
  type BlobCallServices,
  type BlobKeepingService,
  BlobPublisher,
  type BlobService,
  type BlobServices,
  type BusService,
  type CapabilityService,
  type ChannelService,
  chooseMeshSecret,
  type DbService,
  describeNat,
  describePeers,
  describeSessions,
  drainAnnouncement,
  type ExchangeService,
  type FlowService,
  type FolderService,
  type FoldService,
  type LogService,
  type LogServices,
  type MeshService,
  type MeshServices,
  type NatService,
  type OpenServices,
  openStorage,
  type PeerRow,
  type PlacementService,
  type PolicyService,
  type PortMappingService,
  type ReplicaService,
  type RpcService,
  type ScrubService,
  type StateService,
  type Storage,
  type SubnetService,
  type TokenService,
  type ToolService,
  type TransferViewService,
} from "./services/mod.ts";

/** A control surface: a service that says where it listens. */
export interface ControlService extends Service {
  readonly socketPath: string | undefined;
  /** `ip:port`, or `undefined` without TCP. */
  readonly tcpAddress: string | undefined;
  /** True when a service manager goes on listening there when the node ends. */
  readonly isSocketKept?: boolean;
}

/** Makes the control surface of a node. */
export type ControlFactory = (node: Node, onFailure: (error: unknown) => void) => ControlService;

/** An HTTP surface: a service that says where it listens. */
export interface GatewayService extends Service {
  /** `ip:port` once it was started. */
  readonly httpAddress: string | undefined;
  /** What programs write with; never logged, and told over the node's own socket alone. */
  readonly httpSecret: string | undefined;
}

/** Makes the HTTP surface of a node. */
export type GatewayFactory = (node: Node, onFailure: (error: unknown) => void) => GatewayService;

/** What {@linkcode createNode} needs beside the configuration. */
export interface NodeDeps {
  readonly log: Log;
  /** Left out, the node has no control surface. */
  readonly control?: ControlFactory;
  /** Left out, the node serves no HTTP, whatever its configuration says. */
  readonly gateway?: GatewayFactory;
  /** `storage` runs only what works on the data folder; `mesh`, the default, everything. */
  readonly scope?: "mesh" | "storage";
}

/** Options of {@linkcode Node.ticket}. */
export interface TicketOptions {
  /** Seconds until it is refused; 0 for never; a day when left out. */
  readonly expiresSeconds?: number;
  readonly label?: string;
}

/** A ticket is meant to be used soon: it carries the mesh secret. */
const TICKET_SECONDS = 86_400;
const STOP_TIMEOUT_MS = 6_000;

/** What this program is to whoever asks. */
const MEMBER: MemberFacts = {
  primal: PROGRAM_NAME,
  version: PROGRAM_VERSION,
  domain: "network",
  build: PROGRAM_BUILD,
};

/** Builds a node; nothing is opened before `start`. */
export function createNode(config: NodeConfig, deps: NodeDeps): Node {
  return new Node(config, deps);
}

/** One node in this process. */
export class Node {
  readonly config: NodeConfig;
  readonly metrics = createMetricRegistry();
  /** How the node is doing: what every probe of it reads. */
  readonly health: HealthState;
  /** Settles when the node has stopped. */
  readonly closed: Promise<void>;
  readonly #deps: NodeDeps;
  readonly #supervisor: Supervisor;
  readonly #lag = new LoopLag(systemClock);
  readonly #close: () => void;
  readonly #stopSignal = new AbortController();
  readonly #startedAt = systemClock.now();
  #folder: DataFolder | undefined;
  #keys: NodeKeys | undefined;
  #meshSecret: Uint8Array | undefined;
  #storage: Storage | undefined;
  #logServices: LogServices | undefined;
  #bus: BusService | undefined;
  #meshServices: MeshServices | undefined;
  #blobServices: BlobServices | undefined;
  #blobCallServices: BlobCallServices | undefined;
  #replicas: ReplicaService | undefined;
  #openServices: OpenServices | undefined;
  #control: ControlService | undefined;
  #gateway: GatewayService | undefined;
  #adapters: AdapterService | undefined;
  #stopping: Promise<void> | undefined;

  constructor(config: NodeConfig, deps: NodeDeps) {
    this.config = config;
    this.#deps = deps;
    const supervisor = this.#supervisor = new Supervisor({
      clock: systemClock,
      log: deps.log,
      onChange: () => this.health.look(),
    });
    this.health = new HealthState({ clock: systemClock, log: deps.log, supervisor });
    this.metrics.registerFamilies("health", () => healthFamilies(this.healthView));
    this.metrics.registerFamilies("process", processFamilies);
    this.metrics.registerFamilies("loop", () => this.#lag.families());
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#close = resolve;
  }

  /** Records and blobs. */
  get storage(): Storage {
    return required(this.#storage, "storage");
  }

  /** Logs of channels. */
  get logs(): LogService {
    return required(this.#logServices?.logs, "logs");
  }

  /** What is folded out of the logs. */
  get state(): StateService {
    return required(this.#logServices?.state, "folds");
  }

  /** Tasks, memories and workflow. */
  get db(): DbService {
    return required(this.#logServices?.db, "database");
  }

  /** The event bus. */
  get bus(): BusService {
    return required(this.#bus, "bus");
  }

  /** The place in the mesh. */
  get mesh(): MeshService {
    return required(this.#meshServices?.mesh, "mesh");
  }

  /** What this node and others can do. */
  get capabilities(): CapabilityService {
    return required(this.#meshServices?.capabilities, "capabilities");
  }

  /** Ways through NATs. */
  get nat(): NatService {
    return required(this.#meshServices?.nat, "nat");
  }

  /** The mesh's port at the gateway. */
  get portMapping(): PortMappingService {
    return required(this.#meshServices?.portMapping, "port mapping");
  }

  /** Which nodes suit what needs one. */
  get placement(): PlacementService {
    return required(this.#meshServices?.placement, "placement");
  }

  /** Issuers that were taken back, and tokens that are kept. */
  get tokens(): TokenService {
    return required(this.#meshServices?.tokens, "tokens");
  }

  /** In which subnets this node and others are, and what leaves them through this one. */
  get subnets(): SubnetService {
    return required(this.#meshServices?.subnets, "subnets");
  }

  /** What nodes say of classes, routes, resources and islands. */
  get folds(): FoldService {
    return required(this.#meshServices?.folds, "folds");
  }

  /** What this node publishes, and what its programs are subscribed to. */
  get channels(): ChannelService {
    return required(this.#openServices?.channels, "channels");
  }

  /** How blobs move, stay and go. */
  get policy(): PolicyService {
    return required(this.#blobServices?.policy, "policy");
  }

  /** Blobs to and from folders of other programs. */
  get exchange(): ExchangeService {
    return required(this.#blobServices?.exchange, "exports and imports");
  }

  /** What looks through the chunks of blobs. */
  get scrub(): ScrubService {
    return required(this.#blobServices?.scrub, "scrubs");
  }

  /** Which chunks of blobs stay, and which go. */
  get keeping(): BlobKeepingService {
    return required(this.#blobServices?.keeping, "keeping");
  }

  /** Blobs from here and from peers. */
  get blobs(): BlobService {
    return required(this.#blobServices?.blobs, "blobs");
  }

  /** What moves blobs by itself. */
  get flow(): FlowService {
    return required(this.#blobCallServices?.flow, "flow of blobs");
  }

  /** Folders as blobs. */
  get folders(): FolderService {
    return required(this.#blobServices?.folders, "folders");
  }

  /** What is being moved, here and at peers. */
  get transferView(): TransferViewService {
    return required(this.#blobCallServices?.transferView, "transfers");
  }

  /** Publishes blobs as events. */
  get blobPublisher(): BlobPublisher {
    return new BlobPublisher({
      store: this.storage.blobs,
      logs: this.logs,
      state: this.state,
      replicas: this.#replicas,
      channels: this.#openServices?.channels,
    });
  }

  /** Who holds what, and copies on purpose. */
  get replicas(): ReplicaService {
    return required(this.#replicas, "copies");
  }

  /** Stores of blobs beside the node's own. */
  get adapters(): AdapterService {
    return required(this.#adapters, "adapters");
  }

  /** Calls from and to this node. */
  get rpc(): RpcService {
    return required(this.#openServices?.rpc, "rpc");
  }

  /** Tools for models, this node's and others'. */
  get tools(): ToolService {
    return required(this.#openServices?.tools, "tools");
  }

  /** Measurements with peers. */
  get bench(): BenchService {
    return required(this.#openServices?.bench, "bench");
  }

  /** Keys of this node; secret. */
  get keys(): NodeKeys {
    return required(this.#keys, "keys");
  }

  /** Folder of everything the node keeps; `undefined` in memory. */
  get dataDir(): string | undefined {
    return this.#folder?.path;
  }

  /** Where HTTP is served and with which secret it is written; `undefined` where it is not. */
  get http(): { readonly address: string; readonly secret: string } | undefined {
    const { httpAddress: address, httpSecret: secret } = this.#gateway ?? {};
    return address === undefined || secret === undefined ? undefined : { address, secret };
  }

  /** True when the mesh runs, not only the storage. */
  get hasMesh(): boolean {
    return this.#meshServices !== undefined;
  }

  /** True when a service manager goes on listening at the control socket when the node ends. */
  get isSocketKept(): boolean {
    return this.#control?.isSocketKept ?? false;
  }

  /** Aborted when the node begins to stop, for what goes on until then. */
  get stopSignal(): AbortSignal {
    return this.#stopSignal.signal;
  }

  get uptimeSeconds(): number {
    return (systemClock.now() - this.#startedAt) / 1000;
  }

  /**
   * Takes the data folder and starts every service.
   *
   * @throws NetError with the first thing that went wrong; nothing is left running then.
   */
  async start(): Promise<void> {
    const { config } = this;
    this.#deps.log.info("node_starting", {
      name: PROGRAM_NAME,
      version: PROGRAM_VERSION,
      mode: config.profile,
      family: config.family,
      pid: Deno.pid,
    });
    try {
      await this.#open();
      this.health.start();
      this.#lag.start();
      await this.#supervisor.start();
      const socketPath = this.#control?.socketPath;
      if (socketPath !== undefined) await this.#folder?.announce(socketPath);
    } catch (error) {
      await this.stop("start failed");
      throw error;
    }
  }

  /**
   * Lets work under way end, stops every service and gives the data folder up; idempotent, bounded in time.
   */
  stop(reason: string): Promise<void> {
    this.#stopping ??= (async () => {
      const beganMs = systemClock.now();
      this.#deps.log.info("node_stopping", { reason });
      this.health.beginStop();
      const { inFlightByPart } = await this.health.drain(this.config.drainTimeoutMs);
      for (const [part, count] of Object.entries(inFlightByPart)) {
        this.#deps.log.warn("work_abandoned", { part, count });
      }
      this.#stopSignal.abort(new NetError("draining", "The node stops", { next: STOPPING_NEXT }));
      await this.#supervisor.stop(STOP_TIMEOUT_MS);
      // Where the start failed early the supervisor does not know the storage yet.
      await this.#storage?.stop();
      await this.#folder?.release();
      this.health.stop();
      this.#lag.stop();
      this.#deps.log.info("node_stopped", { took_ms: Math.round(systemClock.now() - beganMs) });
      this.#close();
    })();
    return this.#stopping;
  }

  /** Stops soon, so that whoever asked can be answered first. */
  stopSoon(reason: string): void {
    systemClock.after(20, () => void this.stop(reason));
  }

  /** What is answered about its health is made from this. */
  get healthView(): HealthView {
    return { member: MEMBER, health: this.health, uptimeSecs: () => this.uptimeSeconds };
  }

  /** Who and where this node is; without secrets. */
  status() {
    const { identity, noise } = this.keys;
    return {
      node_id: idToHex(identity.nodeId),
      entity_id: toHex(identity.entityId),
      noise_public_key: toHex(noise.publicKey),
      udp: this.hasMesh ? this.mesh.addressTexts() : [],
      tcp: this.#control?.tcpAddress ?? null,
      http: this.#gateway?.httpAddress ?? null,
      socket: this.#control?.socketPath ?? null,
      data_dir: this.#folder?.path ?? null,
      label: this.config.label,
      profile: this.config.profile,
      sessions: this.hasMesh ? describeSessions(this.mesh) : null,
      nat: this.hasMesh ? describeNat(this.nat) : null,
      drops: this.drops(),
      peers: this.peers(),
      phase: this.health.snapshot().phase,
      version: PROGRAM_VERSION,
      uptime_secs: Math.floor(this.uptimeSeconds),
      pid: Deno.pid,
    };
  }

  /** Peers with a session, and those being dialled. */
  peers(): PeerRow[] {
    return this.hasMesh ? describePeers(this.mesh) : [];
  }

  /** What was dropped and why: every counter of drops that is not 0, the largest first. */
  drops(): Record<string, number> {
    const drops = Object.entries(this.counters()).filter(([name, value]) =>
      value > 0 && /(^|_)drop(ped)?_/.test(name)
    );
    return Object.fromEntries(drops.sort(([, a], [, b]) => b - a));
  }

  /** A ticket for joining through this node. Contains the mesh secret. */
  ticket(options: TicketOptions = {}) {
    const { identity, noise } = this.keys;
    const meshSecret = required(this.#meshSecret, "mesh");
    const seconds = options.expiresSeconds ?? TICKET_SECONDS;
    const expiresAtSeconds = seconds === 0 ? 0 : Math.floor(systemClock.wallMs() / 1000) + seconds;
    const text = encodeTicket({
      expiresAtSeconds,
      entityId: identity.entityId,
      noisePublicKey: noise.publicKey,
      meshSecret,
      addresses: this.#ticketAddresses(),
      label: options.label ?? this.config.label,
    });
    return {
      ticket: text,
      psk: toHex(meshSecret),
      expires_at: expiresAtSeconds === 0 ? null : new Date(expiresAtSeconds * 1000).toISOString(),
    };
  }

  /** All counters. */
  counters(): CounterSet {
    return this.metrics.snapshot();
  }

  /** Where whoever holds a ticket finds this node; the one it is reached at from outside is among them. */
  #ticketAddresses(): SocketAddress[] {
    const stated = this.nat.reflexOverride?.address;
    const own = this.mesh.addresses();
    return stated === undefined ? own : [...own.slice(0, TICKET_ADDRESSES_MAX - 1), stated];
  }

  async #open(): Promise<void> {
    const { config } = this;
    const { log, control, gateway, scope } = this.#deps;
    const ticket = config.join === undefined ? undefined : readTicket(config.join);
    if (config.dataDir !== undefined) this.#folder = await takeDataFolder(config.dataDir);
    const folder = this.#folder?.path;
    const given = config.identityFile === undefined
      ? undefined
      : await requireIdentityFile(config.identityFile);
    const keys = this.#keys = folder === undefined
      ? createRamKeys(systemRandom, { identity: given?.state })
      : await loadKeys(folder, { identity: given?.state });
    for (const warning of [...given?.warnings ?? [], ...keys.warnings]) {
      log.warn("key_store", { reason: warning });
    }
    const deps = { clock: systemClock, log, metrics: this.metrics };
    const storage = this.#storage = await openStorage(deps, folder, config);
    this.#supervisor.add(() => storage);
    const parts = { ...deps, supervisor: this.#supervisor, config, storage, folder, keys };
    const logs = this.#logServices = addLogServices(parts, {
      requireAllowed: (channel) => this.#openServices?.channels.publisher.requireAllowed(channel),
      stopSignal: this.stopSignal,
    });
    if (scope === "storage") {
      const blobs = this.#blobServices = addBlobServices(parts, undefined);
      this.#adapters = addAdapterService(parts, blobs, logs);
      return;
    }
    const known = await storage.memory.readPeers();
    const meshSecret = this.#meshSecret = await chooseMeshSecret({
      keys,
      folder,
      ticket,
      pskFile: config.pskFile,
      hasPeers: known.length > 0,
      log,
    });
    const mesh = this.#meshServices = addMeshServices({ ...parts, ticket, meshSecret });
    const blobs = this.#blobServices = addBlobServices(parts, mesh);
    // Between two pieces of a blob no call is under way, and the blob is not done.
    this.health.addDrainPart({ name: "uploads", inFlight: () => blobs.blobs.uploads.open });
    this.#adapters = addAdapterService(parts, blobs, logs);
    if (control !== undefined) {
      this.#control = this.#supervisor.add((onFailure) => control(this, onFailure));
    }
    // Stopped before the control surface, which would otherwise wait for readers and measurements.
    const open = this.#openServices = addOpenServices(parts, mesh);
    this.health.addDrainPart(open.rpc.drainPart);
    const { capabilities } = mesh;
    this.health.addDrainPart(drainAnnouncement({ log, capabilities }));
    const { flow } = this.#blobCallServices = addBlobCallServices(parts, blobs, mesh, open);
    this.#replicas = addReplicaService(parts, blobs, mesh, open, flow);
    // Behind the channels, which say whose logs may be opened.
    this.#bus = addBusService(parts, logs, mesh, this.stopSignal);
    if (gateway !== undefined && config.http !== undefined) {
      this.#gateway = this.#supervisor.add((onFailure) => gateway(this, onFailure));
    }
  }
}

function readTicket(text: string): Ticket {
  return decodeTicket(text, Math.floor(systemClock.wallMs() / 1000));
}

function required<T>(value: T | undefined, what: string): T {
  if (value !== undefined) return value;
  throw new NetError("not_ready", `Cannot use ${what}: the node has not started it`, {
    next: "start the node with net node start",
  });
}
