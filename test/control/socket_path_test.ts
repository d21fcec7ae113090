import { deepStrictEqual, equal, match, ok, rejects, throws } from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { pidPath, resolveSocketPath, socketMode, socketPlaces } from "../../src/control/mod.ts";
import { prepareSocketPlace } from "../../src/control/socket_path.ts";

const isConfigError = (error: unknown) =>
  error instanceof NetError && error.code === "config_invalid" && error.exitCode === 2;

Deno.test("socketPlaces() orders the folders", () => {
  const env = { BIOMEOS_SOCKET_DIR: "/s/", XDG_RUNTIME_DIR: "/x", TMPDIR: "/t" };
  deepStrictEqual(socketPlaces({ env, uid: 7 }).map(({ path }) => path), [
    "/s/net.sock",
    "/x/biomeos/net.sock",
    "/run/user/7/biomeos/net.sock",
    "/t/biomeos/net.sock",
    "/tmp/biomeos/net.sock",
  ]);
  deepStrictEqual(socketPlaces({ env: {}, uid: 7 }).map(({ path }) => path), [
    "/run/user/7/biomeos/net.sock",
    "/tmp/biomeos/net.sock",
  ]);
  deepStrictEqual(socketPlaces({ env, socketPath: "/a/b.sock" }).map(({ path }) => path), [
    "/a/b.sock",
  ]);
  const relative = { BIOMEOS_SOCKET_DIR: "s", XDG_RUNTIME_DIR: "x" };
  equal(socketPlaces({ env: relative, uid: 7 }).length, 2);
  const empty = { BIOMEOS_SOCKET_DIR: "", XDG_RUNTIME_DIR: "", TMPDIR: "" };
  equal(socketPlaces({ env: empty, uid: 7 })[0]?.path, "/run/user/7/biomeos/net.sock");
});

Deno.test("socketPlaces() names families and refuses what is none", () => {
  const nameOf = (family: string) => socketPlaces({ env: {}, uid: 7, family })[0]?.path;
  for (const family of ["", "default", "standalone"]) match(nameOf(family) ?? "", /\/net\.sock$/);
  match(nameOf("fam-1_A") ?? "", /\/net-fam-1_A\.sock$/);
  for (const family of ["../x", "a b", "a/b", "x".repeat(33), "é"]) {
    throws(() => nameOf(family), isConfigError);
  }
});

Deno.test("socketMode() reads octal and falls back to 0600", () => {
  const modes = ["0660", "660", "0666", "999", "", "06600", "rw"].map((text) =>
    socketMode({ NET_SOCKET_MODE: text })
  );
  deepStrictEqual(modes, [0o660, 0o660, 0o666, 0o600, 0o600, 0o600, 0o600]);
  equal(socketMode({}), 0o600);
});

Deno.test("prepareSocketPlace() makes the folder private and passes over bad shared ones", async () => {
  const root = await Deno.makeTempDir();
  // The last place is the same for all tests of a machine; what this one makes there goes again.
  const lastResort = "/tmp/biomeos";
  const hadLastResort = exists(lastResort);
  const runtime = prepareSocketPlace({ env: { XDG_RUNTIME_DIR: root }, uid: Deno.uid() ?? 0 });
  equal(runtime.place.path, `${root}/biomeos/net.sock`);
  equal((Deno.statSync(`${root}/biomeos`).mode ?? 0) & 0o777, 0o700);
  deepStrictEqual(runtime.warnings, []);

  const shared = `${root}/shared`;
  await Deno.mkdir(shared);
  const options = { env: { TMPDIR: shared }, uid: Deno.uid() ?? 0 };
  const first = prepareSocketPlace(options);
  ok(first.place.path.startsWith(shared) || first.place.path.startsWith("/run/user/"));
  if (first.place.path.startsWith(shared)) {
    equal(first.warnings.length, 1);
    await Deno.chmod(`${shared}/biomeos`, 0o755);
    const passed = tryPrepare(options);
    ok(!passed?.place.path.startsWith(shared));
    await Deno.remove(`${shared}/biomeos`);
    await Deno.symlink(`${root}/biomeos`, `${shared}/biomeos`);
    ok(!tryPrepare(options)?.place.path.startsWith(shared));
  }
  if (!hadLastResort && exists(lastResort)) await Deno.remove(lastResort);
  await Deno.remove(root, { recursive: true });
});

