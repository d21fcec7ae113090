/** `net fetch`: what it hands over, prints and exits with. */
import assert from "node:assert/strict";
import type { FetchedMember, FetchMembersOptions } from "../../cmd/doors.ts";
import { NetError } from "../../src/base/mod.ts";
import { runInMemory } from "./_harness.ts";

const GOOD: FetchedMember = {
  member: "a",
  status: "fetched",
  path: "/kit/primals/x86_64/a",
  source: "https://host/a",
  bytes: 2048,
  resumed_bytes: 0,
  sha256: "00",
  blake3: "11",
  verified: ["sha256", "blake3"],
  error: null,
};

const BAD: FetchedMember = {
  ...GOOD,
  member: "b",
  status: "failed",
  source: null,
  bytes: null,
  verified: [],
  error: { code: "integrity", message: "b is wrong\u001b[2J", next: "do not run it" },
};

async function run(args: readonly string[], members: readonly FetchedMember[] = [GOOD]) {
  const seen: FetchMembersOptions[] = [];
  const result = await runInMemory(["fetch", ...args], {
    env: { NET_TOOLKIT: "/kit" },
    doors: {
      fetchMembers: (options) => {
        seen.push(options);
        return Promise.resolve({ toolkit: "/kit", arch: "x86_64", members, files: [] });
      },
    },
  });
  return { ...result, options: seen[0] };
}

Deno.test("fetch hands its choice over", async () => {
  const { options } = await run([
    ...["a", "b", "--primal", "c", "--composition", "t", "--composition", "u", "--toolkit", "/k"],
    ...["--source", "/s", "--source", "github:o/n", "--tag", "v1", "--arch", "aarch64", "--force"],
    ...["--dry-run", "--allow-unverified", "--max-size", "2MiB", "--stall", "5s"],
  ]);
  assert.deepEqual(options?.members, ["a", "b", "c"]);
  assert.deepEqual(options?.compositions, ["t", "u"]);
  assert.deepEqual(options?.sources, ["/s", "github:o/n"]);
  assert.equal(options?.toolkit, "/k");
  assert.equal(options?.tag, "v1");
  assert.equal(options?.arch, "aarch64");
  assert.equal(options?.isForced && options?.isDry && options?.allowUnverified, true);
  assert.equal(options?.isAll, false);
  assert.equal(options?.sizeMax, 2 * 2 ** 20);
  assert.equal(options?.stallMs, 5000);
});

Deno.test("fetch prints one line for each member, and exits 1 when one failed", async () => {
  const good = await run(["a"]);
  assert.equal(good.code, 0);
  assert.equal(
    good.stdout,
    "MEMBER  STATUS   SIZE     CHECKSUM       FROM\n" +
      "a       fetched  2.0 KiB  sha256+blake3  https://host/a\n" +
      "1 fetched; x86_64 into /kit\n",
  );
  const mixed = await run(["a", "b"], [GOOD, BAD]);
  assert.equal(mixed.code, 1);
  assert.match(mixed.stdout, /\nb {7}failed .* b is wrong\[2J\n1 fetched, 1 failed; /);
  assert.equal(mixed.stderr, "net: warning: b: b is wrong[2J\n  next: do not run it\n");
});

Deno.test("fetch prints one document, with the reason of each failure", async () => {
  const { stdout, stderr, code } = await run(["a", "b", "--json"], [GOOD, BAD]);
  const document = JSON.parse(stdout);
  assert.equal(code, 1);
  assert.equal(stderr, "");
  assert.equal(document.schema, "net.fetch.v1");
  assert.deepEqual([document.fetched, document.failed, document.present], [1, 1, 0]);
  assert.equal(document.members[1].error.code, "integrity");
});

Deno.test("fetch refuses sizes and times that are none, and says what its doors say", async () => {
  for (const args of [["--max-size", "0"], ["--max-size", "2TiB"], ["--stall", "soon"]]) {
    assert.equal((await run(["a", ...args])).code, 2, args.join(" "));
  }
  const { code, stderr } = await runInMemory(["fetch"], {
    doors: {
      fetchMembers: () =>
        Promise.reject(new NetError("usage", "Nothing to fetch", { next: "name members" })),
    },
  });
  assert.equal(code, 2);
  assert.match(stderr, /Nothing to fetch\ncode: usage\nnext: name members/);
});
