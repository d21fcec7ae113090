/**
 * Steps every part of the validator is made of: connect, ask one question, read one line.
 */
import type { Budget } from "./budget.ts";
import type { Resolver } from "./connect.ts";
import type { Endpoint } from "./endpoint.ts";
import { isLinkFailure, type LinkFailure, openProbeLink, type ProbeLink } from "./probe_link.ts";
import { asRecord, parseMessage } from "./verdict.ts";

/** Where and within what limits a run probes. */
export interface ProbeTarget {
  readonly endpoint: Endpoint;
  readonly connectTimeoutMs: number;
  readonly replyTimeoutMs: number;
  /** Longest reply line in bytes. */
  readonly lineBytesMax: number;
  /** True where an empty line counts as a reply. */
  readonly isKeepingBlankLines: boolean;
  /** Seed of the member's family, to speak BTSP. */
  readonly familySeed?: Uint8Array;
  readonly resolve: Resolver | undefined;
  readonly signal: AbortSignal | undefined;
}

/** One JSON-RPC request line. */
export function requestLine(method: string, id: number, params: unknown = {}): string {
  return `${JSON.stringify({ jsonrpc: "2.0", method, params, id })}\n`;
}

/** Connects within the target's limit and the budget. */
export function connectWithin(
  target: ProbeTarget,
  budget: Budget,
): Promise<ProbeLink | LinkFailure> {
  const connectTimeoutMs = Math.min(target.connectTimeoutMs, budget.remainingMs);
  return openProbeLink(target.endpoint, { ...target, connectTimeoutMs });
}

/** Sends text and reads one line. */
export async function askLine(
  link: ProbeLink,
  text: string,
  target: ProbeTarget,
  budget: Budget,
): Promise<Uint8Array<ArrayBuffer> | LinkFailure> {
  // A server may answer without reading on, so a failed send is judged by what can be read.
  await link.send(text, Math.min(target.replyTimeoutMs, budget.remainingMs));
  return await link.readLine(Math.min(target.replyTimeoutMs, budget.remainingMs));
}

/** Reply to one call, reduced to what checks look at. */
export type Answer =
  | { readonly kind: "result"; readonly id: unknown; readonly result: unknown }
  | { readonly kind: "error"; readonly id: unknown; readonly code: number }
  | { readonly kind: "none"; readonly reason: string };

/** Calls a method on an open connection. */
export async function ask(
  link: ProbeLink,
  text: string,
  target: ProbeTarget,
  budget: Budget,
): Promise<Answer> {
  const line = await askLine(link, text, target, budget);
  return isLinkFailure(line) ? { kind: "none", reason: line.message } : readAnswer(line);
}

/** Reads a reply line. */
export function readAnswer(line: Uint8Array<ArrayBuffer>): Answer {
  const message = asRecord(parseMessage(line));
  if (message === undefined) return { kind: "none", reason: "the reply is no JSON object" };
  const code = asRecord(message.error)?.code;
  if (typeof code === "number") return { kind: "error", id: message.id, code };
  if (Object.hasOwn(message, "result")) {
    return { kind: "result", id: message.id, result: message.result };
  }
  return { kind: "none", reason: "the reply has neither result nor error" };
}
