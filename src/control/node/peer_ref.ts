/** Which node a person means: its id, or the beginning of it where only one known node begins so. */
import { idToHex, NetError, parseId } from "../../base/mod.ts";
import type { MeshView } from "./mesh_view.ts";
import { listRoutes } from "./routes.ts";

/** Shortest beginning of an id that is looked up. */
const PREFIX_DIGITS_MIN = 2;

/**
 * The node id that `text` stands for.
 *
 * @param action What was being done, for example `Cannot trace`.
 * @param more Nodes that are known some other way than through the mesh's own tables.
 * @throws NetError `usage` for what is no id, `not_found` when several known nodes begin so.
 */
export function resolvePeer(
  node: MeshView,
  text: string,
  action: string,
  more: Iterable<bigint> = [],
): bigint {
  const known = new Set([...knownNodes(node), ...more]);
  const id = parseId(text);
  if (id !== undefined && known.has(id)) return id;
  const prefix = text.toLowerCase().replace(/^0x/, "");
  const isPrefix = prefix.length >= PREFIX_DIGITS_MIN && /^[0-9a-f]{1,16}$/.test(prefix);
  const matches = isPrefix ? [...known].filter((one) => idToHex(one).startsWith(prefix)) : [];
  const [match, ...others] = matches;
  if (match !== undefined && others.length === 0) return match;
  if (match !== undefined) {
    throw new NetError("not_found", `${action} "${text}": ${matches.length} nodes begin so`, {
      next: `give more of the id, for example ${idToHex(match)}`,
    });
  }
  if (id !== undefined) return id;
  if (isPrefix) {
    throw new NetError("not_found", `${action} "${text}": no known node begins so`, {
      next: "see net node peers and net node routes for the nodes that are known",
    });
  }
  throw new NetError("usage", `${action} "${text}": must be a node id of 16 hex digits`, {
    next: "see net node peers for node ids; the first digits will do",
  });
}

/** Peers, nodes that are dialled, and nodes that a route leads to. */
function knownNodes(node: MeshView): ReadonlySet<bigint> {
  const { transport, dialer } = node.mesh;
  return new Set([
    ...transport.peers().map(({ nodeId }) => nodeId),
    ...dialer.targets().map(({ target }) => target.nodeId),
    ...listRoutes(node).map(({ destination }) => destination),
  ]);
}
