/** Tools for the tests of this folder. */
import fc from "fast-check";
import { utf8 } from "../../../src/base/mod.ts";
import {
  createToolDescriptor,
  isToolId,
  type ToolDescriptorOptions,
} from "../../../src/rpc/mod.ts";

const word = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 })
  .filter((text) => text.isWellFormed() && !text.includes(",") && utf8(text).length <= 64);
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

/** Everything that an iterable yields. */
export async function collect<T>(from: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of from) items.push(item);
  return items;
}
