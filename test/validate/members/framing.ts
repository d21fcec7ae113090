/** Members that do not keep to one line of UTF-8 JSON for each request. */
import {
  ALL_CHECKS,
  allChecksBut,
  badMember,
  fails,
  type MemberCase,
  PASSES,
  type VerdictExpected,
} from "./case.ts";
import { goodReply, goodScript, onReplies, onTriad } from "./good.ts";
import { type RawPeer, wait } from "./member.ts";

/** Time for a reply of a member that uses it up. */
const SHORT_MS = 400;

const REFERENCE_JSON = fails("invalid_json", "invalid JSON: the reply does not parse");
const REFERENCE_UTF8 = fails("invalid_json", "read error: the reply is not valid UTF-8");
const REFERENCE_TIMEOUT = fails("response_timeout", "response timeout");
const NO_JSON = fails("invalid_json", "the reply is not valid JSON in UTF-8");
const HTTP = fails("http_framing", "HTTP was answered, JSON lines are needed");

/** Strict checks and capabilities are not looked at where nothing but silence came. */
const NOT_ASKED: Partial<VerdictExpected> = { failedChecks: [] };

/** Checks that fail where no line can be read as a reply. */
const REPLY_CHECKS = allChecksBut("unknown_method", "batch");

const rawBytes = (bytes: readonly number[]) =>
  onTriad(async ({ send }) => {
    await send(new Uint8Array([...bytes, 0x0a]));
    return undefined;
  });

/** Sends bytes as fast as they are taken. */
async function flood({ send, signal }: Pick<RawPeer, "send" | "signal">, chunk: string) {
  while (!signal.aborted) await send(chunk);
}

const inPieces = onReplies(async ({ send, signal }, good) => {
  for (const letter of `${good}\n`) {
    await send(letter);
    if (letter === ",") await wait(1, signal);
  }
  return undefined;
});

const unended = (length: number) =>
  fails("response_timeout", `${length} bytes without a newline within 1 ms`);

const closedAfter = (length: number) => `closed after ${length} bytes of a line`;

