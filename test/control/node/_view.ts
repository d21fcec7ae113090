/** Nodes of a simulated network as the control methods see them. */
import type { DialTarget } from "../../../src/core/transport/mod.ts";
import { NetError } from "../../../src/base/mod.ts";
import type { ReachingView } from "../../../src/control/node/mesh_view.ts";
import type { CallContext } from "../../../src/control/method.ts";
import type { KitNode } from "../../sim/mesh_kit.ts";

/** What the methods see of a node, which makes no sessions on demand. */
export function viewOf(node: KitNode, targets: readonly DialTarget[] = []): ReachingView {
  return {
    nat: {
      reach: (peer) =>
        node.transport.peer(peer) === undefined
          ? Promise.reject(new NetError("unreachable", "Cannot reach it", { data: { why: "no" } }))
          : Promise.resolve(),
    },
    mesh: {
      transport: node.transport,
      dialer: {
        targets: () => targets.map((target) => ({ target, isConnected: false, failures: 0 })),
      },
    },
  };
}

/** A call that nobody cancels, and the progress it told. */
export function callContext(): CallContext & { readonly told: object[] } {
  const told: object[] = [];
  return {
    transport: "unix",
    signal: new AbortController().signal,
    progress: (data) => void told.push(data),
    send: (data) => Promise.resolve(void told.push(data)),
    told,
  };
}
