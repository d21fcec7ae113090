import assert from "node:assert/strict";
import { runInMemory, type RunOptions } from "./_harness.ts";

interface People {
  readonly path: string;
  /** Entity ids by name. */
  readonly ids: Readonly<Record<"owner" | "gateway" | "agent", string>>;
  run(args: string, options?: RunOptions): ReturnType<typeof runInMemory>;
  /** What a verb that succeeds prints, without the last newline. */
  print(args: string, options?: RunOptions): Promise<string>;
  json(args: string, options?: RunOptions): Promise<Record<string, unknown>>;
}

function withPeople(name: string, test: (people: People) => Promise<void>): void {
  Deno.test(name, async () => {
    const path = await Deno.makeTempDir();
    const run = (args: string, options: RunOptions = {}) =>
      runInMemory(args.split(" "), { env: { HOME: path }, cwd: path, ...options });
    const print = async (args: string, options: RunOptions = {}) => {
      const { code, stdout, stderr } = await run(args, options);
      assert.equal(code, 0, stderr);
      return stdout.trimEnd();
    };
    const json = async (args: string, options: RunOptions = {}) =>
      JSON.parse((await run(`${args} --json`, options)).stdout);
    try {
      const idOf = async (who: string) => String((await json(`identity new ${who}`)).entity_id);
      const ids = {
        owner: await idOf("owner"),
        gateway: await idOf("gateway"),
        agent: await idOf("agent"),
      };
      await test({ path, ids, run, print, json });
    } finally {
      await Deno.remove(path, { recursive: true });
    }
  });
}

const ISSUE =
  "token issue gateway --identity owner --channel lab/x --allow subscribe,delegate --depth 2";
const DELEGATE = "token delegate @g agent --identity gateway --allow subscribe";

withPeople(
  "token issue and delegate print a chain that verifies for its presenter",
  async (people) => {
    const { path, ids, print, run } = people;
    const single = await print(ISSUE);
    assert.match(single, /^01[0-9a-f]{338}$/);
    await Deno.writeTextFile(`${path}/g`, `${single}\n`);
    const chain = await print(DELEGATE);
    assert.ok(chain.startsWith(`02${single.slice(2)}`));
    assert.equal(chain.length, 2 + 2 * 338);
    const full = `token verify ${chain} --root owner --presenter ${ids.agent} --channel lab/x ` +
      "--action subscribe";
    const { code, stdout, stderr } = await run(full);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^link 1 of 2: ok\n.*\nlink 2 of 2: ok\n.*\nholds\n$/s);
    assert.equal(stderr, "");
    const wrong = full.replace("lab/x", "lab/y").replace(
      "--root owner",
      "--root gateway --root agent",
    );
    const refused = await run(wrong);
    assert.equal(refused.code, 5);
    assert.match(
      refused.stdout,
      /link 1 of 2: its issuer is none of the trusted roots; it is for another/,
    );
    assert.match(refused.stdout, /\nrefused: token: not_authorized\n$/);
  },
);

withPeople("token issue takes what the flags say", async ({ json, ids }) => {
  const issue = "token issue gateway --identity owner";
  const any = await json(`${issue} --any-channel --allow publish --for 365d --depth 255`);
  const { links: [link] } = any as { links: readonly Record<string, unknown>[] };
  assert.equal(any.schema, "net.token.issue.v1");
  assert.deepEqual(
    [link?.issuer, link?.subject, link?.allows, link?.channel_hash, link?.depth],
    [ids.owner, ids.gateway, ["publish", "wildcard"], "0".repeat(16), 255],
  );
  const span = Date.parse(String(link?.not_after)) - Date.parse(String(link?.not_before));
  assert.equal(span, 365 * 86_400_000);
  const short = await json(`${issue} --channel a --allow admin --for 90s --skew 60s`);
  const { links: [early] } = short as { links: readonly Record<string, unknown>[] };
  assert.equal(
    Date.parse(String(early?.not_after)) - Date.parse(String(early?.not_before)),
    30_000,
  );
});

withPeople("token issue refuses flags that make no token", async ({ run }) => {
  const issue = "token issue gateway --identity owner";
  for (
    const [flags, message] of [
      ["--allow publish", /one of --channel and --any-channel/],
      ["--channel a --any-channel --allow publish", /one of --channel and --any-channel/],
      ["--channel A --allow publish", /Cannot use channel "A"/],
      ["--channel a", /--allow is missing/],
      ["--channel a --allow wildcard", /Cannot use --allow/],
      ["--channel a --allow write", /Cannot use --allow/],
      ["--channel a --allow publish --depth 256", /Cannot use --depth/],
      ["--channel a --allow publish --for 0s", /--for: value is "0s", must be 1s to 365d/],
      ["--channel a --allow publish --for 366d", /--for: value is "366d", must be 1s to 365d/],
      ["--channel a --allow publish --for later", /Cannot use --for/],
      ["--channel a --allow publish --skew 6m", /--skew: value is "6m", must be 0s to 5m/],
    ] as const
  ) {
    const { code, stderr } = await run(`${issue} ${flags}`);
    assert.equal(code, 2, flags);
    assert.match(stderr, message);
  }
  assert.equal((await run("token issue bob --identity owner --channel a --allow publish")).code, 4);
  assert.equal((await run("token issue owner --channel a --allow publish")).code, 4);
});

