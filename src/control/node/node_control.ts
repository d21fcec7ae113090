/**
 * The control surface of a node as a service, and the same methods without a server for verbs that work
 * alone on a data folder.
 */
import { NetError } from "../../base/mod.ts";
import type { NodeConfig } from "../../config/mod.ts";
import type { ServiceHealth } from "../../kernel/mod.ts";
import { type ControlFactory, createNode, type GatewayFactory, type Node } from "../../node.ts";
import { type Log, silentLog } from "../../observe/mod.ts";
import { blobExchangeMethods } from "./blob_exchange_methods.ts";
import { blobAdapterMethods } from "./blob_adapter_methods.ts";
import { blobFlowMethods } from "./blob_flow_methods.ts";
import { blobFolderMethods } from "./blob_folder_methods.ts";
import { blobKeepingMethods } from "./blob_keeping_methods.ts";
import { blobLookMethods } from "./blob_look_methods.ts";
import { blobMethods } from "./blob_methods.ts";
import { blobScrubMethods } from "./blob_scrub_methods.ts";
import { blobStagingMethods } from "./blob_staging_methods.ts";
import { blobTransferMethods } from "./blob_transfer_methods.ts";
import { blobReplicaMethods } from "./blob_replica_methods.ts";
import { blobTreeMethods } from "./blob_tree_methods.ts";
import { busMethods } from "./bus_methods.ts";
import { capabilityMethods } from "./capability_methods.ts";
import { channelMethods } from "./channel_methods.ts";
import { compositionMethods } from "./composition_methods.ts";
import { type ControlSockets, createControlServer } from "../control_server.ts";
import { registerHealthMethods } from "../health.ts";
import { type Method, MethodTable } from "../method.ts";
import { dbMethods } from "./db_methods.ts";
import { logMethods } from "./log_methods.ts";
import { meshMethods } from "./mesh_methods.ts";
import { natMethods } from "./nat_methods.ts";
import { readFamilySeed } from "../btsp/mod.ts";
import { nodeMethods } from "./node_methods.ts";
import { rpcMethods } from "./rpc_methods.ts";
import { subnetMethods } from "./subnet_methods.ts";
import { toolCallMethods } from "./tool_call_methods.ts";
import { toolMethods } from "./tool_methods.ts";

/** What the control surface needs beside the node. */
export interface NodeControlDeps {
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Sockets that a service manager opened for the node. */
  readonly sockets?: ControlSockets;
  /** For nodes that serve HTTP. */
  readonly gateway?: GatewayFactory;
}

/** Time in which calls that were told to end do so. */
const STOP_MS = 1_000;

/** Builds a node with a control surface; nothing is opened before its `start`. */
export function createControlledNode(config: NodeConfig, deps: NodeControlDeps): Node {
  const { log, gateway } = deps;
  return createNode(config, { log, control: nodeControl(deps), gateway });
}

/** Makes the control surface of a node. */
export function nodeControl({ log, env, sockets }: NodeControlDeps): ControlFactory {
  return (node) => {
    const { config } = node;
    const table = new MethodTable();
    const server = createControlServer({
      table,
      log,
      socket: config.hasSocket
        ? {
          env,
          socketPath: config.socketPath,
          family: config.family,
          isAbstract: config.isAbstract,
          linksPlainName: config.linksPlainName,
          pidDir: config.pidDir,
        }
        : undefined,
      tcp: config.tcp,
      adopted: sockets,
      limits: { lineBytesMax: config.lineBytesMax },
      auditDir: config.auditDir,
      btsp: config.familySeed === undefined ? undefined : {
        readSeed: () => readFamilySeed(config.familySeed ?? "", log),
        isRequired: config.requiresBtsp,
      },
    });
    table.register(...allMethods(node));
    registerHealthMethods(table, {
      ...node.healthView,
      health: node.health,
      transports: () => server.transports,
      btsp: config.familySeed === undefined ? "none" : config.requiresBtsp ? "required" : "offered",
    });
    node.health.addDrainPart(server.drainPart);
    node.health.countConnections(() => server.activeConnections);
    node.metrics.register("control", () => ({ ...server.counters }));
    return {
      name: "control",
      isSocketKept: sockets?.control !== undefined,
      get socketPath() {
        return server.socketPath;
      },
      get tcpAddress() {
        const address = server.tcpAddress;
        if (address === undefined) return undefined;
        const { host, port } = address;
        return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
      },
      start: () => server.start(),
      // The node has drained before: what runs still has had its time.
      stop: () => server.stop(STOP_MS),
      health: (): ServiceHealth => ({ state: "healthy" }),
    };
  };
}

/** Something that answers the node's methods. */
export interface StandaloneNode {
  /**
   * Calls a method.
   *
   * @throws NetError `not_running` when the method needs a running node.
   */
  call(
    method: string,
    params: Readonly<Record<string, unknown>>,
    options?: { readonly signal?: AbortSignal; readonly onProgress?: (progress: unknown) => void },
  ): Promise<unknown>;
  close(): Promise<void>;
}

/** Opens a data folder in this process, under its lock, for the methods that need no mesh. */
export async function openStandalone(config: NodeConfig): Promise<StandaloneNode> {
  const node = createNode(config, { log: silentLog, scope: "storage" });
  await node.start();
  const table = new MethodTable();
  table.register(...allMethods(node));
  return {
    call: async (name, params, options = {}) => {
      const method = table.lookup(name);
      if (method === undefined || !STANDALONE_METHODS.test(name)) {
        throw new NetError("not_running", `Cannot call ${name}: no node is running`, {
          next: "start one with net node start",
        });
      }
      return await method.call(params, {
        transport: "unix",
        signal: options.signal ?? new AbortController().signal,
        progress: (data) => options.onProgress?.(data),
        send: (data) => Promise.resolve(options.onProgress?.(data)),
      });
    },
    close: () => node.stop("done"),
  };
}

function allMethods(node: Node): readonly Method[] {
  return [
    ...nodeMethods(node),
    ...compositionMethods(node),
    ...meshMethods(node),
    ...natMethods(node),
    ...capabilityMethods(node),
    ...subnetMethods(node),
    ...channelMethods(node),
    ...blobMethods(node),
    ...blobExchangeMethods(node),
    ...blobAdapterMethods(node),
    ...blobFlowMethods(node),
    ...blobFolderMethods(node),
    ...blobKeepingMethods(node),
    ...blobLookMethods(node),
    ...blobScrubMethods(node),
    ...blobStagingMethods(node),
    ...blobTransferMethods(node),
    ...blobReplicaMethods(node),
    ...blobTreeMethods(node),
    ...logMethods(node),
    ...busMethods(node),
    ...dbMethods(node),
    ...rpcMethods(node),
    ...toolMethods(node),
    ...toolCallMethods(node),
  ];
}

const STANDALONE_METHODS = /^((blob|log|db)\.|identity\.show$)/;
