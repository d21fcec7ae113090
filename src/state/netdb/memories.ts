/** Memories as a collection that is written to (`storage.md` 11). */
import type { Clock } from "../../base/mod.ts";
import type { WriteToken } from "../../log/mod.ts";
import { openCortex, type OpenCortexDeps, type OpenCortexOptions } from "../cortex/open_cortex.ts";
import type { CortexAdapter } from "../cortex/types.ts";
import {
  deleteMemoryEvent,
  type Memory,
  type MemoryContent,
  type MemoryFilter,
  pinMemoryEvent,
  retagMemoryEvent,
  storeMemoryEvent,
  unpinMemoryEvent,
} from "../models/memories/memory.ts";
import { createMemoryModel } from "../models/memories/memory_model.ts";
import type { MemoryTable } from "../models/memories/memory_table.ts";
import { FoldedCollection } from "./folded_collection.ts";
import { nowNs } from "./now.ts";

/** Memories. Writes give a token; changes of a memory that is not there do nothing. */
export class MemoryCollection extends FoldedCollection<MemoryTable, Memory, MemoryFilter> {
  readonly #clock: Clock;

  constructor(adapter: CortexAdapter<MemoryTable>, clock: Clock) {
    super(adapter);
    this.#clock = clock;
  }

  /** A new memory; or other content, tags and source of one that is there. */
  store(id: bigint, content: MemoryContent, atNs = nowNs(this.#clock)): WriteToken {
    return this.write(storeMemoryEvent(id, content, atNs));
  }

  retag(id: bigint, tags: readonly string[], atNs = nowNs(this.#clock)): WriteToken {
    return this.write(retagMemoryEvent(id, tags, atNs));
  }

  pin(id: bigint, atNs = nowNs(this.#clock)): WriteToken {
    return this.write(pinMemoryEvent(id, atNs));
  }

  unpin(id: bigint, atNs = nowNs(this.#clock)): WriteToken {
    return this.write(unpinMemoryEvent(id, atNs));
  }

  delete(id: bigint): WriteToken {
    return this.write(deleteMemoryEvent(id));
  }
}

/** Opens the memories of a log; see {@linkcode openCortex}. */
export async function openMemories(
  deps: OpenCortexDeps,
  options: OpenCortexOptions,
): Promise<MemoryCollection> {
  return new MemoryCollection(await openCortex(deps, createMemoryModel(), options), deps.clock);
}
