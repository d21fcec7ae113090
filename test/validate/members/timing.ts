/** Members that are slow, silent, gone, or choosy about connections. */
import { allChecksBut, badMember, fails, type MemberCase, PASSES } from "./case.ts";
import { goodReply, goodScript, onReplies, onTriad } from "./good.ts";
import { wait } from "./member.ts";

/** Time for a reply of a member that uses it up. */
const SHORT_MS = 250;

const NO_REPLY = fails("response_timeout", "no reply within 1 ms");
const REFERENCE_TIMEOUT = fails("response_timeout", "response timeout");
const CLOSED = fails("closed", "closed without a reply");
const REFERENCE_CLOSED = fails("closed", "connection closed without response");
const REFUSED = fails("connect_failed", "connection refused");
const REFERENCE_REFUSED = fails("connect_failed", "connect failed: connection refused");

const SILENT = { reference: REFERENCE_TIMEOUT, replyTimeoutMs: SHORT_MS };

/** Members of this kind. */
export const TIMING: readonly MemberCase[] = [
  badMember("good", { script: goodScript }, PASSES, { transports: ["unix", "tcp", "abstract"] }),
  badMember("silent", { script: () => undefined }, NO_REPLY, {
    ...SILENT,
    transports: ["unix", "tcp", "abstract"],
  }),
  badMember("never accepts", { isDeaf: true }, NO_REPLY, SILENT),
  badMember(
    "accepts and never reads",
    { onConnect: ({ signal }) => wait(60_000, signal) },
    NO_REPLY,
    {
      ...SILENT,
    },
  ),
  badMember(
    "answers after ten times the limit",
    onReplies(async ({ signal }, good) => {
      await wait(10 * SHORT_MS, signal);
      return good;
    }),
    NO_REPLY,
    SILENT,
  ),
  badMember(
    "slow, but in time",
    onTriad(async ({ signal }, good) => {
      await wait(20, signal);
      return good;
    }),
    PASSES,
  ),
  badMember(
    "a byte, and never a newline",
    {
      onConnect: async ({ send, signal }) => {
        await send("x");
        await wait(SHORT_MS * 8, signal);
      },
    },
    fails("response_timeout", "1 bytes without a newline within 1 ms"),
    { ...SILENT, replyTimeoutMs: 3 * SHORT_MS },
  ),
  badMember(
    "empty lines without end",
    {
      onConnect: async ({ send, signal }) => {
        while (!signal.aborted) {
          await send("\n".repeat(65_536));
          // The others have to be heard as well.
          await wait(1, signal);
        }
      },
    },
    fails("response_timeout", "nothing but empty lines within 1 ms"),
    // The reference must see the first of them in that time, on a loaded machine too.
    {
      reference: fails("invalid_json", "invalid JSON: the reply does not parse"),
      replyTimeoutMs: 3 * SHORT_MS,
    },
  ),
  badMember(
    "only the check hangs",
    onReplies(({ method }, good) => method === "health.check" ? undefined : good),
    [PASSES, PASSES, NO_REPLY],
    {
      reference: [PASSES, PASSES, REFERENCE_TIMEOUT],
      // The others must answer in that time, on a loaded machine too.
      replyTimeoutMs: 4 * SHORT_MS,
      failedChecks: ["same_connection", "pipelining"],
      level: 1,
    },
  ),
  badMember("closes when it accepts", { onConnect: () => Promise.resolve() }, CLOSED, {
    reference: REFERENCE_CLOSED,
  }),
  badMember(
    "closes when it is asked",
    {
      script: ({ close }) => {
        close();
        return undefined;
      },
    },
    CLOSED,
    { reference: REFERENCE_CLOSED },
  ),
  badMember(
    "resets the connection",
    {
      // What was sent and not read makes the kernel reset instead of close.
      onConnect: ({ signal }) => wait(50, signal),
    },
    CLOSED,
    { reference: REFERENCE_CLOSED },
  ),
  badMember(
    "closes after each reply",
    {
      script: async ({ line, send, close }) => {
        const reply = goodReply(line);
        if (reply !== undefined) await send(`${reply}\n`);
        close();
        return undefined;
      },
    },
    PASSES,
    { failedChecks: allChecksBut("unknown_method", "batch") },
  ),
  badMember(
    "ends its sending side after each reply",
    {
      script: async ({ line, send, closeWrite }) => {
        const reply = goodReply(line);
        if (reply !== undefined) await send(`${reply}\n`);
        await closeWrite();
        return undefined;
      },
    },
    PASSES,
    { failedChecks: allChecksBut("unknown_method", "batch") },
  ),
  badMember(
    "accepts one connection in all",
    { script: goodScript, connectionsMax: 1 },
    [PASSES, REFUSED, REFUSED],
    {
      reference: [PASSES, REFERENCE_REFUSED, REFERENCE_REFUSED],
      failedChecks: allChecksBut(),
      level: 0,
      transports: ["tcp"],
    },
  ),
  badMember(
    "accepts three connections in all",
    { script: goodScript, connectionsMax: 3 },
    PASSES,
    { failedChecks: allChecksBut(), level: 0, transports: ["tcp"] },
  ),
  badMember(
    "answers pipelined requests in the reverse order",
    reversed((reply) => reply),
    PASSES,
  ),
  badMember(
    "answers pipelined requests with each other's results",
    reversed((reply, id) => reply.replace(/"id":.*}$/, `"id":${id}}`)),
    PASSES,
    { failedChecks: ["pipelining"] },
  ),
];

/** Holds lines for a moment and answers those that came together from the last to the first. */
function reversed(change: (reply: string, idOfOther: string) => string) {
  const held = new Map<unknown, { id: string; reply: string }[]>();
  return onReplies(async ({ id, connection, send, signal }, good) => {
    const lines = held.get(connection);
    if (lines !== undefined) {
      lines.push({ id, reply: good });
      return undefined;
    }
    const first = [{ id, reply: good }];
    held.set(connection, first);
    void (async () => {
      await wait(20, signal);
      held.delete(connection);
      const ids = first.map((line) => line.id);
      const replies = first.map(({ reply }, index) => change(reply, ids.at(-1 - index) ?? id));
      await send(replies.toReversed().map((reply) => `${reply}\n`).join("")).catch(() => {});
    })();
    await Promise.resolve();
    return undefined;
  });
}
