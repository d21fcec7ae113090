/**
 * Linux socket addresses as 32-bit words, and the table that makes one source one object.
 *
 * Words are little-endian. `sockaddr_in` is family and port, address; `sockaddr_in6` is family and
 * port, flow, four words of address, scope.
 */

import { formatHost, parseHost } from "../address.ts";
import { AF_INET, AF_INET6 } from "./_linux_libc.ts";
import type { SocketAddress } from "../types.ts";

/** `::ffff:0:0/96` in its third word. */
const MAPPED_WORD = 0xffff0000;

/** A target in the form the kernel wants. */
export interface NativeTarget {
  readonly words: Uint32Array;
  /** Bytes of `words` that count. */
  readonly length: number;
  /** The same for the runtime. */
  readonly address: Deno.NetAddr;
  /** Largest datagram worth joining into one send (GSO) to this target; lowered when refused. */
  joinedBytesMax: number;
}

/**
 * Translates an address.
 *
 * @param isIpv6 Family of the socket that sends.
 * @returns `undefined` when such a socket cannot reach it.
 */
export function createNativeTarget(to: SocketAddress, isIpv6: boolean): NativeTarget | undefined {
  const host = parseHost(to.host);
  const isPort = Number.isInteger(to.port) && to.port >= 0 && to.port <= 0xffff;
  if (host === undefined || !isPort) return undefined;
  if (!isIpv6 && host.length !== 4) return undefined;
  const words = new Uint32Array(7);
  const bytes = new Uint8Array(words.buffer);
  words[0] = isIpv6 ? AF_INET6 : AF_INET;
  bytes[2] = to.port >>> 8;
  bytes[3] = to.port & 0xff;
  if (!isIpv6) bytes.set(host, 4);
  else if (host.length === 16) bytes.set(host, 8);
  else {
    words[4] = MAPPED_WORD;
    bytes.set(host, 20);
  }
  const hostname = isIpv6 && host.length === 4 ? `::ffff:${to.host}` : to.host;
  const address: Deno.NetAddr = { transport: "udp", hostname, port: to.port };
  return { words, length: isIpv6 ? 28 : 16, address, joinedBytesMax: Infinity };
}

/** Reads a socket address; `undefined` for families other than the two of IP. */
export function readSockaddr(words: Uint32Array, at: number): SocketAddress | undefined {
  const first = words[at] ?? 0;
  const family = first & 0xffff;
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const start = family === AF_INET ? at + 1 : at + 2;
  const host = words.slice(start, start + (family === AF_INET ? 1 : 4));
  return { host: formatHost(new Uint8Array(host.buffer)), port: readPort(first) };
}

function readPort(first: number): number {
  return ((first >>> 8) & 0xff00) | (first >>> 24);
}

/** Words of a table entry: family and port, four words of address. */
const ENTRY_WORDS = 5;

interface Generation {
  readonly keys: Uint32Array;
  readonly values: (SocketAddress | undefined)[];
  count: number;
}

/**
 * Sources of datagrams: the same source is the same object as long as it is remembered.
 *
 * Two generations of a bounded number each; when the younger is full the older is forgotten, so
 * whoever keeps sending keeps its object. A look-up of a remembered source allocates nothing.
 */
export class SourceTable {
  /** Generations forgotten: a sign of more sources than the table holds. */
  turnovers = 0;
  readonly #generationMax: number;
  readonly #capacity: number;
  readonly #seed: number;
  #young: Generation;
  #old: Generation;
  #lastFirst = 0;
  readonly #lastWords = new Uint32Array(4);
  #last: SocketAddress | undefined;

  /**
   * @param generationMax Sources of one generation; the table holds twice as many.
   * @param seed Makes collisions unpredictable.
   */
  constructor(generationMax: number, seed: number) {
    this.#generationMax = generationMax;
    // At most half full, so that probing stays short.
    this.#capacity = 2 ** Math.ceil(Math.log2(generationMax * 2));
    this.#seed = seed | 0;
    this.#young = this.#createGeneration();
    this.#old = this.#createGeneration();
  }

  /** The source whose socket address starts at word `at`; `undefined` for a family not known. */
  find(words: Uint32Array, at: number): SocketAddress | undefined {
    const first = words[at] as number;
    const last = this.#lastWords;
    if (first === this.#lastFirst && this.#last !== undefined) {
      const isIpv4 = (first & 0xffff) === AF_INET;
      if (
        isIpv4 ? words[at + 1] === last[0] : words[at + 2] === last[0] &&
          words[at + 3] === last[1] && words[at + 4] === last[2] && words[at + 5] === last[3]
      ) return this.#last;
    }
    return this.#look(words, at, first);
  }

  #look(words: Uint32Array, at: number, first: number): SocketAddress | undefined {
    const family = first & 0xffff;
    if (family !== AF_INET && family !== AF_INET6) return undefined;
    const last = this.#lastWords;
    const start = family === AF_INET ? at + 1 : at + 2;
    const count = family === AF_INET ? 1 : 4;
    for (let i = 0; i < 4; i++) last[i] = i < count ? words[start + i] as number : 0;
    this.#lastFirst = first;
    const slot = this.#probe(this.#young, first);
    let source = this.#young.values[slot];
    if (source === undefined) {
      source = this.#old.values[this.#probe(this.#old, first)] ?? readSockaddr(words, at);
      if (source !== undefined) this.#remember(slot, first, source);
    }
    this.#last = source;
    return source;
  }

  #remember(slot: number, first: number, source: SocketAddress): void {
    let young = this.#young;
    let place = slot;
    if (young.count >= this.#generationMax) {
      this.#old = young;
      young = this.#young = this.#createGeneration();
      this.turnovers += 1;
      place = this.#probe(young, first);
    }
    young.keys[place * ENTRY_WORDS] = first;
    young.keys.set(this.#lastWords, place * ENTRY_WORDS + 1);
    young.values[place] = source;
    young.count += 1;
  }

  /** Where the source in `#lastWords` is, or belongs. */
  #probe(generation: Generation, first: number): number {
    const { keys, values } = generation;
    const words = this.#lastWords;
    const a = words[0] as number;
    const b = words[1] as number;
    const c = words[2] as number;
    const d = words[3] as number;
    let hash = Math.imul(first ^ this.#seed, 0x9e3779b1);
    hash = Math.imul((hash ^ (hash >>> 15)) + a, 0x85ebca6b);
    hash = Math.imul((hash ^ (hash >>> 13)) + b, 0xc2b2ae35);
    hash = Math.imul((hash ^ (hash >>> 16)) + c, 0x27d4eb2f);
    hash = Math.imul((hash ^ (hash >>> 15)) + d, 0x165667b1);
    const mask = this.#capacity - 1;
    let slot = (hash ^ (hash >>> 16)) & mask;
    while (values[slot] !== undefined) {
      const at = slot * ENTRY_WORDS;
      if (
        keys[at] === first && keys[at + 1] === a && keys[at + 2] === b && keys[at + 3] === c &&
        keys[at + 4] === d
      ) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #createGeneration(): Generation {
    return {
      keys: new Uint32Array(this.#capacity * ENTRY_WORDS),
      values: new Array<SocketAddress | undefined>(this.#capacity).fill(undefined),
      count: 0,
    };
  }
}
