import { deepStrictEqual, equal, ok, rejects } from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { isSocketLive } from "../../src/control/mod.ts";
import { claimSocket, type ClaimSocketOptions } from "../../src/control/socket_claim.ts";
import { prepareSocketPlace, type SocketPlace } from "../../src/control/socket_path.ts";
import { silentLog } from "../../src/observe/mod.ts";

const OPTIONS: ClaimSocketOptions = {
  mode: 0o600,
  domains: ["storage", "mesh"],
  linksPlainName: true,
  log: silentLog,
};

interface Folder extends AsyncDisposable {
  readonly path: string;
  place(family?: string): SocketPlace;
  names(): string[];
}

async function openFolder(): Promise<Folder> {
  const path = await Deno.makeTempDir();
  return {
    path,
    place: (family) => prepareSocketPlace({ env: { BIOMEOS_SOCKET_DIR: path }, family }).place,
    names: () => [...Deno.readDirSync(path)].map(({ name }) => name).sort(),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** A socket file nobody listens on, as `kill -9` leaves it. */
function leaveStale(path: string): void {
  const listener = Deno.listen({ transport: "unix", path: `${path}.live` });
  Deno.renameSync(`${path}.live`, path);
  listener.close();
}

const withCode = (code: string) => (error: unknown) =>
  error instanceof NetError && error.code === code;

Deno.test("V11: claimSocket() makes socket, pid file and relative links, and removes them", async () => {
  await using folder = await openFolder();
  const claim = await claimSocket(folder.place(), OPTIONS);
  deepStrictEqual(folder.names(), ["mesh.sock", "net.pid", "net.sock", "storage.sock"]);
  equal(Deno.readLinkSync(`${folder.path}/storage.sock`), "net.sock");
  equal((Deno.lstatSync(`${folder.path}/net.pid`).mode ?? 0) & 0o777, 0o600);
  ok(await isSocketLive(`${folder.path}/mesh.sock`));
  claim.release();
  claim.release();
  deepStrictEqual(folder.names(), []);
});

Deno.test("V06: claimSocket() names a family's files and lends the plain name", async () => {
  await using folder = await openFolder();
  const claim = await claimSocket(folder.place("fam1"), OPTIONS);
  deepStrictEqual(folder.names(), [
    "mesh-fam1.sock",
    "net-fam1.pid",
    "net-fam1.sock",
    "net.sock",
    "storage-fam1.sock",
  ]);
  equal(Deno.readLinkSync(`${folder.path}/net.sock`), "net-fam1.sock");
  const second = await claimSocket(folder.place("fam2"), { ...OPTIONS, domains: [] });
  equal(Deno.readLinkSync(`${folder.path}/net.sock`), "net-fam1.sock");
  second.release();
  claim.release();
  deepStrictEqual(folder.names(), []);
  const alone = await claimSocket(folder.place("fam1"), {
    ...OPTIONS,
    domains: [],
    linksPlainName: false,
  });
  deepStrictEqual(folder.names(), ["net-fam1.pid", "net-fam1.sock"]);
  alone.release();
});

Deno.test("V06: claimSocket() takes the plain name back from a family it was lent to", async () => {
  await using folder = await openFolder();
  const family = await claimSocket(folder.place("fam1"), OPTIONS);
  const plain = await claimSocket(folder.place(), OPTIONS);
  ok(Deno.lstatSync(`${folder.path}/net.sock`).isSocket);
  ok(await isSocketLive(family.path));
  ok(await isSocketLive(plain.path));
  await rejects(claimSocket(folder.place(), OPTIONS), withCode("already_running"));
  family.release();
  ok(await isSocketLive(plain.path));
  plain.release();
  deepStrictEqual(folder.names(), []);
});

Deno.test("V07: claimSocket() replaces a stale socket", async () => {
  await using folder = await openFolder();
  leaveStale(`${folder.path}/net.sock`);
  ok(!await isSocketLive(`${folder.path}/net.sock`));
  const claim = await claimSocket(folder.place(), OPTIONS);
  ok(await isSocketLive(claim.path));
  claim.release();
});

Deno.test("V08: claimSocket() never takes a live socket", async () => {
  await using folder = await openFolder();
  const claim = await claimSocket(folder.place(), OPTIONS);
  const before = folder.names();
  await rejects(
    claimSocket(folder.place(), OPTIONS),
    (error: unknown) =>
      withCode("already_running")(error) && error instanceof NetError && error.exitCode === 3 &&
      error.message.includes(String(Deno.pid)),
  );
  deepStrictEqual(folder.names(), before);
  ok(await isSocketLive(claim.path));
  claim.release();
});

Deno.test("V09: claimSocket() never touches a file, a folder or a link to one", async () => {
  await using folder = await openFolder();
  const path = `${folder.path}/net.sock`;
  await Deno.writeTextFile(path, "precious");
  await rejects(claimSocket(folder.place(), OPTIONS), withCode("config_invalid"));
  equal(await Deno.readTextFile(path), "precious");
  await Deno.rename(path, `${folder.path}/file`);
  await Deno.symlink("file", path);
  await rejects(claimSocket(folder.place(), OPTIONS), withCode("config_invalid"));
  equal(await Deno.readLink(path), "file");
  await Deno.remove(path);
  await Deno.mkdir(path);
  await rejects(claimSocket(folder.place(), OPTIONS), withCode("config_invalid"));
  ok(Deno.statSync(path).isDirectory);
});

Deno.test("V11: claimSocket() leaves live names and strange files of others alone", async () => {
  await using folder = await openFolder();
  using other = Deno.listen({ transport: "unix", path: `${folder.path}/storage.sock` });
  await Deno.writeTextFile(`${folder.path}/mesh.sock`, "precious");
  const claim = await claimSocket(folder.place(), OPTIONS);
  deepStrictEqual(claim.links, []);
  ok(Deno.lstatSync(`${folder.path}/storage.sock`).isSocket);
  claim.release();
  equal(await Deno.readTextFile(`${folder.path}/mesh.sock`), "precious");
  ok(other.addr);
});

Deno.test("claimSocket() sweeps what dead nodes left", async () => {
  await using folder = await openFolder();
  leaveStale(`${folder.path}/net-old.sock`);
  await Deno.symlink("net-old.sock", `${folder.path}/mesh-old.sock`);
  await Deno.writeTextFile(`${folder.path}/net-old.pid`, "4194999\n");
  await Deno.writeTextFile(`${folder.path}/net.sock.4194999.stale`, "");
  await Deno.writeTextFile(`${folder.path}/net-old.pid.4194999.tmp`, "");
  await Deno.writeTextFile(`${folder.path}/net.sock.${Deno.pid}.stale`, "");
  leaveStale(`${folder.path}/other.sock`);
  const claim = await claimSocket(folder.place(), { ...OPTIONS, domains: [] });
  deepStrictEqual(folder.names(), [
    "net.pid",
    "net.sock",
    `net.sock.${Deno.pid}.stale`,
    "other.sock",
  ]);
  claim.release();
});

Deno.test("claimSocket() keeps the pid file in a folder of its own, and made private", async () => {
  await using folder = await openFolder();
  const pidDir = `${folder.path}/pids`;
  const claim = await claimSocket(folder.place("fam1"), { ...OPTIONS, domains: [], pidDir });
  equal(Deno.readTextFileSync(`${pidDir}/net-fam1.pid`), `${Deno.pid}\n`);
  equal((Deno.statSync(pidDir).mode ?? 0) & 0o777, 0o700);
  deepStrictEqual(folder.names(), ["net-fam1.sock", "net.sock", "pids"]);
  await rejects(
    claimSocket(folder.place("fam1"), { ...OPTIONS, domains: [], pidDir }),
    (error: unknown) => error instanceof NetError && error.message.includes(String(Deno.pid)),
  );
  claim.release();
  deepStrictEqual([...Deno.readDirSync(pidDir)], []);
  await rejects(
    claimSocket(folder.place(), { ...OPTIONS, pidDir: "/proc/no" }),
    withCode("config_invalid"),
  );
  await Deno.mkdir(`${pidDir}/net.pid`);
  await rejects(claimSocket(folder.place(), { ...OPTIONS, pidDir }), withCode("config_invalid"));
  ok(!folder.names().includes("net-fam1.sock") && !folder.names().includes("storage.sock"));
});

Deno.test("claimSocket() writes its pid through no link that lies in wait", async () => {
  await using folder = await openFolder();
  await Deno.writeTextFile(`${folder.path}/precious`, "precious");
  await Deno.symlink("precious", `${folder.path}/net.pid.${Deno.pid}.tmp`);
  await Deno.symlink("precious", `${folder.path}/net.pid`);
  const claim = await claimSocket(folder.place(), { ...OPTIONS, domains: [] });
  equal(Deno.readTextFileSync(`${folder.path}/precious`), "precious");
  ok(Deno.lstatSync(`${folder.path}/net.pid`).isFile);
  claim.release();
});

Deno.test("V10: close() keeps pid file and links until release()", async () => {
  await using folder = await openFolder();
  const claim = await claimSocket(folder.place(), OPTIONS);
  claim.close();
  deepStrictEqual(folder.names(), ["mesh.sock", "net.pid", "storage.sock"]);
  const second = await claimSocket(folder.place(), OPTIONS);
  // What is the newer node's now stays.
  claim.release();
  deepStrictEqual(folder.names().filter((name) => name.endsWith(".sock")), [
    "mesh.sock",
    "net.sock",
    "storage.sock",
  ]);
  second.release();
  deepStrictEqual(folder.names().filter((name) => name.endsWith(".sock")), []);
});

Deno.test("release() does not remove the socket of a newer node", async () => {
  await using folder = await openFolder();
  const first = await claimSocket(folder.place(), OPTIONS);
  await Deno.remove(first.path);
  await Deno.remove(`${folder.path}/net.pid`);
  const second = await claimSocket(folder.place(), OPTIONS);
  await Deno.writeTextFile(`${folder.path}/net.pid`, "1\n");
  first.release();
  ok(await isSocketLive(second.path));
  equal(await Deno.readTextFile(`${folder.path}/net.pid`), "1\n");
  second.release();
});

Deno.test("claimSocket() lets only one of many win", async () => {
  await using folder = await openFolder();
  leaveStale(`${folder.path}/net.sock`);
  const place = folder.place();
  const claims = await Promise.allSettled(
    Array.from({ length: 8 }, () => claimSocket(place, { ...OPTIONS, domains: [] })),
  );
  const won = claims.filter((claim) => claim.status === "fulfilled");
  equal(won.length, 1);
  ok(await isSocketLive(place.path));
  for (const claim of won) claim.value.release();
});