withPeople("token delegate refuses as the mesh does", async ({ path, print, run }) => {
  const issue = (flags: string) =>
    print(`token issue gateway --identity owner --channel lab/x ${flags}`);
  const refuses = async (token: string, signer: string, message: RegExp) => {
    const { code, stderr } = await run(
      `token delegate ${token} agent --identity ${signer} --allow subscribe`,
    );
    assert.equal(code, 5);
    assert.match(stderr, message);
  };
  await refuses(
    await issue("--allow subscribe,delegate"),
    "gateway",
    /token: delegation_exhausted/,
  );
  await refuses(await issue("--allow subscribe --depth 1"), "gateway", /delegation_not_allowed/);
  const good = await issue("--allow subscribe,delegate --depth 1");
  await refuses(good, "owner", /is for [0-9a-f]{64}, the signer is [0-9a-f]{64}: token: not_auth/);
  await refuses(forge(good), "gateway", /token: invalid_signature/);
  await Deno.writeTextFile(`${path}/g`, good);
  const { stderr } = await run("token delegate @g agent --identity gateway --allow publish");
  assert.match(stderr, /warning: the new link allows nothing/);
});

withPeople(
  "token show reads words, files, standard input and tokens without a count",
  async (people) => {
    const { path, print, json, run } = people;
    const token = await print(ISSUE);
    await Deno.writeTextFile(`${path}/g`, `\n${token}\n`);
    await Deno.writeFile(`${path}/raw`, Uint8Array.fromHex(token));
    for (const given of [token, "@g", "@raw", token.slice(2)]) {
      assert.equal((await json(`token show ${given}`)).token, token);
    }
    assert.equal((await json("token show -", { stdin: `${token}\n` })).token, token);
    const { stdout } = await run("token show @g");
    assert.match(
      stdout,
      /^link 1 of 1\n {2}issuer +[0-9a-f]{64}\n.*allows +subscribe, delegate\n/s,
    );
    for (const given of ["nonsense", token.slice(0, -2), `${token}00`]) {
      const { code, stderr } = await run(`token show ${given}`);
      assert.equal(code, 2);
      assert.match(stderr, /token: invalid_format/);
    }
    const bare = await run("token show g");
    assert.match(
      bare.stderr,
      /Cannot read token "g": token: invalid.*\nnext: for a file write @g;/s,
    );
    // Digits may be a secret that was put in the wrong place.
    const digits = await run(`token show ${"ab".repeat(32)}`);
    assert.match(digits.stderr, /^net: Cannot read token: token: invalid_format\n/);
    assert.equal((await run("token show @nowhere")).code, 4);
    const folder = await run("token show @/tmp");
    assert.equal(folder.code, 2);
    assert.match(folder.stderr, /"\/tmp" is a folder, must be a file/);
  },
);

withPeople("token verify explains times, signatures and what is no token", async (people) => {
  const { print, run, json } = people;
  const token = await print(ISSUE);
  const late = await run(`token verify ${token} --at 2999-01-01`);
  assert.equal(late.code, 5);
  assert.match(late.stdout, /link 1 of 1: it expired at 2.*refused: token: expired\n$/s);
  const early = await json(`token verify ${token} --at 2001-01-01T00:00:00Z`);
  assert.deepEqual([early.holds, early.kind], [false, "not_yet_valid"]);
  const forged = await run(`token verify ${forge(token)}`);
  assert.equal(forged.code, 5);
  assert.match(forged.stdout, /its issuer did not sign this/);
  const nothing = await run("token verify nonsense");
  assert.deepEqual([nothing.code, nothing.stdout], [5, "refused: token: invalid_format\n"]);
  const partly = await run(`token verify ${token}`);
  assert.equal(partly.code, 0);
  assert.equal(partly.stderr, "not asked: root, presenter, channel, action\n");
  assert.equal((await run(`token verify ${token} --at noon`)).code, 2);
});

withPeople("token revoke takes a generation back until the issuer moves on", async (people) => {
  const { path, ids, print, run, json } = people;
  const old = await print(ISSUE);
  await print("identity rotate owner");
  assert.equal((await run(`token verify ${old}`)).code, 0);
  const revoked = await json("token revoke owner");
  const file = `${path}/.local/share/net-mesh/delegation-revocations.json`;
  assert.deepEqual(revoked, {
    schema: "net.token.revoke.v1",
    issuer: ids.owner,
    asked: 1,
    floor: 1,
    file,
  });
  const refused = await run(`token verify ${old}`);
  assert.equal(refused.code, 5);
  assert.match(refused.stdout, /took tokens of this generation back.*token: revoked\n$/s);
  assert.equal((await run(`token verify ${await print(ISSUE)}`)).code, 0);
  const higher = await json(`token revoke ${ids.owner} --below 5`);
  assert.equal(higher.floor, 5);
  const lower = await run("token revoke owner");
  assert.equal(lower.stdout, "generations below 5 are taken back\n");
  assert.match(lower.stderr, /floors never fall/);
  assert.match(lower.stderr, /warning: owner issues at generation 1.*rotate owner --to 5/);
  assert.equal(((await Deno.stat(file)).mode ?? 0) & 0o777, 0o600);
});

withPeople("token revoke and verify keep to the list they are given", async (people) => {
  const { path, print, run } = people;
  const token = await print(ISSUE);
  await print("token revoke owner --revocations lists/mine.json");
  assert.equal((await run(`token verify ${token}`)).code, 0);
  assert.equal((await run(`token verify ${token} --revocations lists/mine.json`)).code, 5);
  const env = { HOME: path, NET_REVOCATIONS: "lists/mine.json" };
  assert.equal((await run(`token verify ${token}`, { env })).code, 5);
  await Deno.writeTextFile(`${path}/lists/mine.json`, "{");
  const { code, stderr } = await run(`token verify ${token} --revocations lists/mine.json`);
  assert.equal(code, 2);
  assert.match(stderr, /code: config_invalid/);
});

/** The token with another signature; the last byte of a good one is 00 for one in sixteen. */
function forge(token: string): string {
  return token.slice(0, -2) + (token.endsWith("00") ? "01" : "00");
}
