/**
 * One question to a member: `health.liveness`, within a time (`validation.md` 1.1, 3.4).
 *
 * Says whether somebody is there at all; what a reply is worth in full is judged by `validate`.
 */
import { LineBuffer } from "../control/mod.ts";
import { connectMember, type MemberAddress } from "./member_address.ts";

/** Longest reply that is read; an answer to this question has a few dozen bytes. */
const REPLY_BYTES_MAX = 64 * 1024;

const QUESTION = '{"jsonrpc":"2.0","method":"health.liveness","params":{},"id":1}\n';

/** What came back. */
export interface LivenessAnswer {
  /**
   * `live`: it says it is; `answering`: a line came that does not say so; `silent`: connected, but no
   * line in time; `dead`: nobody listens; `unreachable`: another failure, such as a missing right.
   */
  readonly state: "live" | "answering" | "silent" | "dead" | "unreachable";
  /** For people, in our own words; `undefined` when it is live. */
  readonly reason: string | undefined;
}

/** Options of {@linkcode askLiveness}. */
export interface AskLivenessOptions {
  /** Milliseconds for connection and answer together. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Asks the member at an address whether it lives.
 *
 * @throws The signal's reason when it aborts.
 */
export async function askLiveness(
  address: MemberAddress,
  options: AskLivenessOptions,
): Promise<LivenessAnswer> {
  const { timeoutMs, signal } = options;
  signal?.throwIfAborted();
  const controller = new AbortController();
  const late = Promise.withResolvers<LivenessAnswer>();
  const timer = setTimeout(() => {
    late.resolve({ state: "silent", reason: `no answer within ${timeoutMs} ms` });
  }, timeoutMs);
  const abort = () => late.reject(signal?.reason);
  signal?.addEventListener("abort", abort);
  const asking = ask(address, controller.signal);
  try {
    return await Promise.race([asking, late.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
    // Closes the connection, so the question ends with its answer or without.
    controller.abort();
    await asking.catch(() => {});
  }
}

async function ask(address: MemberAddress, signal: AbortSignal): Promise<LivenessAnswer> {
  let conn: Deno.Conn;
  try {
    conn = await orAborted(connectMember(address, signal), signal);
  } catch (error) {
    return connectFailure(error);
  }
  const close = () => closeQuietly(conn);
  signal.addEventListener("abort", close);
  try {
    signal.throwIfAborted();
    const question = new TextEncoder().encode(QUESTION);
    for (let offset = 0; offset < question.length;) {
      offset += await conn.write(question.subarray(offset));
    }
    return await readAnswer(conn);
  } catch {
    return { state: "unreachable", reason: "the connection was lost before an answer" };
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

/** A connection that comes after nobody waits for it any more is closed. */
async function orAborted(connecting: Promise<Deno.Conn>, signal: AbortSignal): Promise<Deno.Conn> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([connecting, promise]);
  } catch (error) {
    if (signal.aborted) connecting.then(closeQuietly, () => {});
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function readAnswer(conn: Deno.Conn): Promise<LivenessAnswer> {
  const lines = new LineBuffer(REPLY_BYTES_MAX);
  while (!lines.isOversized) {
    const line = lines.next();
    if (line !== undefined) return judgeLiveness(line);
    const length = await conn.read(lines.space());
    if (length === null) return { state: "answering", reason: "it closed without an answer" };
    lines.commit(length);
  }
  return { state: "answering", reason: `its answer has more than ${REPLY_BYTES_MAX} bytes` };
}

/** What one reply line says; `live` or `answering`. */
export function judgeLiveness(line: Uint8Array): LivenessAnswer {
  const no = (reason: string) => ({ state: "answering", reason } as const);
  let message: unknown;
  try {
    message = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
  } catch {
    return no("its answer is no JSON line");
  }
  const { result, error } = fieldsOf(message);
  if (error !== undefined) return no("it answered with an error");
  const { status, alive } = fieldsOf(result);
  const isLive = alive === true || status === "healthy" || status === "alive" || status === "ok";
  return isLive ? { state: "live", reason: undefined } : no("it does not say that it is healthy");
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function connectFailure(error: unknown): LivenessAnswer {
  if (error instanceof Deno.errors.NotFound) return { state: "dead", reason: "no such socket" };
  if (error instanceof Deno.errors.ConnectionRefused) {
    return { state: "dead", reason: "nobody listens there" };
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return { state: "unreachable", reason: "permission denied" };
  }
  return { state: "unreachable", reason: "it cannot be connected to" };
}

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // Closed before.
  }
}
