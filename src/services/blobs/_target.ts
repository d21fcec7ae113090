/** What a target names in the store of this node. */
import { NetError } from "../../base/mod.ts";
import { type BlobTarget, describeTarget, parseAddress } from "../../blob/mod.ts";

/** Whole hash behind an address or a reference, or the root of its tree. */
export function hashOf(target: BlobTarget): Uint8Array {
  if (target.kind === "address" || target.kind === "small") return target.hash;
  if (target.kind === "tree") return target.rootHash;
  const hash = parseAddress(target.uri);
  if (hash !== undefined) return hash;
  throw new NetError("usage", "Cannot find blob: the reference does not name its whole hash", {
    next: "give its b3: address instead",
  });
}

/** What to say when there is no such blob. */
export function notHere(target: BlobTarget): NetError {
  return new NetError(
    "not_found",
    `Cannot find ${describeTarget(target)}: this node has no such blob`,
    {
      next:
        "list what is here with net blob ls; net blob put of a file that was got lists it here, too",
    },
  );
}
