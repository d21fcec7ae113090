/** Finding members: the order of places, what is dead, and what is remembered. */
import { deepStrictEqual, equal, ok, throws } from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import {
  addressText,
  askLiveness,
  type LookupResult,
  MemberLookup,
  parseAddress,
} from "../../src/deploy/mod.ts";
import { goodScript, startFakeMember } from "../validate/fake_member.ts";

/** Time for a dead path; the operating system refuses at once, the rest is a busy machine's. */
const DEAD_MS_MAX = 50;

Deno.test("V35: a dead path is known within 50 ms, and the second lookup does not ask again", async () => {
  await using place = await makePlace();
  await place.dead("storage.sock");
  const lookup = place.lookup();
  const times: number[] = [];
  for (let run = 0; run < 5; run++) {
    const fresh = place.lookup();
    const startMs = performance.now();
    await fresh.find("storage");
    times.push(performance.now() - startMs);
  }
  ok(Math.min(...times) <= DEAD_MS_MAX, `best of ${times}`);
  const first = await lookup.find("storage");
  const second = await lookup.find("storage");
  for (const { isLive, address } of [first, second]) {
    equal(isLive, false);
    equal(address?.kind === "unix" && address.path, `${place.folder}/storage.sock`);
  }
  deepStrictEqual(states(second), [["socket", "dead"]]);
  equal(second.candidates[0]?.isRemembered, true);
  deepStrictEqual(lookup.counters, { lookups: 2, probes: 1, remembered: 1, forgotten: 0 });
});

Deno.test("MemberLookup.find() sees a new listener at a path that was dead", async () => {
  await using place = await makePlace();
  await place.dead("storage.sock");
  const lookup = place.lookup();
  equal((await lookup.find("storage")).isLive, false);
  await Deno.remove(`${place.folder}/storage.sock`);
  await place.live("storage.sock");
  const { isLive, source } = await lookup.find("storage");
  deepStrictEqual([isLive, source], [true, "socket"]);
});

Deno.test("MemberLookup.find() goes environment, family, plain name, registry, port", async () => {
  await using place = await makePlace();
  const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = (tcp.addr as Deno.NetAddr).port;
  const registry = {
    membersOf: (domain: string) => domain === "storage" ? ["nest"] : [],
    portOf: (name: string) => name === "nest" ? port : undefined,
  };
  const serving = answerOnce(tcp);
  const find = (env: Record<string, string> = {}) =>
    place.lookup({ env, registry, family: "fam1" }).find("storage");
  const byPort = await find();
  tcp.close();
  await serving;
  deepStrictEqual([byPort.source, byPort.isLive], ["port", true]);
  equal(byPort.address && addressText(byPort.address), `127.0.0.1:${port}`);

  await place.live("nest-fam1.sock");
  equal(shown(await find()), `registry ${place.folder}/nest-fam1.sock`);
  await place.live("storage.sock");
  equal(shown(await find()), `socket ${place.folder}/storage.sock`);
  await place.live("storage-fam1.sock");
  equal(shown(await find()), `family_socket ${place.folder}/storage-fam1.sock`);
  const given = await place.live("other.sock");
  equal(shown(await find({ STORAGE_SOCKET: given })), `environment ${given}`);
  // What the environment names but nobody serves is passed over.
  const passed = await find({ STORAGE_SOCKET: `${place.folder}/gone.sock` });
  equal(shown(passed), `family_socket ${place.folder}/storage-fam1.sock`);
  deepStrictEqual(states(passed)[0], ["environment", "absent"]);
});

Deno.test("MemberLookup.find() takes a socket that does not answer for stale", async () => {
  await using place = await makePlace();
  await using member = await startFakeMember(() => undefined);
  await Deno.symlink(member.path, `${place.folder}/storage.sock`);
  const result = await place.lookup({ livenessMs: 60 }).find("storage");
  deepStrictEqual(states(result), [["socket", "stale"]]);
  equal(result.isLive, false);
  ok(result.address !== undefined, "it gets a verdict");
});

