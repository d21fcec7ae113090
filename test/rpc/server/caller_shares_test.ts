/** What the calls of one peer may hold of a node (promise N1). */
import assert from "node:assert/strict";
import { CallerShares } from "../../../src/rpc/server/caller_shares.ts";
import {
  HELD_BYTES_PER_CALLER_MAX,
  LARGE_REPLY_BYTES_MAX,
  LARGE_REPLY_BYTES_PER_CALLER_MAX,
  RUNNING_PER_CALLER_MAX,
} from "../../../src/rpc/server/limits.ts";

const MIB = 1_048_576;

Deno.test("CallerShares bound handlers of one peer, and of all", () => {
  const shares = new CallerShares();
  const [one, two, three] = [shares.acquire(1n), shares.acquire(2n), shares.acquire(3n)];
  for (let count = 0; count < RUNNING_PER_CALLER_MAX; count++) one.start();
  assert.deepEqual([one.fullOf, two.fullOf], ["caller", undefined]);
  for (let count = 0; count < RUNNING_PER_CALLER_MAX; count++) two.start();
  assert.equal(three.fullOf, "node");
  one.end();
  assert.deepEqual([one.fullOf, two.fullOf, three.fullOf], [undefined, "caller", undefined]);
});

Deno.test("CallerShares bound the bytes that one peer's calls keep, and all of them", () => {
  const shares = new CallerShares();
  const [one, two, three] = [shares.acquire(1n), shares.acquire(2n), shares.acquire(3n)];
  assert.ok(one.hold(HELD_BYTES_PER_CALLER_MAX) && !one.hold(1));
  assert.ok(two.hold(HELD_BYTES_PER_CALLER_MAX));
  assert.ok(!three.hold(1));
  one.release(1);
  assert.ok(!three.hold(2) && three.hold(1));
  assert.equal(shares.heldBytes, 2 * HELD_BYTES_PER_CALLER_MAX);
});

Deno.test("CallerShares count what runs on for a peer that comes back, then forget it", () => {
  const shares = new CallerShares();
  const first = shares.acquire(1n);
  first.start();
  first.hold(10);
  shares.release(first);
  const again = shares.acquire(1n);
  assert.equal(again, first);
  shares.release(again);
  first.release(10);
  assert.equal(shares.size, 1);
  first.end();
  assert.deepEqual([shares.size, shares.running, shares.heldBytes], [0, 0, 0]);
});

Deno.test("CallerShares give room for long answers in turn, to each peer no more than its half", async () => {
  const shares = new CallerShares();
  const [one, two, three] = [shares.acquire(1n), shares.acquire(2n), shares.acquire(3n)];
  assert.ok(one.takeReply(LARGE_REPLY_BYTES_PER_CALLER_MAX));
  assert.ok(!one.takeReply(1));
  assert.ok(two.takeReply(LARGE_REPLY_BYTES_PER_CALLER_MAX));
  const got: string[] = [];
  const ask = (name: string, share: typeof one, bytes: number) =>
    void share.awaitReply(bytes).then(() => got.push(name));
  ask("one a", one, 60 * MIB);
  ask("one b", one, 60 * MIB);
  ask("three", three, 64 * MIB);
  assert.ok(!one.takeReply(1), "nothing overtakes what waits");
  two.releaseReply(64 * MIB);
  await Promise.resolve();
  assert.deepEqual(got, ["three"], "a peer that has its half does not stop others");
  one.releaseReply(64 * MIB);
  await Promise.resolve();
  assert.deepEqual(got, ["three", "one a"]);
  one.releaseReply(64 * MIB);
  await Promise.resolve();
  assert.deepEqual(got, ["three", "one a", "one b"]);
  one.releaseReply(120 * MIB);
  two.releaseReply(64 * MIB);
  three.releaseReply(64 * MIB);
  assert.equal(shares.replyBytes, 0);
  assert.ok(one.takeReply(LARGE_REPLY_BYTES_MAX / 2));
});