/** Members of this kind. */
export const FRAMING: readonly MemberCase[] = [
  badMember("CR before the newline", onReplies((_, good) => `${good}\r`), PASSES),
  badMember("reply letter by letter", inPieces, PASSES),
  badMember("empty lines before the reply", onReplies((_, good) => `\n\r\n\n${good}`), PASSES, {
    reference: REFERENCE_JSON,
  }),
  badMember("byte order mark", onTriad((_, good) => `\u{feff}${good}`), NO_JSON, {
    reference: REFERENCE_JSON,
    failedChecks: REPLY_CHECKS,
    level: 0,
  }),
  badMember("invalid UTF-8", rawBytes([0x22, 0xff, 0x22]), NO_JSON, {
    reference: REFERENCE_UTF8,
    failedChecks: REPLY_CHECKS,
    level: 0,
  }),
  badMember("binary zeros", rawBytes([0, 0, 0, 0]), NO_JSON, {
    reference: REFERENCE_JSON,
    failedChecks: REPLY_CHECKS,
    level: 0,
  }),
  badMember("plain text", onTriad(() => "OK healthy"), NO_JSON, {
    reference: REFERENCE_JSON,
    failedChecks: REPLY_CHECKS,
    level: 0,
  }),
  badMember(
    "a control character in a text",
    onTriad((_, good) => good.replace("healthy", "heal\u0001thy")),
    NO_JSON,
    { reference: REFERENCE_JSON, failedChecks: REPLY_CHECKS, level: 0 },
  ),
  badMember(
    "HTTP only",
    {
      script: async ({ send, close }) => {
        await send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        close();
        return undefined;
      },
    },
    HTTP,
    { reference: REFERENCE_JSON, ...NOT_ASKED },
  ),
  badMember(
    "HTML without a newline",
    {
      script: async ({ send, close }) => {
        await send("<html><body>no</body></html>");
        close();
        return undefined;
      },
    },
    HTTP,
    { reference: REFERENCE_JSON, ...NOT_ASKED },
  ),
  badMember(
    "TLS only",
    {
      script: async ({ send, close }) => {
        await send(new Uint8Array([0x15, 0x03, 0x01, 0, 2, 2, 70]));
        close();
        return undefined;
      },
    },
    fails("closed", `${closedAfter(7)}, which look like TLS`),
    { reference: REFERENCE_JSON, ...NOT_ASKED },
  ),
  badMember(
    "frames with a length instead of lines",
    onReplies(async ({ send }, good) => {
      await send(new Uint8Array([0, 0, 0, good.length]));
      await send(good);
      return undefined;
    }),
    [unended(58), unended(90), unended(90)],
    { reference: REFERENCE_TIMEOUT, replyTimeoutMs: SHORT_MS, ...NOT_ASKED },
  ),
  badMember(
    "half a line, then silence",
    onReplies(async ({ send }) => {
      await send('{"jsonrpc"');
      return undefined;
    }),
    unended(10),
    { reference: REFERENCE_TIMEOUT, replyTimeoutMs: SHORT_MS, ...NOT_ASKED },
  ),
  badMember(
    "half a line, then the end",
    onReplies(async ({ send, close }) => {
      await send('{"jsonrpc"');
      close();
      return undefined;
    }),
    fails("closed", closedAfter(10)),
    { reference: REFERENCE_JSON, ...NOT_ASKED },
  ),
  badMember(
    "a whole reply without a newline, then the end",
    {
      script: async ({ line, send, close }) => {
        await send(goodReply(line)?.padEnd(120) ?? "");
        close();
        return undefined;
      },
    },
    fails("closed", closedAfter(120)),
    { reference: PASSES, ...NOT_ASKED },
  ),
  badMember(
    "a line of 10 MB",
    onTriad((_, good) => good.replace('"result":{', `"result":{"x":"${"x".repeat(10_000_000)}",`)),
    fails("oversized", "reply line is longer than 1048576 bytes"),
    { reference: PASSES, failedChecks: REPLY_CHECKS, level: 0 },
  ),
  badMember(
    "a line without end",
    { onConnect: (peer) => flood(peer, "x".repeat(65_536)) },
    fails("oversized", "reply line is longer than 1048576 bytes"),
    {
      reference: fails("oversized", "reply line is longer than 16777216 bytes"),
      failedChecks: ALL_CHECKS,
      level: 0,
    },
  ),
  badMember(
    "a greeting before any request",
    { onConnect: ({ send }) => send("220 fake ready\n"), script: goodScript },
    NO_JSON,
    { reference: REFERENCE_JSON, failedChecks: ALL_CHECKS, level: 0 },
  ),
  badMember(
    "a notification before any request",
    {
      onConnect: ({ send }) => send('{"jsonrpc":"2.0","method":"hello"}\n'),
      script: goodScript,
    },
    fails("bad_envelope", 'the reply has neither "result" nor "error"'),
    {
      reference: fails("bad_envelope", "response missing valid result field"),
      failedChecks: ALL_CHECKS,
      level: 0,
    },
  ),
  badMember("two replies", onTriad((_, good) => `${good}\n${good}`), PASSES, {
    failedChecks: ["same_connection", "pipelining", "one_reply"],
  }),
  badMember(
    "a notification after the reply",
    onTriad(async ({ send }, good) => {
      await send(`${good}\n`);
      return '{"jsonrpc":"2.0","method":"news"}';
    }),
    PASSES,
    { failedChecks: ["same_connection", "pipelining", "one_reply"] },
  ),
  badMember(
    "output without end after the reply",
    onTriad(async ({ send, signal }, good) => {
      await send(`${good}\n`);
      await flood({ send, signal }, `${"y".repeat(65_536)}\n`);
      return undefined;
    }),
    PASSES,
    { failedChecks: ["same_connection", "pipelining", "one_reply"] },
  ),
];
