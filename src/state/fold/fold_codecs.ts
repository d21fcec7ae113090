/**
 * How the data of a user's events is written (`storage.md` 9): as JSON that a schema checks, or in any other way that
 * gives bytes and reads them back.
 */
import * as v from "../../schema/mod.ts";
import { NetError } from "../../base/mod.ts";
import { FoldDecodeError } from "../cortex/mod.ts";

/**
 * Writes and reads the data of one kind of event, or a state. `decode` throws FoldDecodeError for bytes that are none,
 * and copies what it keeps of the bytes: they are the log's.
 *
 * @typeParam Given What a writer hands over.
 * @typeParam Got What a reader gets.
 */
export interface FoldCodec<Given, Got = Given> {
  encode(value: Given): Uint8Array;
  decode(bytes: Uint8Array): Got;
}

/** What an event's data may be declared with: a schema, for JSON, or a codec. */
export type FoldData = v.GenericSchema | FoldCodec<unknown>;

/** What a writer hands over. */
export type GivenData<Data> = Data extends v.GenericSchema ? v.InferInput<Data>
  : Data extends FoldCodec<infer Given, unknown> ? Given
  : never;

/** What a fold's function gets. */
export type GotData<Data> = Data extends v.GenericSchema ? v.InferOutput<Data>
  : Data extends FoldCodec<never, infer Got> ? Got
  : never;

const DECODER = new TextDecoder("utf-8", { fatal: true });
const ENCODER = new TextEncoder();
const PROBLEMS_MAX = 3;

/**
 * JSON, checked when it is written and when it is read: what readers would refuse is never appended.
 *
 * @example
 * ```ts
 * import * as v from "valibot";
 * import { jsonCodec } from "./fold_codecs.ts";
 * const codec = jsonCodec(v.object({ name: v.string() }));
 * console.assert(codec.decode(codec.encode({ name: "a" })).name === "a");
 * ```
 */
export function jsonCodec<Schema extends v.GenericSchema>(
  schema: Schema,
): FoldCodec<v.InferInput<Schema>, v.InferOutput<Schema>> {
  const decode = (bytes: Uint8Array): v.InferOutput<Schema> => {
    let json: unknown;
    try {
      json = JSON.parse(DECODER.decode(bytes));
    } catch (cause) {
      throw new FoldDecodeError("data is no JSON", cause);
    }
    const read = v.safeParse(schema, json);
    if (read.success) return read.output;
    throw new FoldDecodeError(describeIssues(read.issues));
  };
  const encode = (value: v.InferInput<Schema>): Uint8Array => {
    const bytes = ENCODER.encode(JSON.stringify(value) ?? "");
    decode(bytes);
    return bytes;
  };
  return { encode, decode };
}

/** The codec that an event's data is declared with. @throws TypeError for a schema that is async. */
export function codecOf(data: FoldData): FoldCodec<unknown> {
  if ("async" in data && data.async as boolean) {
    throw new TypeError("Cannot define fold: a schema must not be async");
  }
  return "encode" in data ? data : jsonCodec(data);
}

/** Any fault of what a writer handed over, as one of its call. */
export function encodeData(codec: FoldCodec<unknown>, name: string, value: unknown): Uint8Array {
  try {
    return codec.encode(value);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new NetError("usage", `Cannot append "${name}": ${reason}`, {
      cause,
      next: "give the event the data that its definition says",
    });
  }
}

/** Reads data from outside: whatever a codec or a schema's own function throws, the data cannot be read. */
export function decodeData(codec: FoldCodec<never, unknown>, bytes: Uint8Array): unknown {
  try {
    return codec.decode(bytes);
  } catch (cause) {
    if (cause instanceof FoldDecodeError) throw cause;
    throw new FoldDecodeError(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function describeIssues(issues: readonly v.BaseIssue<unknown>[]): string {
  const told = issues.slice(0, PROBLEMS_MAX).map((issue) => {
    const path = v.getDotPath(issue);
    const place = path === null ? "data" : `"${path}"`;
    if (issue.input === undefined) return `${place} is missing`;
    return `${place} must be ${issue.expected ?? "another one"}`;
  });
  const more = issues.length - told.length;
  return told.join("; ") + (more > 0 ? `; and ${more} more` : "");
}