Deno.test("prepareSocketPlace() warns of a folder in which others may put another socket", async () => {
  const root = await Deno.makeTempDir();
  for (
    const [mode, isRisky] of [[0o700, false], [0o777, true], [0o770, true], [
      0o1777,
      false,
    ]] as const
  ) {
    await Deno.chmod(root, mode);
    const { warnings } = prepareSocketPlace({ env: { BIOMEOS_SOCKET_DIR: root } });
    equal(warnings.length, isRisky ? 1 : 0, mode.toString(8));
    if (isRisky) match(warnings[0] ?? "", /others/);
  }
  await Deno.remove(root, { recursive: true });
});

Deno.test("prepareSocketPlace() passes over shared folders of others and links", {
  ignore: Deno.uid() !== 0,
}, async () => {
  const root = await Deno.makeTempDir();
  const prepare = () => tryPrepare({ env: { TMPDIR: root } })?.place.path;
  const isOurs = () => prepare()?.startsWith(root) ?? false;
  // Where a runtime folder exists it comes first, and there is nothing to see here.
  if (!exists(`/run/user/${Deno.uid()}`)) {
    ok(isOurs());
    await Deno.chown(`${root}/biomeos`, 65_534, 65_534);
    ok(!isOurs(), "a folder of somebody else");
    await Deno.remove(`${root}/biomeos`);
    await Deno.writeTextFile(`${root}/biomeos`, "");
    ok(!isOurs(), "a file");
    await Deno.remove(`${root}/biomeos`);
    await Deno.symlink("/nowhere", `${root}/biomeos`);
    ok(!isOurs(), "a link to nothing");
  }
  await Deno.remove(root, { recursive: true });
});

Deno.test("prepareSocketPlace() refuses paths that are too long or in no folder", async () => {
  const root = await Deno.makeTempDir();
  throws(
    () => prepareSocketPlace({ env: {}, socketPath: `${root}/${"x".repeat(108)}` }),
    isConfigError,
  );
  await Deno.writeTextFile(`${root}/file`, "");
  throws(() => prepareSocketPlace({ env: {}, socketPath: `${root}/file/net.sock` }), isConfigError);
  const made = prepareSocketPlace({ env: {}, socketPath: `${root}/a/b/net.sock` });
  ok(made.place.isExact);
  equal((Deno.statSync(`${root}/a/b`).mode ?? 0) & 0o777, 0o700);
  await Deno.remove(root, { recursive: true });
});

Deno.test("resolveSocketPath() takes the first socket that exists, else the first place", async () => {
  const root = await Deno.makeTempDir();
  const env = { BIOMEOS_SOCKET_DIR: `${root}/a`, XDG_RUNTIME_DIR: `${root}/b` };
  equal(await resolveSocketPath({ env }), `${root}/a/net.sock`);
  await Deno.mkdir(`${root}/b/biomeos`, { recursive: true });
  await Deno.writeTextFile(`${root}/b/biomeos/net.sock`, "");
  equal(await resolveSocketPath({ env }), `${root}/b/biomeos/net.sock`);
  equal(await resolveSocketPath({ env, socketPath: "/x/y" }), "/x/y");
  await rejects(resolveSocketPath({ env, family: "../x" }), isConfigError);
  await Deno.remove(root, { recursive: true });
});

Deno.test("pidPath() lies beside the socket", () => {
  equal(pidPath("/a/net-f.sock"), "/a/net-f.pid");
  equal(pidPath("/a/other"), "/a/other.pid");
  equal(pidPath("/a/net-f.sock", "/run/"), "/run/net-f.pid");
});

function tryPrepare(options: Parameters<typeof prepareSocketPlace>[0]) {
  try {
    return prepareSocketPlace(options);
  } catch {
    return undefined;
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
