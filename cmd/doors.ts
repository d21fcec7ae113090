/**
 * The heavy parts behind the verbs, each loaded when it is first used, so that `net help` costs
 * nothing and tests can put their own in place.
 */
import type { Environment, NodeConfig } from "../src/config/mod.ts";
import type { AdoptedSockets, HealthState, ServiceManager } from "../src/kernel/mod.ts";
import type { Log } from "../src/observe/mod.ts";
import type { Hangup } from "./hangup.ts";
import type { OwnProcess } from "./self_command.ts";

/** Options of one call to a node. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /** May return a promise; the node is not heard further before that has settled. */
  readonly onProgress?: (progress: unknown) => void | Promise<void>;
}

/** Something that answers a node's methods: a running node or an opened data folder. */
export interface NodeCaller {
  call(
    method: string,
    params: Readonly<Record<string, unknown>>,
    options?: CallOptions,
  ): Promise<unknown>;
  close(): void | Promise<void>;
}

/** A node in this process, as far as `node start` needs it. */
export interface NodeHandle {
  start(): Promise<void>;
  stop(reason: string): Promise<void>;
  /** Same members as the result of `node.status`. */
  status(): object | Promise<object>;
  /** Same members as the result of `node.ticket`. */
  ticket(): object | Promise<object>;
  /** Settles when the node has ended, whoever ended it. */
  readonly closed: Promise<unknown>;
  /** How it is doing; also that it begins to stop, whoever stops it. */
  readonly health: Pick<HealthState, "snapshot" | "onChange">;
}

/** Options of {@linkcode Doors.validateIpc}; what is left out is the validator's own default. */
export interface ValidateIpcOptions {
  readonly rules: "reference" | "standard" | "strict";
  /** Time for the whole run. */
  readonly deadlineMs: number | undefined;
  readonly connectTimeoutMs: number | undefined;
  readonly replyTimeoutMs: number | undefined;
  readonly maxLineBytes: number | undefined;
  readonly expectName: string | undefined;
  readonly capabilities: boolean;
  /** Metadata to compare with: a file or the folder it is in. */
  readonly metadataPath: string | undefined;
  /** Seed of the member's family, to speak BTSP. */
  readonly familySeed: Uint8Array | undefined;
  readonly requireHealthy: boolean;
  readonly isColor: boolean;
  readonly env: Environment;
  /** Folder that relative paths start from. */
  readonly cwd: string;
  readonly signal: AbortSignal;
}

/** What a probe found. */
export interface IpcVerdict {
  readonly isCompliant: boolean;
  /** The document `net.validate.ipc.v1`. */
  readonly report: object;
  /** The same for people. */
  readonly text: string;
}

/** What is done with folders of logs. */
export interface CheckLogsOptions {
  readonly isRepairing: boolean;
  /** Keeps copies of what is taken out. */
  readonly isKeepingTaken: boolean;
  readonly signal: AbortSignal;
  /** Told of each log with the members of a document. */
  readonly onChecked: (check: object) => void;
}

/** Options of {@linkcode Doors.fetchMembers}. */
export interface FetchMembersOptions {
  readonly members: readonly string[];
  readonly compositions: readonly string[];
  readonly isAll: boolean;
  readonly toolkit: string | undefined;
  readonly sources: readonly string[];
  readonly tag: string | undefined;
  readonly arch: string | undefined;
  readonly isForced: boolean;
  readonly isDry: boolean;
  readonly allowUnverified: boolean;
  readonly sizeMax: number | undefined;
  readonly stallMs: number | undefined;
  readonly env: Environment;
  /** Folder that relative paths start from. */
  readonly cwd: string;
  readonly signal: AbortSignal;
  readonly onBytes: (length: number, size: number | undefined) => void;
  /** Opens a blob of the running node from an offset on. */
  readonly openBlob: (
    address: string,
    offset: number,
    signal: AbortSignal,
  ) => Promise<ReadableStream<Uint8Array>>;
}

/** One member of {@linkcode FetchVerdict}. */
export interface FetchedMember {
  readonly member: string;
  readonly status: "fetched" | "present" | "planned" | "skipped" | "failed";
  readonly path: string;
  readonly source: string | null;
  readonly bytes: number | null;
  readonly resumed_bytes: number | null;
  readonly sha256: string | null;
  readonly blake3: string | null;
  /** Checksums that were compared: `sha256`, `blake3`. */
  readonly verified: readonly string[];
  readonly error:
    | { readonly code: string; readonly message: string; readonly next: string | null }
    | null;
}

/** What a fetch did. */
export interface FetchVerdict {
  readonly toolkit: string;
  readonly arch: string;
  readonly members: readonly FetchedMember[];
  /** Text files that the toolkit got. */
  readonly files: readonly string[];
}

/** Ways from the command line into the rest of the program. */
export interface Doors {
  /** The program's own process. */
  readonly own: OwnProcess;
  /** What SIGHUP means to this process. */
  hangup(): Hangup;
  /**
   * The service manager that started this process. What it said is meant for one process, so it is taken out of
   * the environment.
   */
  openManager(env: Environment, log: Log): Promise<ServiceManager>;
  /** Path of the control socket where nobody named one (`validation.md` 3.1 and 3.2). */
  standardSocketPath(env: Environment, family: string | undefined): Promise<string>;
  /** Connects to a control socket; throws NetError `not_running` when nobody listens. */
  connect(socketPath: string, signal: AbortSignal): Promise<NodeCaller>;
  /** Opens the data folder of `config` under its lock. */
  openStandalone(config: NodeConfig): Promise<NodeCaller>;
  /** Builds a node with its control surface, without starting it. */
  createNode(
    config: NodeConfig,
    deps: { readonly log: Log; readonly env: Environment; readonly sockets: AdoptedSockets },
  ): Promise<NodeHandle>;
  /** Verifies or repairs the logs in a folder that no node runs on. */
  checkLogs(folder: string, options: CheckLogsOptions): Promise<void>;
  /** Probes a member; throws NetError `usage` for text that is no endpoint. */
  validateIpc(endpoint: string, options: ValidateIpcOptions): Promise<IpcVerdict>;
  /** Brings executables of members into a toolkit; throws NetError `usage` for a wrong choice. */
  fetchMembers(options: FetchMembersOptions): Promise<FetchVerdict>;
}