Deno.test("MemberLookup.find() trusts no file, no dangling link and no odd name", async () => {
  await using place = await makePlace();
  await Deno.writeTextFile(`${place.folder}/plain.sock`, "text");
  await Deno.symlink("gone.sock", `${place.folder}/link.sock`);
  const lookup = place.lookup();
  deepStrictEqual(states(await lookup.find("plain")), [["socket", "not_a_socket"]]);
  deepStrictEqual(states(await lookup.find("link")), [["socket", "dead"]]);
  for (const name of ["", "../x", "a/b", "a".repeat(65), "a\0"]) {
    const result = await lookup.find(name);
    deepStrictEqual([result.address, result.candidates.length], [undefined, 0], name);
  }
  const shared = new MemberLookup({ env: { TMPDIR: place.parent }, uid: Deno.uid() ?? 0 });
  await Deno.chmod(place.folder, 0o755);
  await place.live("open.sock");
  const untrusted = (await shared.find("open")).candidates.filter(({ state }) =>
    state === "untrusted"
  );
  equal(untrusted.length, 1, "a shared folder that others may change is not used");
  throws(() => place.lookup({ family: "../x" }), NetError);
});

Deno.test("MemberLookup remembers a bounded number of dead sockets", async () => {
  await using place = await makePlace();
  for (let i = 0; i < 260; i++) await place.dead(`m${i}.sock`);
  const lookup = place.lookup();
  for (let i = 0; i < 260; i++) await lookup.find(`m${i}`);
  equal(lookup.counters.forgotten, 4);
});

Deno.test("askLiveness() tells live, answering, silent and dead apart", async () => {
  const cases = [
    ["live", goodScript()],
    ["live", () => '{"result":{"alive":true}}'],
    ["answering", () => '{"result":{"status":"dead"}}'],
    ["answering", () => '{"error":{"code":-32601}}'],
    ["answering", () => "HTTP/1.1 400 Bad Request"],
    ["answering", () => "x".repeat(100_000)],
    ["answering", ({ close }: { close(): void }) => (close(), undefined)],
    ["silent", () => undefined],
  ] as const;
  for (const [state, script] of cases) {
    await using member = await startFakeMember(script);
    const timeoutMs = state === "silent" ? 60 : 5000;
    const answer = await askLiveness({ kind: "unix", path: member.path }, { timeoutMs });
    equal(answer.state, state, `${answer.reason}`);
  }
  const dead = await askLiveness({ kind: "unix", path: "/nowhere/x.sock" }, { timeoutMs: 1000 });
  equal(dead.state, "dead");
});

Deno.test("parseAddress() reads what addressText() writes and refuses the rest", () => {
  for (const text of ["unix:/run/x.sock", "@net", "127.0.0.1:9100", "[::1]:9100"]) {
    const address = parseAddress(text);
    equal(address && addressText(address), text);
  }
  equal(addressText(parseAddress("/a") ?? { kind: "abstract", name: "" }), "unix:/a");
  for (
    const text of ["", "x", "/", "//x", "@", "1.2.3.4:0", "1.2.3.4:99999", `/${"x".repeat(107)}`]
  ) {
    equal(parseAddress(text), undefined, text);
  }
});

function states(result: LookupResult): readonly (readonly [string, string])[] {
  return result.candidates.filter(({ state, source }) =>
    state !== "absent" || source === "environment"
  ).map(({ source, state }) => [source, state] as const);
}

function shown({ source, address }: LookupResult): string {
  return `${source} ${address?.kind === "unix" ? address.path : ""}`;
}

async function answerOnce(listener: Deno.Listener): Promise<void> {
  for await (const conn of listener) {
    const buffer = new Uint8Array(1024);
    await conn.read(buffer);
    await conn.write(new TextEncoder().encode('{"result":{"status":"healthy"}}\n'));
    conn.close();
  }
}

/** A socket folder with members in it. */
async function makePlace() {
  const parent = await Deno.makeTempDir({ prefix: "net-look-" });
  const folder = `${parent}/biomeos`;
  await Deno.mkdir(folder, { mode: 0o700 });
  const members: AsyncDisposable[] = [];
  return {
    parent,
    folder,
    lookup: (
      options: Partial<ConstructorParameters<typeof MemberLookup>[0]> = {},
    ) =>
      new MemberLookup({
        uid: 4_000_000,
        ...options,
        env: { BIOMEOS_SOCKET_DIR: folder, ...options.env },
      }),
    live: async (name: string) => {
      const member = await startFakeMember(goodScript());
      members.push(member);
      await Deno.symlink(member.path, `${folder}/${name}`);
      return member.path;
    },
    /** A socket file that nobody listens at, as a kill leaves it. */
    dead: async (name: string) => {
      const path = `${folder}/${name}`;
      const listener = Deno.listen({ transport: "unix", path: `${path}.tmp` });
      await Deno.rename(`${path}.tmp`, path);
      listener.close();
    },
    async [Symbol.asyncDispose]() {
      for (const member of members) await member[Symbol.asyncDispose]();
      await Deno.remove(parent, { recursive: true });
    },
  };
}
