/** Tools for the tests of this folder, and remote calls that stay inside of the process. */
import fc from "fast-check";
import { NetError } from "../../../src/base/mod.ts";
import {
  createToolDescriptor,
  isToolId,
  type RpcCallContext,
  type RpcHandler,
  type RpcPort,
  type RpcStreamHandler,
  type ToolDescriptorOptions,
} from "../../../src/rpc/mod.ts";

const word = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 })
  .filter((text) => text.isWellFormed() && !text.includes(","));
const text = fc.string({ unit: "grapheme", maxLength: 40 }).filter((value) => value.isWellFormed());
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const schema = fc.dictionary(fc.string({ maxLength: 4 }), fc.jsonValue({ maxDepth: 1 }), {
  maxKeys: 3,
}).map((value) => JSON.stringify(value)).filter((value) => value.length < 300);
const LETTERS = [..."abc09-_./"];

/** Any id a tool can have. */
export const anyToolId = fc.string({
  unit: fc.constantFrom(...LETTERS),
  minLength: 1,
  maxLength: 12,
})
  .filter(isToolId);

/** Any descriptor. */
export const anyTool = fc.record({
  toolId: anyToolId,
  name: text,
  version: word,
  description: maybe(text),
  inputSchema: maybe(schema),
  outputSchema: maybe(schema),
  requires: fc.array(word, { maxLength: 3 }),
  estimatedTimeMs: fc.nat(0xffff_ffff),
  isStateless: fc.boolean(),
  isStreaming: fc.boolean(),
  tags: fc.array(word, { maxLength: 3 }),
  pricingTerms: maybe(text),
}).map(createToolDescriptor);

/** A descriptor with this id. */
export function tool(toolId: string, more: Partial<ToolDescriptorOptions> = {}) {
  return createToolDescriptor({ toolId, ...more });
}

/** Remote calls of one node to itself. */
export class MemoryRpc implements RpcPort {
  readonly #handlers = new Map<string, RpcHandler>();
  readonly #streams = new Map<string, RpcStreamHandler>();

  /** Names that are served. */
  get services(): readonly string[] {
    return [...this.#handlers.keys(), ...this.#streams.keys()].sort();
  }

  serve(service: string, handler: RpcHandler): () => void {
    return this.#add(this.#handlers, service, handler);
  }

  serveStream(service: string, handler: RpcStreamHandler): () => void {
    return this.#add(this.#streams, service, handler);
  }

  call(service: string, body: Uint8Array) {
    return find(this.#handlers, service)(body, context());
  }

  callStream(service: string, body: Uint8Array) {
    return find(this.#streams, service)(body, context());
  }

  #add<T>(table: Map<string, T>, service: string, handler: T): () => void {
    if (this.services.includes(service)) {
      throw new NetError("conflict", `Cannot serve "${service}": it is served already`);
    }
    table.set(service, handler);
    return () => void table.delete(service);
  }
}

function find<T>(table: Map<string, T>, service: string): T {
  const handler = table.get(service);
  if (handler === undefined) throw new NetError("not_found", `Nobody serves "${service}"`);
  return handler;
}

function context(): RpcCallContext {
  return { caller: 7n, callId: (1n << 63n) + 1n, signal: new AbortController().signal };
}

/** Everything that an iterable yields. */
export async function collect<T>(from: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of from) items.push(item);
  return items;
}
