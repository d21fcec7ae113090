/** The one warning about repeats. */
import assert from "node:assert/strict";
import {
  forgetWarning,
  warnOfDuplicates,
} from "../../../../../src/log/bus/adapters/redis/_duplicate_warning.ts";

Deno.test("Redis warns once in a process that events may be there twice, and names the helper", () => {
  const logged: unknown[][] = [];
  const log = { warn: (...record: unknown[]) => void logged.push(record) };
  forgetWarning();
  warnOfDuplicates(log);
  warnOfDuplicates(log);
  warnOfDuplicates({ warn: () => assert.fail("warned again") });
  assert.equal(logged.length, 1);
  assert.match(JSON.stringify(logged), /RedisStreamDedup/);
});
