/** Members whose replies are lines of JSON, but not the envelopes that were asked for. */
import { ALL_CHECKS, badMember, fails, type MemberCase, PASSES, warns } from "./case.ts";
import { errorReply, GOOD_RESULTS, onReplies, onTriad, replyAllWith } from "./good.ts";

const NO_VERSION = 'member "jsonrpc" is not "2.0"';
const NO_RESULT = 'the reply has neither "result" nor "error"';
const NO_ERROR_OBJECT = 'member "error" is there but is no error object';
const ARRAY = "a single request was answered with an array";

/** Checks that judge every reply. */
const REPLY_CHECKS = ["same_connection", "pipelining"];

/** Checks that also want the id back. */
const ID_CHECKS = [...REPLY_CHECKS, "notification"];

/** Checks that also want a result. */
const RESULT_CHECKS = [...REPLY_CHECKS, "garbage_line"];

/** Checks that also want a reply that is one. */
const ANSWER_CHECKS = [...REPLY_CHECKS, "one_reply", "garbage_line", "notification"];

const envelope = (
  name: string,
  reply: string,
  error: string,
  failedChecks: readonly string[] = REPLY_CHECKS,
) => badMember(name, replyAllWith(reply), fails("bad_envelope", error), { failedChecks, level: 0 });

const mismatch = (id: string) => `reply has ${id}, asked with 1`;

const withId = (name: string, id: (id: string) => string, shown: string) =>
  badMember(
    name,
    onTriad((exchange, good) => good.replace(/"id":.*}$/, `"id":${id(exchange.id)}}`)),
    warns(mismatch(shown), "id_mismatch"),
    {
      reference: PASSES,
      strict: fails("id_mismatch", mismatch(shown)),
      failedChecks: ID_CHECKS,
      level: 0,
    },
  );

