/** A caller's engine between a clock that a test moves and links that it scripts. */
import { type RpcCallEvent, RpcClient, RpcError, ServiceMeter } from "../../../src/rpc/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { MemoryClientLinks, MemoryLink, type MemoryLinkOptions } from "../memory_links.ts";

export const PEER = 7n;
export const SERVICE = "echo";

/** Parts of a test of the engine. */
export interface ClientKit {
  readonly client: RpcClient;
  readonly clock: ManualClock;
  readonly links: MemoryClientLinks;
  /** The link to {@linkcode PEER} for {@linkcode SERVICE}, ready. */
  readonly link: MemoryLink;
  readonly meter: ServiceMeter;
  readonly events: RpcCallEvent[];
  /** Nodes that let nobody in. */
  readonly denied: Set<bigint>;
}

/** Options of {@linkcode createClientKit}. */
export interface ClientKitOptions extends MemoryLinkOptions {
  readonly callsMax?: number;
  readonly isObserved?: boolean;
  /** Bytes that random draws begin with. */
  readonly firstRandom?: Uint8Array;
}

/** An engine with one link that is ready. */
export function createClientKit(options: ClientKitOptions = {}): ClientKit {
  const clock = new ManualClock();
  const links = new MemoryClientLinks();
  const meter = new ServiceMeter(SERVICE);
  const events: RpcCallEvent[] = [];
  const denied = new Set<bigint>();
  let drawn = 0;
  const client = new RpcClient({
    clock,
    links,
    nodeId: 1n,
    random: (length) => {
      const bytes = new Uint8Array(length);
      const words = new Uint32Array(bytes.buffer);
      for (let at = 0; at < words.length; at++) words[at] = ++drawn;
      if (options.firstRandom !== undefined && drawn === words.length) {
        bytes.set(options.firstRandom);
      }
      return bytes;
    },
    meters: {
      of: () => meter,
      isObserved: options.isObserved ?? false,
      tell: (event) => events.push(event),
    },
    mayExecute: (target) => !denied.has(target),
  }, options.callsMax);
  links.sink = client;
  const link = links.set(PEER, SERVICE, new MemoryLink({ peer: PEER, ...options }));
  return { client, clock, links, link, meter, events, denied };
}

/** What a call came to: its value, or the error it failed with; `undefined` while it runs. */
export class Outcome<T> {
  value: T | undefined;
  error: RpcError | undefined;
  /** Times it settled. */
  settled = 0;

  constructor(promise: Promise<T>) {
    promise.then((value) => {
      this.value = value;
      this.settled += 1;
    }, (error) => {
      if (!(error instanceof RpcError)) throw error;
      this.error = error;
      this.settled += 1;
    });
  }
}

/** A body of these bytes. */
export function bodyOf(...bytes: number[]): Uint8Array {
  return Uint8Array.from(bytes);
}
