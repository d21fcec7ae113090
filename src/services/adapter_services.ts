/** Adds the adapters of a node, behind the blobs and the logs they work on. */
import { systemClock, systemRandom } from "../base/mod.ts";
import type { BlobServices } from "./blob_services.ts";
import { AdapterService, createAdapterMemory } from "./blobs/mod.ts";
import type { LogServices } from "./log_services.ts";
import type { NodeParts } from "./node_services.ts";

/** Adds them. */
export function addAdapterService(
  { supervisor, log, metrics, storage }: Pick<
    NodeParts,
    "supervisor" | "log" | "metrics" | "storage"
  >,
  { blobs }: Pick<BlobServices, "blobs">,
  { logs }: Pick<LogServices, "logs">,
): AdapterService {
  return supervisor.add(() =>
    new AdapterService({
      clock: systemClock,
      random: systemRandom,
      log,
      metrics,
      memory: createAdapterMemory(storage.ledger),
      store: storage.blobs,
      blobs,
      logs,
      readEnv: () => Deno.env.toObject(),
    })
  );
}
