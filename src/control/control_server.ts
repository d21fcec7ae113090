/**
 * The control surface of a node: one method table on a unix socket and, if asked for, on TCP
 * (`validation.md` 2 to 4, `decisions.md` 1 and 5).
 *
 * Which methods there are, and when a node drains, is decided by the node.
 */
import { type Clock, listenFault, NetError, systemClock } from "../base/mod.ts";
import type { DrainPart } from "../kernel/mod.ts";
import type { AdoptedTcp, AdoptedUnix, StreamListener } from "../kernel/mod.ts";
import type { Log } from "../observe/mod.ts";
import { type AuditLog, openAuditLog } from "./audit_log.ts";
import { deriveHandshakeKey } from "./btsp/mod.ts";
import { type ControlCounters, createControlCounters } from "./counters.ts";
import { createDispatcher, type Dispatcher } from "./dispatcher.ts";
import { STOP_DRAIN_MS } from "./limits.ts";
import { LineServer, type LineServerLimits } from "./line_server.ts";
import type { MethodTable } from "./method.ts";
import {
  openDescriptorCredentials,
  openPeerCredentials,
  type PeerCredentials,
} from "./peer_credentials.ts";
import { adoptSocket, claimSocket, type SocketClaim } from "./socket_claim.ts";
import {
  abstractName,
  prepareSocketPlace,
  socketMode,
  type SocketPlaceOptions,
} from "./socket_path.ts";

/** Capabilities whose socket names lead to a node (`validation.md` 8). */
export const CAPABILITY_DOMAINS: readonly string[] = ["discovery", "storage", "network", "mesh"];

/** The unix socket of a {@linkcode ControlServer}. */
export interface ControlSocketOptions extends SocketPlaceOptions {
  /** Capabilities to make links for; {@linkcode CAPABILITY_DOMAINS} when left out. */
  readonly domains?: readonly string[];
  /** False keeps the plain name free beside a family's; true when left out. */
  readonly linksPlainName?: boolean;
  /** True to listen under an abstract name as well. */
  readonly isAbstract?: boolean;
  /** Folder of the pid file; beside the socket when left out. */
  readonly pidDir?: string;
}

/** Sockets that a service manager opened for the surface; each takes the place of one it would bind. */
export interface ControlSockets {
  readonly control?: AdoptedUnix;
  readonly port?: AdoptedTcp;
}

/** What {@linkcode createControlServer} needs. */
export interface ControlServerDeps {
  readonly table: MethodTable;
  readonly log: Log;
  readonly clock?: Clock;
  /** The unix socket; `undefined` for none. */
  readonly socket: ControlSocketOptions | undefined;
  /** Address of JSON-RPC lines over TCP; `undefined` for none. */
  readonly tcp: { readonly host: string; readonly port: number } | undefined;
  /** Sockets that are open already; they are used whatever the two above say. */
  readonly adopted?: ControlSockets;
  readonly limits?: LineServerLimits;
  /** Folder of the audit log; none is kept when it is left out. */
  readonly auditDir?: string;
  /** Lets members of the family speak BTSP; they cannot when it is left out. */
  readonly btsp?: ControlBtspOptions;
}

/** Who may open BTSP sessions, and whether everybody must. */
export interface ControlBtspOptions {
  /** Reads the family's seed, a secret; called once, at the start. */
  readonly readSeed: () => Promise<Uint8Array>;
  /** True to refuse clear text with "BTSP handshake required". */
  readonly isRequired: boolean;
}

/** A control surface. */
export interface ControlServer extends AsyncDisposable {
  /**
   * Binds and serves.
   *
   * @throws NetError `already_running`, `address_in_use`, `network`, `config_invalid`.
   */
  start(): Promise<void>;
  /**
   * Stops accepting, waits for running calls, closes, removes its files. Idempotent.
   *
   * @param patienceMs How long it waits; 5 s when left out.
   */
  stop(patienceMs?: number): Promise<void>;
  /** Calls, for the node's drain: new ones are refused, those that answer at once or go on for ever are not counted. */
  readonly drainPart: DrainPart;
  /** Path of the unix socket once started. */
  readonly socketPath: string | undefined;
  /** Abstract name as people write it, `@net`, once started. */
  readonly abstractName: string | undefined;
  /** Address of the TCP listener once started. */
  readonly tcpAddress: { readonly host: string; readonly port: number } | undefined;
  /** Ways in that are open, for the capability list. */
  readonly transports: readonly ("uds" | "tcp")[];
  readonly activeConnections: number;
  /** For the metric registry. */
  readonly counters: ControlCounters;
}

