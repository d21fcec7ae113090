/** Members whose envelopes are right and whose results are not. */
import { badMember, fails, type MemberCase, type MethodExpected, PASSES, warns } from "./case.ts";
import { onTriad, replyWith, withFields } from "./good.ts";

const missing = (...names: readonly string[]): MethodExpected =>
  fails("bad_result", `result lacks ${names.map((name) => `"${name}"`).join(", ")} as text`, {
    missing: names,
  });

const liveness = (result: string) =>
  replyWith({ "health.liveness": `{"jsonrpc":"2.0","result":${result},"id":@}` });

const stateOf = (result: string) => {
  const reply = `{"jsonrpc":"2.0","result":${result},"id":@}`;
  return replyWith({ "health.readiness": reply, "health.check": reply });
};

/** Checks that look at all three results. */
const TRIAD_CHECKS = ["same_connection", "pipelining"];

const onlyLiveness = (name: string, result: string, expected: MethodExpected) =>
  badMember(name, liveness(result), [expected, PASSES, PASSES], {
    reference: PASSES,
    ...(expected.error === undefined
      ? {}
      : { isReferenceHealthy: false, failedChecks: TRIAD_CHECKS, level: 0 }),
  });

const unknownStatus = (status: string, shown: string = status) =>
  fails("bad_result", `status is "${shown}", must be "healthy"`, { missing: ["status"] });

const badState = (
  name: string,
  result: string,
  expected: MethodExpected,
  isReferenceHealthy: boolean = true,
) =>
  badMember(name, stateOf(result), [PASSES, expected, expected], {
    reference: PASSES,
    isReferenceHealthy,
    failedChecks: TRIAD_CHECKS,
    level: 1,
  });

const otherName = (shown: string, name: string) =>
  fails("identity_mismatch", `primal is "${shown}", must be "${name}"`);

const REFERENCE_JSON = fails("invalid_json", "invalid JSON: the reply does not parse");

const EMPTY_NAME = missing("primal");

const longName = otherName(`${"x".repeat(64)}…`, "fake");

/** Members of this kind. */
export const CONTENTS: readonly MemberCase[] = [
  onlyLiveness("liveness starting", '{"status":"starting"}', unknownStatus("starting")),
  onlyLiveness("liveness dead", '{"status":"dead"}', unknownStatus("dead")),
  onlyLiveness(
    "liveness with a terminal's escapes",
    '{"status":"\\u001b[2J\\r\\u200f"}',
    unknownStatus("", "\u{fffd}[2J\u{fffd}\u{fffd}"),
  ),
  onlyLiveness(
    "liveness that says alive",
    '{"status":"alive"}',
    warns('status is "alive", the standard says "healthy"'),
  ),
  onlyLiveness(
    "liveness that says ok",
    '{"status":"ok"}',
    warns('status is "ok", the standard says "healthy"'),
  ),
  onlyLiveness("liveness without status, alive true", '{"alive":true}', PASSES),
  onlyLiveness(
    "liveness empty",
    "{}",
    fails("bad_result", 'result lacks "status"', { missing: ["status"] }),
  ),
  onlyLiveness(
    "liveness alive as text",
    '{"alive":"true"}',
    fails("bad_result", 'result lacks "status"', { missing: ["status"] }),
  ),
  badState(
    "version as a number",
    '{"status":"healthy","version":3,"primal":"fake"}',
    missing("version"),
  ),
  badState("no name", '{"status":"healthy","version":"1.0"}', missing("primal")),
  badState("only a status", '{"status":"healthy"}', missing("version", "primal")),
  badState(
    "all of a wrong type",
    '{"status":true,"version":null,"primal":["fake"]}',
    missing("status", "version", "primal"),
    false,
  ),
  badState(
    "fields that are inherited only",
    '{"__proto__":{"status":"healthy","version":"1.0","primal":"fake"}}',
    missing("status", "version", "primal"),
    false,
  ),
  badMember(
    "degraded",
    stateOf('{"status":"degraded","version":"1.0","primal":"fake"}'),
    PASSES,
    { isHealthy: false },
  ),
  badMember(
    "not ready yet",
    stateOf('{"status":"healthy","ready":false,"version":"1.0","primal":"fake"}'),
    PASSES,
    { isHealthy: false },
  ),
  badMember(
    "another name in the check",
    replyWith({
      "health.check":
        '{"jsonrpc":"2.0","result":{"status":"healthy","version":"1.0","primal":"other"},"id":@}',
    }),
    [PASSES, PASSES, otherName("other", "fake")],
    { reference: PASSES, level: 1 },
  ),
  badMember(
    "another version in the check",
    replyWith({
      "health.check":
        '{"jsonrpc":"2.0","result":{"status":"healthy","version":"2.0","primal":"fake"},"id":@}',
    }),
    [PASSES, PASSES, warns('version is "2.0", another method said "1.0"')],
    { reference: PASSES },
  ),
  badMember(
    "a name with a terminal's escapes",
    replyWith({
      "health.check":
        '{"jsonrpc":"2.0","result":{"status":"healthy","version":"1.0","primal":"\\u001b[1A\\u0000\\ud800"},"id":@}',
    }),
    [PASSES, PASSES, otherName("\u{fffd}[1A\u{fffd}\u{fffd}", "fake")],
    // Half of a surrogate pair is no JSON for the reference.
    { reference: [PASSES, PASSES, REFERENCE_JSON], level: 1 },
  ),
  badMember(
    "a name of 100,000 letters",
    replyWith({
      "health.check": `{"jsonrpc":"2.0","result":{"status":"healthy","version":"1.0","primal":"${
        "x".repeat(100_000)
      }"},"id":@}`,
    }),
    [PASSES, PASSES, longName],
    { reference: PASSES, level: 1 },
  ),
  badMember(
    "an empty name",
    withFields({ primal: "" }),
    [PASSES, EMPTY_NAME, EMPTY_NAME],
    { reference: PASSES, failedChecks: TRIAD_CHECKS, level: 1 },
  ),
  badMember(
    "a number beyond all numbers in the result",
    onTriad((_, good) => good.replace('"result":{', '"result":{"uptime_secs":1e999,')),
    PASSES,
    { reference: REFERENCE_JSON },
  ),
  badMember(
    "a number of 400 digits in the result",
    onTriad((_, good) => good.replace('"result":{', `"result":{"n":${"9".repeat(400)},`)),
    PASSES,
    { reference: REFERENCE_JSON },
  ),
  badMember(
    "126 nested arrays in the result",
    onTriad((_, good) => good.replace('"result":{', `"result":{"deep":${nested(125)},`)),
    PASSES,
  ),
  badMember(
    "127 nested arrays in the result",
    onTriad((_, good) => good.replace('"result":{', `"result":{"deep":${nested(126)},`)),
    PASSES,
    { reference: REFERENCE_JSON },
  ),
  badMember(
    "100,000 nested arrays in the result",
    onTriad((_, good) => good.replace('"result":{', `"result":{"deep":${nested(100_000)},`)),
    PASSES,
    { reference: REFERENCE_JSON },
  ),
];

function nested(depth: number): string {
  return "[".repeat(depth) + "]".repeat(depth);
}
