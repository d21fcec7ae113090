/** Starting a node in a program, and joining a mesh with it. */
import { NetError, systemClock } from "../base/mod.ts";
import { prepareDataDir, withDataDir } from "../config/mod.ts";
import { decodeTicket, deriveNodeId } from "../core/crypto/mod.ts";
import { createNode } from "../node.ts";
import { NetNode } from "./net_node.ts";
import { libraryConfig, libraryLog, type StartNodeOptions } from "./node_options.ts";
import { waitUntil } from "./wait_until.ts";

const JOIN_TIMEOUT_MS = 10_000;

/**
 * Starts a node in this process. When it resolves the node runs, and with `join` it is connected to the node of
 * the ticket and knows what that one announced.
 *
 * It opens one UDP socket and writes no file unless there is a `dataDir`, and then only below that. Whoever starts a
 * node closes it: `await using` does, or `close`.
 *
 * @throws NetError `usage` for an option that is not what it must be, `ticket_invalid`, `ticket_expired`,
 * `data_dir_locked`, `data_dir_unusable`, `address_in_use`; `unreachable` when joining took too long.
 *
 * @example
 * ```ts
 * import { startNode } from "./start_node.ts";
 * await using alice = await startNode({ listen: "127.0.0.1:0" });
 * await using bob = await startNode({ listen: "127.0.0.1:0", join: alice.ticket() });
 * console.assert(bob.peers()[0]?.id === alice.id);
 * ```
 */
export async function startNode(options: StartNodeOptions = {}): Promise<NetNode> {
  const { signal } = options;
  signal?.throwIfAborted();
  const config = libraryConfig(options);
  const { dataDir } = await prepareDataDir(config);
  const core = createNode(withDataDir(config, dataDir), { log: libraryLog(options) });
  await core.start();
  const node = new NetNode(core);
  try {
    signal?.throwIfAborted();
    if (options.join !== undefined) await join(node, options.join, options);
    return node;
  } catch (error) {
    await node.close();
    throw error;
  }
}

async function join(node: NetNode, ticket: string, options: StartNodeOptions): Promise<void> {
  const { joinTimeoutMs = JOIN_TIMEOUT_MS, signal } = options;
  if (joinTimeoutMs === 0) return;
  const { capabilities, mesh: { transport } } = node.core;
  const nowSeconds = Math.floor(systemClock.wallMs() / 1000);
  const { entityId, label } = decodeTicket(ticket, nowSeconds);
  const target = deriveNodeId(entityId);
  await waitUntil({
    clock: systemClock,
    look: () => {
      const isConnected = transport.peer(target)?.state === "connected";
      return isConnected && capabilities.get(target) !== undefined ? true : undefined;
    },
    changes: [
      (handler) => transport.onPeerChange(handler),
      (handler) => capabilities.onChange(handler),
    ],
    timeoutMs: joinTimeoutMs,
    signal: signal === undefined ? node.signal : AbortSignal.any([node.signal, signal]),
    onTimeout: () =>
      new NetError(
        "unreachable",
        `Cannot join through "${label}": no session within ${joinTimeoutMs} ms`,
        {
          next: "check that the node of the ticket runs and its UDP port can be reached",
        },
      ),
  });
}
