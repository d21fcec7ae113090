import { deepStrictEqual, equal, rejects } from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { parseEndpoint, validateIpc } from "../../src/validate/mod.ts";

const OPTIONS = { env: { BIOMEOS_SOCKET_DIR: "/nowhere" }, cwd: "/srv/dir", uid: 4_000_000 };

Deno.test("parseEndpoint() reads every form", async () => {
  const rows: readonly (readonly [string, string])[] = [
    ["1.2.3.4:9100", "1.2.3.4:9100"],
    ["localhost:1", "localhost:1"],
    ["member.example.org:9100", "member.example.org:9100"],
    ["[::1]:9100", "[::1]:9100"],
    ["tcp://[::1]:9100", "[::1]:9100"],
    ["tcp://host:65535", "host:65535"],
    ["/run/x.sock", "unix:/run/x.sock"],
    ["./x.sock", "unix:/srv/dir/x.sock"],
    ["../x.sock", "unix:/srv/x.sock"],
    ["unix:/run/x.sock", "unix:/run/x.sock"],
    ["unix:///run/x.sock", "unix:/run/x.sock"],
    ["unix:x.sock", "unix:/srv/dir/x.sock"],
    ["@net", "@net"],
    ["net", "unix:/nowhere/net.sock"],
  ];
  for (const [text, shown] of rows) equal((await parseEndpoint(text, OPTIONS)).text, shown, text);
  deepStrictEqual(await parseEndpoint("[::1]:80", OPTIONS), {
    kind: "tcp",
    text: "[::1]:80",
    host: "::1",
    port: 80,
  });
});

Deno.test("V26: a text that is no endpoint is refused with exit 2 before any connection", async () => {
  const { connect } = Deno;
  let connections = 0;
  Object.assign(Deno, {
    connect: (...args: Parameters<typeof connect>) => {
      connections += 1;
      return connect(...args);
    },
  });
  const texts = [
    "",
    "foo",
    "host:99999",
    "host:0",
    "host:",
    ":80",
    "1.2.3:80",
    "256.1.1.1:80",
    "::1:80",
    "[::1]",
    "[zz]:80",
    "tcp://",
    "tcp://host",
    "unix:",
    "unix://host/path",
    "@",
    "http://host:80/",
    "a b:80",
    "ho st",
    "Net",
    `/${"x".repeat(108)}`,
    `@${"x".repeat(108)}`,
    "/a\0b",
    "x".repeat(5000),
  ];
  for (const text of texts) {
    await rejects(
      validateIpc(text, { env: OPTIONS.env, cwd: OPTIONS.cwd }),
      (error: unknown) =>
        error instanceof NetError && error.code === "usage" && error.exitCode === 2,
      text,
    );
  }
  await validateIpc("127.0.0.1:1", { deadlineMs: 1000 });
  Object.assign(Deno, { connect });
  equal(connections, 3, "only the endpoint was connected to, once for each method");
});

Deno.test("parseEndpoint() looks members up by environment, family and name", async () => {
  const folder = await Deno.makeTempDir();
  for (const name of ["storage-fam1", "storage", "mesh"]) {
    await Deno.writeTextFile(`${folder}/${name}.sock`, "");
  }
  const find = async (name: string, env: Record<string, string> = {}) =>
    (await parseEndpoint(name, { env: { BIOMEOS_SOCKET_DIR: folder, ...env }, cwd: "/" })).text;
  equal(await find("storage"), `unix:${folder}/storage.sock`);
  equal(await find("storage", { FAMILY_ID: "fam1" }), `unix:${folder}/storage-fam1.sock`);
  equal(await find("mesh", { FAMILY_ID: "fam1" }), `unix:${folder}/mesh.sock`);
  equal(await find("mesh", { MESH_SOCKET: "/x/y.sock" }), "unix:/x/y.sock");
  await rejects(find("absent"), NetError);
  await Deno.remove(folder, { recursive: true });
});