/** Creates a control surface; nothing is bound before `start`. */
export function createControlServer(deps: ControlServerDeps): ControlServer {
  return new Server(deps);
}

class Server implements ControlServer {
  readonly counters: ControlCounters = createControlCounters();
  readonly #deps: ControlServerDeps;
  readonly #clock: Clock;
  readonly #dispatcher: Dispatcher;
  readonly #lines: LineServer;
  #handshakeKey: Uint8Array | undefined;
  #audit: AuditLog | undefined;
  #claim: SocketClaim | undefined;
  #credentials: PeerCredentials | undefined;
  #abstract: Deno.UnixListener | undefined;
  #abstractCredentials: PeerCredentials | undefined;
  #abstractName: string | undefined;
  #tcp: StreamListener | undefined;
  #tcpAddress: { readonly host: string; readonly port: number } | undefined;
  #stopping: Promise<void> | undefined;

  constructor(deps: ControlServerDeps) {
    this.#deps = deps;
    this.#clock = deps.clock ?? systemClock;
    const { table, log, limits } = deps;
    this.#dispatcher = createDispatcher({
      table,
      log,
      counters: this.counters,
      now: () => this.#clock.now(),
      onChange: (record) => this.#audit?.record(record),
    });
    this.#lines = new LineServer({
      dispatcher: this.#dispatcher,
      counters: this.counters,
      clock: this.#clock,
      log,
      limits,
      requiresHandshake: deps.btsp?.isRequired,
      handshakeKey: () => this.#handshakeKey,
    });
  }

  get socketPath(): string | undefined {
    return this.#claim?.path;
  }

  get abstractName(): string | undefined {
    return this.#abstractName;
  }

  get tcpAddress(): { readonly host: string; readonly port: number } | undefined {
    return this.#tcpAddress;
  }

  get transports(): readonly ("uds" | "tcp")[] {
    return [
      ...(this.#claim === undefined ? [] : ["uds" as const]),
      ...(this.#tcp === undefined ? [] : ["tcp" as const]),
    ];
  }

  get activeConnections(): number {
    return this.#lines.connectionCount;
  }

  async start(): Promise<void> {
    if (this.#stopping !== undefined) throw new TypeError("Cannot start: server was stopped");
    try {
      const { auditDir: directory, btsp, log } = this.#deps;
      if (directory !== undefined) {
        const family = this.#deps.socket?.family;
        const wallMs = () => this.#clock.wallMs();
        this.#audit = await openAuditLog({ directory, family, log, wallMs });
      }
      if (btsp !== undefined) this.#handshakeKey = deriveHandshakeKey(await btsp.readSeed());
      // TCP first: when the port is taken, no socket file has been touched.
      const { tcp, socket, adopted = {} } = this.#deps;
      if (adopted.port !== undefined) this.#adoptTcp(adopted.port);
      else if (tcp !== undefined) this.#listenTcp(tcp);
      if (adopted.control !== undefined) await this.#adoptUnix(adopted.control, socket);
      else if (socket !== undefined) await this.#listenUnix(socket);
    } catch (error) {
      this.#closeListeners();
      this.#release();
      await this.#closeAudit();
      throw error;
    }
    if (this.#tcp !== undefined) this.#lines.serve(this.#tcp, "tcp");
    const { path } = this.#claim ?? {};
    this.#deps.log.info("control_started", {
      socket: path,
      abstract: this.#abstractName,
      tcp: this.#tcpAddress === undefined
        ? undefined
        : `${this.#tcpAddress.host}:${this.#tcpAddress.port}`,
      checks_peers: this.#credentials !== undefined,
      btsp: this.#deps.btsp === undefined ? undefined : btspWord(this.#deps.btsp),
    });
  }

  stop(patienceMs = STOP_DRAIN_MS): Promise<void> {
    this.#stopping ??= this.#stop(patienceMs);
    return this.#stopping;
  }

  get drainPart(): DrainPart {
    const dispatcher = this.#dispatcher;
    return {
      name: "calls",
      begin: () => dispatcher.beginDrain(),
      resume: () => dispatcher.endDrain(),
      inFlight: () => dispatcher.inFlight,
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(patienceMs: number): Promise<void> {
    this.#dispatcher.beginDrain();
    const controller = new AbortController();
    const cancel = this.#clock.after(patienceMs, () => controller.abort());
    // The order matters: connections must not be ended while new ones still come in.
    const stopped = this.#lines.stop(controller.signal);
    this.#closeListeners();
    try {
      await stopped;
    } finally {
      cancel();
      this.#release();
      await this.#closeAudit();
    }
    this.#deps.log.info("control_stopped");
  }

  async #listenUnix(options: ControlSocketOptions): Promise<void> {
    const { log } = this.#deps;
    const { place, warnings } = prepareSocketPlace(options);
    for (const warning of warnings) log.warn("control_socket_place", { reason: warning });
    const mode = socketMode(options.env);
    this.#claim = await claimSocket(place, {
      ...this.#namesBeside(options),
      mode,
      log,
    });
    const isShared = (mode & 0o077) !== 0;
    if (options.isAbstract === true) this.#listenAbstract(place.family, isShared);
    this.#credentials = openPeerCredentials(place.path);
    this.#lines.serve(this.#claim.listener, "unix", {
      credentials: this.#credentials,
      // A wider mode is the user's word that others may connect; they get public methods. It guards nothing any
      // more, so whoever is not known to be ours is one of them.
      allowsForeign: isShared,
      requiresIdentity: isShared,
    });
  }

  async #adoptUnix(control: AdoptedUnix, options?: ControlSocketOptions): Promise<void> {
    this.#claim = await adoptSocket({
      listener: control,
      path: control.path,
      family: options?.family,
    }, { ...this.#namesBeside(options), log: this.#deps.log });
    this.#credentials = openDescriptorCredentials();
    const { mode } = Deno.statSync(control.path);
    const allowsForeign = ((mode ?? 0) & 0o077) !== 0;
    if (options?.isAbstract === true) this.#listenAbstract(options.family, allowsForeign);
    this.#lines.serve(control, "unix", { credentials: this.#credentials, allowsForeign });
  }

  #namesBeside(options?: ControlSocketOptions) {
    return {
      domains: options?.domains ?? CAPABILITY_DOMAINS,
      linksPlainName: (options?.linksPlainName ?? true) && this.#deps.btsp?.isRequired !== true,
      pidDir: options?.pidDir,
    };
  }

  #adoptTcp(port: AdoptedTcp): void {
    this.#tcp = port;
    this.#tcpAddress = port.address;
  }

  /** No file's mode guards an abstract name: whoever is not known to be ours is a stranger. */
  #listenAbstract(family: string | undefined, allowsForeign: boolean): void {
    const name = abstractName(family);
    const shown = `@${name.slice(1)}`;
    try {
      this.#abstract = Deno.listen({ transport: "unix", path: name });
    } catch (error) {
      const isInUse = error instanceof Deno.errors.AddrInUse;
      const reason = error instanceof Error ? error.message : String(error);
      throw new NetError(
        isInUse ? "already_running" : "config_invalid",
        `Cannot listen on ${shown}: ${isInUse ? "another process does" : reason}`,
        { cause: error, next: "leave --abstract out, or stop the other process" },
      );
    }
    this.#abstractName = shown;
    this.#abstractCredentials = openPeerCredentials(name);
    this.#lines.serve(this.#abstract, "unix", {
      credentials: this.#abstractCredentials,
      allowsForeign,
      requiresIdentity: true,
    });
  }

  #listenTcp(address: { readonly host: string; readonly port: number }): void {
    const { host, port } = address;
    try {
      const listener = Deno.listen({ transport: "tcp", hostname: host, port });
      this.#tcp = listener;
      this.#tcpAddress = { host: listener.addr.hostname, port: listener.addr.port };
    } catch (error) {
      throw listenFault(error, { what: "Cannot listen", host, port, flag: "--port or --listen" });
    }
  }

  /** Nobody new comes in; pid file and links stay until everybody has left. */
  #closeListeners(): void {
    this.#claim?.close();
    this.#abstract?.close();
    this.#tcp?.close();
    this.#abstract = undefined;
    this.#tcp = undefined;
  }

  async #closeAudit(): Promise<void> {
    const audit = this.#audit;
    this.#audit = undefined;
    await audit?.close();
    this.counters.audit_dropped_total += audit?.dropped ?? 0;
  }

  #release(): void {
    this.#claim?.release();
    this.#credentials?.close();
    this.#abstractCredentials?.close();
    this.#claim = undefined;
    this.#credentials = undefined;
    this.#abstractCredentials = undefined;
  }
}

function btspWord({ isRequired }: ControlBtspOptions): string {
  return isRequired ? "required" : "offered";
}
