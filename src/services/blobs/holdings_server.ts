/** Answers nodes that ask what of a blob is here: the service `net.blob.holds`. */
import { NetError } from "../../base/mod.ts";
import {
  type BlobStore,
  decodeHoldsQuestion,
  encodeHoldsAnswer,
  type Holding,
  HOLDS_SERVICE,
} from "../../blob/mod.ts";
import type { Rpc, ServeHandle } from "../../rpc/mod.ts";

/** Questions answered at a time, and of one node: each is some look-ups in the ledger. */
const RUNNING_MAX = 64;
const RUNNING_PER_PEER_MAX = 8;

/** Serves it until the result is closed. */
export function serveHoldings(
  rpc: Pick<Rpc, "serve">,
  store: Pick<BlobStore, "stat" | "hasChunk">,
): ServeHandle {
  const look = async (hash: Uint8Array): Promise<Holding> => {
    if (await store.stat(hash) !== undefined) return "blob";
    return await store.hasChunk(hash) === undefined ? "nothing" : "chunk";
  };
  return rpc.serve(HOLDS_SERVICE, async (body) => {
    const hashes = decodeHoldsQuestion(body);
    if (hashes === undefined) {
      throw new NetError("usage", "Cannot say what is here: the question is not one of ours");
    }
    const held: Holding[] = [];
    for (const hash of hashes) held.push(await look(hash));
    return encodeHoldsAnswer(held);
  }, { runningMax: RUNNING_MAX, runningPerPeerMax: RUNNING_PER_PEER_MAX });
}
