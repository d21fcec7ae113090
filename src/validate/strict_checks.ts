/** What the strict rule set asks beyond the health methods (`validation.md` 5.2). */
import type { Budget } from "./budget.ts";
import { ask, askLine, connectWithin, type ProbeTarget, requestLine } from "./probe.ts";
import { isLinkFailure, type ProbeLink } from "./probe_link.ts";
import {
  asRecord,
  HEALTH_METHODS,
  type HealthMethod,
  judgeReply,
  parseMessage,
  printable,
} from "./verdict.ts";

/** Silence that counts as "no more bytes", in milliseconds. */
const QUIET_MS = 100;

/** Id of the first of several requests that are sent at once. */
const PIPELINED_ID = 21;

/** Outcome of one check. */
export interface StrictCheck {
  readonly name: string;
  readonly passed: boolean;
  /** What is wrong; `undefined` when nothing is. */
  readonly error: string | undefined;
}

/** Returns what is wrong, or `undefined`. */
type Check = (link: ProbeLink, target: ProbeTarget, budget: Budget) => Promise<string | undefined>;

const CHECKS: readonly (readonly [string, Check])[] = [
  ["same_connection", checkSameConnection],
  ["pipelining", checkPipelining],
  ["one_reply", checkOneReply],
  ["unknown_method", checkUnknownMethod],
  ["garbage_line", checkGarbageLine],
  ["notification", checkNotification],
  ["batch", checkBatch],
];

/** Runs all checks, each on a fresh connection. */
export async function runStrictChecks(
  target: ProbeTarget,
  budget: Budget,
): Promise<readonly StrictCheck[]> {
  const results: StrictCheck[] = [];
  for (const [index, [name, check]] of CHECKS.entries()) {
    const share = budget.share(CHECKS.length - index);
    if (share.remainingMs === 0) {
      results.push({ name, passed: false, error: "the deadline passed before this check" });
      continue;
    }
    const link = await connectWithin(target, share);
    if (isLinkFailure(link)) {
      results.push({ name, passed: false, error: link.message });
      continue;
    }
    try {
      const error = await check(link, target, share);
      results.push({ name, passed: error === undefined, error: error && printable(error) });
    } finally {
      link.close();
    }
  }
  return results;
}

async function checkSameConnection(link: ProbeLink, target: ProbeTarget, budget: Budget) {
  for (const [index, method] of HEALTH_METHODS.entries()) {
    const id = index + 1;
    const line = await askLine(link, requestLine(method, id), target, budget);
    if (isLinkFailure(line)) return `${method}: ${line.message}`;
    const verdict = judgeReply(method, line, "strict", id);
    if (!verdict.passed) return `${method}: ${verdict.error}`;
  }
  return undefined;
}

/** Requests that are sent at once may be answered in any order; the ids pair them. */
async function checkPipelining(link: ProbeLink, target: ProbeTarget, budget: Budget) {
  const asked = new Map<unknown, HealthMethod>(
    HEALTH_METHODS.map((method, index) => [PIPELINED_ID + index, method]),
  );
  const text = [...asked].map(([id, method]) => requestLine(method, Number(id))).join("");
  let line = await askLine(link, text, target, budget);
  while (true) {
    if (isLinkFailure(line)) return line.message;
    const { id } = asRecord(parseMessage(line)) ?? {};
    const method = asked.get(id);
    if (method === undefined) return "a reply has an id that was not asked, or was answered before";
    const verdict = judgeReply(method, line, "strict", Number(id));
    if (!verdict.passed) return `${method}: ${verdict.error}`;
    asked.delete(id);
    if (asked.size === 0) return undefined;
    line = await link.readLine(Math.min(target.replyTimeoutMs, budget.remainingMs));
  }
}

/** No byte before a request, one line for it, no byte after. */
async function checkOneReply(link: ProbeLink, target: ProbeTarget, budget: Budget) {
  const before = await listen(link, budget);
  if (before === "bytes") return "bytes come before any request";
  if (before === "end") return "the connection is closed before any request";
  const answer = await ask(link, requestLine("health.liveness", 1), target, budget);
  if (answer.kind === "none") return answer.reason;
  const after = await listen(link, budget);
  if (after === "bytes") return "more bytes follow the reply";
  return after === "end" ? "the connection is closed after the reply" : undefined;
}

async function checkUnknownMethod(link: ProbeLink, target: ProbeTarget, budget: Budget) {
  const answer = await ask(link, requestLine("net_validate.nothing", 1), target, budget);
  if (answer.kind === "error" && answer.code === -32601) return undefined;
  return `an unknown method must give -32601, it gave ${describe(answer)}`;
}

async function checkGarbageLine(link: ProbeLink, target: ProbeTarget, budget: Budget) {
  const answer = await ask(link, "{garbage\n", target, budget);
  if (answer.kind !== "error" || answer.code !== -32700) {
    return `a line that is no JSON must give -32700, it gave ${describe(answer)}`;
  }
  const next = await ask(link, requestLine("health.liveness", 2), target, budget);
  return next.kind === "result" ? undefined : "the connection does not survive a garbage line";
}

/** What follows must answer the request after the notification, not the notification. */
async function checkNotification(link: ProbeLink, target: ProbeTarget, budget: Budget) {
  await link.send('{"jsonrpc":"2.0","method":"health.liveness"}\n', budget.remainingMs);
  const after = await listen(link, budget);
  if (after === "bytes") return "a notification must not be answered";
  if (after === "end") return "the connection does not survive a notification";
  const answer = await ask(link, requestLine("health.liveness", 7), target, budget);
  if (answer.kind === "none") return answer.reason;
  return answer.id === 7 ? undefined : "a notification must not be answered";
}

async function checkBatch(link: ProbeLink, target: ProbeTarget, budget: Budget) {
  const members = [1, 2].map((id) => requestLine("health.liveness", id).trim());
  const line = await askLine(link, `[${members.join(",")}]\n`, target, budget);
  if (isLinkFailure(line)) return line.message;
  const replies = parseMessage(line);
  if (!Array.isArray(replies) || replies.length !== 2) {
    return "a batch of two must give an array of two";
  }
  const answered = replies.map(asRecord).filter((reply) =>
    reply?.jsonrpc === "2.0" && Object.hasOwn(reply, "result")
  );
  const ids = new Set(answered.map((reply) => reply?.id));
  return ids.has(1) && ids.has(2) ? undefined : "a batch lacks a result for one of its ids";
}

function listen(link: ProbeLink, budget: Budget) {
  return link.listen(Math.min(QUIET_MS, budget.remainingMs));
}

function describe(answer: { readonly kind: string; readonly code?: number; reason?: string }) {
  return answer.kind === "error" ? String(answer.code) : answer.reason ?? "a result";
}