/** Members of this kind. */
export const ENVELOPES: readonly MemberCase[] = [
  withId("wrong id", (id) => String(Number(id) + 1), "id 2"),
  withId("id as text", (id) => `"${id}"`, 'id "1"'),
  withId("id null", () => "null", "id null"),
  withId(
    "id with a terminal's escapes",
    () => '"\\u001b[31m\\u009b"',
    'id "\\u001b[31m\u{fffd}"',
  ),
  withId(
    "id of a hundred nested arrays",
    () => "[".repeat(100) + "]".repeat(100),
    "an id that is neither text nor number",
  ),
  badMember(
    "no id",
    onTriad((_, good) => good.replace(/,"id":.*}$/, "}")),
    warns(mismatch("no id"), "id_mismatch"),
    {
      reference: PASSES,
      strict: fails("id_mismatch", mismatch("no id")),
      failedChecks: ID_CHECKS,
      level: 0,
    },
  ),
  badMember(
    "error null beside a result",
    onTriad((_, good) => good.replace('"id"', '"error":null,"id"')),
    fails("bad_envelope", NO_ERROR_OBJECT),
    { failedChecks: REPLY_CHECKS, level: 0 },
  ),
  badMember(
    "error object beside a result",
    onTriad((_, good) => good.replace('"id"', '"error":{"code":-32050,"message":"both"},"id"')),
    fails("rpc_error", "error -32050: both", { code: -32_050 }),
    { failedChecks: RESULT_CHECKS, level: 0 },
  ),
  badMember(
    "result null",
    replyAllWith('{"jsonrpc":"2.0","result":null,"id":@}'),
    fails("bad_result", "result is not an object", { missing: ["result"] }),
    { reference: PASSES, isReferenceHealthy: false, failedChecks: REPLY_CHECKS, level: 0 },
  ),
  ...["[]", "true", '"healthy"', "7"].map((result) =>
    badMember(
      `result ${result}`,
      replyAllWith(`{"jsonrpc":"2.0","result":${result},"id":@}`),
      fails("bad_result", "result is not an object", { missing: ["result"] }),
      { reference: PASSES, isReferenceHealthy: false, failedChecks: REPLY_CHECKS, level: 0 },
    )
  ),
  envelope("no result", '{"jsonrpc":"2.0","id":@}', NO_RESULT, ANSWER_CHECKS),
  envelope("no jsonrpc", '{"result":{"status":"healthy"},"id":@}', NO_VERSION),
  envelope("jsonrpc 1.0", '{"jsonrpc":"1.0","result":{},"id":@}', NO_VERSION),
  envelope("jsonrpc as a number", '{"jsonrpc":2.0,"result":{},"id":@}', NO_VERSION),
  envelope("a number for a reply", "42", NO_VERSION, ANSWER_CHECKS),
  envelope("null for a reply", "null", NO_VERSION, ANSWER_CHECKS),
  envelope("an array for a reply", '[{"jsonrpc":"2.0","result":{},"id":@}]', ARRAY, ANSWER_CHECKS),
  envelope(
    "error that is text",
    '{"jsonrpc":"2.0","error":"no","id":@}',
    NO_ERROR_OBJECT,
    ANSWER_CHECKS,
  ),
  badMember(
    "error number beyond all numbers",
    replyAllWith('{"jsonrpc":"2.0","error":{"code":-1e400,"message":"no"},"id":@}'),
    fails("bad_envelope", NO_ERROR_OBJECT),
    {
      reference: fails("invalid_json", "invalid JSON: the reply does not parse"),
      failedChecks: RESULT_CHECKS,
      level: 0,
    },
  ),
  envelope(
    "error number with a fraction",
    '{"jsonrpc":"2.0","error":{"code":-32000.5,"message":"no"},"id":@}',
    NO_ERROR_OBJECT,
    RESULT_CHECKS,
  ),
  badMember(
    "error with a terminal's escapes",
    replyAllWith(
      '{"jsonrpc":"2.0","error":{"code":-32050,"message":"\\u001b]0;x\\u0007\\u202e\\n"},"id":@}',
    ),
    fails("rpc_error", "error -32050: \u{fffd}]0;x\u{fffd}\u{fffd}\u{fffd}", { code: -32_050 }),
    { failedChecks: RESULT_CHECKS, level: 0 },
  ),
  badMember(
    "not ready as an error",
    replyAllWith('{"jsonrpc":"2.0","error":{"code":-32002,"message":"later"},"id":@}'),
    fails("rpc_error", "error -32002: later", { code: -32_002 }),
    { failedChecks: RESULT_CHECKS, level: 0 },
  ),
  badMember(
    "prefixed method names only",
    onTriad(({ id }) => errorReply(-32_601, id)),
    fails("method_missing", "the method is not there (-32601)", { code: -32_601 }),
    { failedChecks: RESULT_CHECKS, level: 0 },
  ),
  badMember(
    "BTSP wanted",
    onReplies(({ id }) => errorReply(-32_600, id, "BTSP handshake required")),
    fails("btsp_required", "the member wants a BTSP handshake first", {
      code: -32_600,
      warnings: ["give --family-seed-file to speak BTSP, or ask on a socket without it"],
    }),
  ),
  badMember(
    "BTSP handshake failed",
    {
      script: async ({ send, close }) => {
        await send('{"error":"handshake_failed","reason":"family_verification"}\n');
        close();
        return undefined;
      },
    },
    fails("btsp_required", "the member wants a BTSP handshake first", {
      warnings: ["give --family-seed-file to speak BTSP, or ask on a socket without it"],
    }),
  ),
  badMember(
    "duplicate keys, the last one good",
    onTriad(({ method, id }) =>
      `{"jsonrpc":"1.0","result":null,"jsonrpc":"2.0","id":0,"result":${
        JSON.stringify(GOOD_RESULTS[method ?? ""])
      },"id":${id}}`
    ),
    PASSES,
  ),
  badMember(
    "duplicate keys, the last one bad",
    onTriad((_, good) => good.replace(/}$/, ',"jsonrpc":"1.0"}')),
    fails("bad_envelope", NO_VERSION),
    { failedChecks: REPLY_CHECKS, level: 0 },
  ),
  badMember(
    "an echo of the request",
    { script: ({ line }) => line },
    fails("bad_envelope", NO_RESULT),
    { failedChecks: ALL_CHECKS, level: 0 },
  ),
];
