/** Makes an event bus: configuration, the producer's number, the adapter's start. */
import { type Clock, type Disk, type RandomBytes, systemRandom } from "../../base/mod.ts";
import type { Log, MetricRegistry } from "../../observe/mod.ts";
import { type BusConfig, type BusOptions, createBusConfig } from "./config.ts";
import { withTimeout } from "./dispatch.ts";
import { endAdapter } from "./ending.ts";
import { BusError } from "./error.ts";
import { createNonce, loadNonce } from "./nonce_file.ts";
import { ShardedBus } from "./sharded_bus.ts";
import type { BusAdapter, EventBus } from "./types.ts";

/** What a bus is made of. */
export interface EventBusDeps {
  readonly clock: Clock;
  readonly adapter: BusAdapter;
  readonly log?: Log;
  readonly metrics?: MetricRegistry;
  readonly random?: RandomBytes;
  /** Needed when the producer's number is kept in a file. */
  readonly disk?: Disk;
  /** Processors of the machine; asked of the engine when left out. */
  readonly processors?: number;
}

/**
 * Creates a bus and starts its adapter.
 *
 * @throws BusError `config`, `fatal` when the producer's file is damaged, or what the adapter's start throws.
 *
 * @example
 * ```ts
 * import { systemClock } from "../../base/mod.ts";
 * import { createMemoryAdapter } from "./adapters/memory.ts";
 * import { createEventBus } from "./bus.ts";
 * await using bus = await createEventBus({ clock: systemClock, adapter: createMemoryAdapter() }, { shards: 1 });
 * bus.ingest({ level: "error" });
 * await bus.flush();
 * const { events } = await bus.poll({ limit: 10 });
 * console.assert(events.length === 1);
 * ```
 */
export async function createEventBus(
  deps: EventBusDeps,
  options: BusOptions = {},
): Promise<EventBus> {
  const processors = deps.processors ?? navigator.hardwareConcurrency;
  const config = createBusConfig(options, processors);
  const nonce = nonceOf(deps, config);
  const { clock, adapter } = deps;
  let bus: ShardedBus | undefined;
  try {
    await withTimeout(clock, config.adapterTimeoutMs, undefined, "start the bus", () => {
      return adapter.start();
    });
    bus = new ShardedBus(deps, config, nonce);
    await bus.resume();
    return bus;
  } catch (error) {
    if (bus === undefined) await endAdapter(deps, config, false);
    else bus.abandon();
    throw error;
  }
}

function nonceOf(deps: EventBusDeps, config: BusConfig): bigint {
  const random = deps.random ?? systemRandom;
  if (config.producerNoncePath === undefined) return createNonce(random);
  if (deps.disk !== undefined) return loadNonce(deps.disk, config.producerNoncePath, random);
  throw new BusError("config", "Cannot keep producer number in a file: no disk was handed in");
}
