/**
 * Errors that a typed service declares: a handler throws one, and the caller catches the same one, with the same
 * facts (`nrpc.md` 12, application codes).
 */
import * as v from "../../schema/mod.ts";
import { RpcError, RpcStatusError } from "../error.ts";
import { encodeJsonBody, type JsonRead, readJsonBody } from "./json_body.ts";
import type { BodySchema, Received, Sent } from "./method.ts";

/** Codes below are the protocol's own, or those of the typed layer. */
const CODE_MIN = 0x8002;
const CODE_MAX = 0xffff;

/** A declared error, as handlers throw it and callers catch it. */
export class ApplicationError<Kind extends string = string, Data = unknown> extends RpcStatusError {
  /** Name it was declared with. */
  readonly kind: Kind;
  readonly data: Data;
  override readonly cause: unknown;

  constructor(kind: Kind, code: number, data: Data, body: Uint8Array, cause?: unknown) {
    super(code, `${kind} (0x${code.toString(16)})`, body);
    this.kind = kind;
    this.data = data;
    this.cause = cause;
  }
}

/** A declaration of an error. */
export class ErrorDefinition<Kind extends string, Schema extends BodySchema> {
  readonly kind: Kind;
  /** Status of the answer. */
  readonly code: number;
  readonly schema: Schema;

  constructor(kind: Kind, code: number, schema: Schema) {
    this.kind = kind;
    this.code = code;
    this.schema = schema;
  }

  /**
   * The error, to be thrown by a handler.
   *
   * @param data Facts, sent as JSON.
   * @throws RpcError `codec_encode` when they are no JSON.
   */
  create(data: Sent<Schema>): ApplicationError<Kind, Sent<Schema>> {
    const body = encodeJsonBody(data, `error ${this.kind}`);
    return new ApplicationError(this.kind, this.code, data, body);
  }

  /** True for an error made by {@linkcode create}, on either side. */
  is(error: unknown): error is ApplicationError<Kind, Received<Schema>> {
    return error instanceof ApplicationError && error.kind === this.kind &&
      error.status === this.code && v.safeParse(this.schema, error.data).success;
  }

  /** The error that an answer with this code stands for. */
  read(answer: RpcError): ApplicationError<Kind, Received<Schema>> | RpcError {
    const body = answer.body ?? new Uint8Array(0);
    const read: JsonRead<Received<Schema>> = readJsonBody(this.schema, body);
    if (read.ok) return new ApplicationError(this.kind, this.code, read.value, body, answer);
    return new RpcError("codec_decode", `Cannot read error ${this.kind}: ${read.reason}`, {
      status: this.code,
      cause: answer,
    });
  }
}

/** Any declaration. */
export type AnyErrorDefinition = Pick<
  ErrorDefinition<string, BodySchema>,
  "kind" | "code" | "read"
>;

/**
 * Declares an error.
 *
 * @param code Status of the answer, 0x8002 to 0xFFFF.
 * @param schema Of the facts that go with it.
 * @throws RangeError when the code is another number.
 *
 * @example
 * ```ts
 * import * as v from "valibot";
 * import { defineError } from "./application_error.ts";
 * const QuotaExceeded = defineError("quota_exceeded", 0x8010, v.object({ limit: v.number() }));
 * const error: unknown = QuotaExceeded.create({ limit: 5 });
 * console.assert(QuotaExceeded.is(error) && error.data.limit === 5);
 * ```
 */
export function defineError<const Kind extends string, Schema extends BodySchema>(
  kind: Kind,
  code: number,
  schema: Schema,
): ErrorDefinition<Kind, Schema> {
  if (!Number.isInteger(code) || code < CODE_MIN || code > CODE_MAX) {
    throw new RangeError(
      `Cannot declare error ${kind}: its code is ${code}, must be 0x8002 to 0xffff`,
    );
  }
  return new ErrorDefinition(kind, code, schema);
}
