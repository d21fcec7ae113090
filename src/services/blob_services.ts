/**
 * The services of a node about blobs, put together. They start in this order and stop in the opposite one. A data
 * folder that is opened without a mesh has the first ones only.
 */
import { systemClock } from "../base/mod.ts";
import { BlobService } from "./blobs/mod.ts";
import type { MeshServices, NodeParts } from "./node_services.ts";

/** Blobs, and what moves them. */
export interface BlobServices {
  readonly blobs: BlobService;
}

/**
 * Adds the blobs of a node.
 *
 * @param mesh `undefined` where no mesh runs: then only what is here can be had.
 */
export function addBlobServices(
  { supervisor, log, metrics, storage }: Pick<
    NodeParts,
    "supervisor" | "log" | "metrics" | "storage"
  >,
  mesh: MeshServices | undefined,
): BlobServices {
  const deps = { clock: systemClock, log, metrics };
  const blobs = supervisor.add(() => new BlobService({ ...deps, storage, mesh: mesh?.mesh }));
  return { blobs };
}
