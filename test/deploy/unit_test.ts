import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { serviceFiles } from "../../scripts/service.ts";
import { serviceUnit, socketUnit, unitName, unitWord } from "../../src/deploy/mod.ts";

const FOLDER = fileURLToPath(new URL("../../scripts/service/", import.meta.url));
const COMMAND = ["/usr/local/bin/net", "node", "start"] as const;

Deno.test("unitWord() keeps a word what it is in a unit", () => {
  const words = [
    ["/usr/bin/net", "/usr/bin/net"],
    ["file:///a/net.js", "file:///a/net.js"],
    ["a b", '"a b"'],
    ['say "hi"', '"say \\"hi\\""'],
    ["back\\slash", '"back\\\\slash"'],
    ["100%", "100%%"],
    ["$HOME", "$$HOME"],
    ["a;b", '"a;b"'],
    ["line\nbreak", '"line\\nbreak"'],
    ["", '""'],
  ] as const;
  for (const [word, text] of words) assert.equal(unitWord(word), text);
});

Deno.test("unitName() is the node's", () => {
  assert.equal(unitName({}), "net");
  assert.equal(unitName({ family: "lab" }), "net-lab");
  assert.equal(unitName({ isTemplate: true }), "net@");
});

Deno.test("serviceUnit() gives each family and instance folders of its own", () => {
  const family = serviceUnit({ scope: "system", command: COMMAND, family: "lab" });
  assert.match(family, /^StateDirectory=net-lab$/m);
  assert.match(family, /^RuntimeDirectory=net-lab$/m);
  assert.match(family, /^Environment=BIOMEOS_SOCKET_DIR=%t\/net-lab$/m);
  const template = serviceUnit({ scope: "system", command: COMMAND, isTemplate: true });
  assert.match(template, /^Environment=NET_FAMILY_ID=%i$/m);
  assert.match(template, /^StateDirectory=net-%i$/m);
});

Deno.test("serviceUnit() leaves a data folder that was named to its owner", () => {
  const unit = serviceUnit({ scope: "system", command: COMMAND, dataDir: "/srv/my net" });
  assert.match(unit, /^ReadWritePaths="\/srv\/my net"$/m);
  assert.match(unit, /^User=net$/m);
  assert.doesNotMatch(unit, /DynamicUser|StateDirectory/);
});

Deno.test("serviceUnit() lets a program in a home folder be read", () => {
  const command = ["/usr/bin/deno", "run", "file:///home/ada/net.js"] as const;
  assert.match(serviceUnit({ scope: "system", command }), /^ProtectHome=read-only$/m);
  assert.match(serviceUnit({ scope: "system", command: COMMAND }), /^ProtectHome=yes$/m);
});

Deno.test("socketUnit() names a socket only where it is the only one", () => {
  const one = socketUnit({ scope: "user", family: "lab" });
  assert.match(one, /^ListenStream=%t\/biomeos\/net-lab\.sock$/m);
  assert.match(one, /^FileDescriptorName=control$/m);
  const two = socketUnit({ scope: "system", socketPath: "/srv/n%t.sock", tcp: "[::1]:9900" });
  assert.match(two, /^ListenStream=\/srv\/n%%t\.sock\nListenStream=\[::1\]:9900$/m);
  assert.doesNotMatch(two, /FileDescriptorName/);
});

Deno.test("the units of scripts/service are what net node unit prints", async () => {
  for (const [name, text] of serviceFiles()) {
    assert.equal(
      await Deno.readTextFile(`${FOLDER}${name}`),
      text,
      "run deno run -A scripts/service.ts",
    );
  }
});

Deno.test("systemd accepts the units, and calls the service well guarded", async (t) => {
  if (!await has("systemd-analyze")) {
    console.log("without systemd-analyze: units are not checked by it");
    return;
  }
  const folder = await Deno.makeTempDir();
  for (const [name, text] of serviceFiles()) {
    if (name.includes("/")) continue;
    // The program itself must be there for systemd to accept a unit.
    const here = text.replace("/usr/local/bin/net", "/bin/true");
    await Deno.writeTextFile(`${folder}/${name.replace("@", "@lab")}`, here);
  }
  const analyze = async (...args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command("systemd-analyze", { args }).output();
    return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  };
  await t.step("verify", async () => {
    for (const { name } of Deno.readDirSync(folder)) {
      const { code, text } = await analyze("verify", `${folder}/${name}`);
      assert.equal(code, 0, text);
      // What it does not know it only warns of.
      assert.doesNotMatch(text, new RegExp(`${name}:\\d+:`));
    }
  });
  await t.step("security", async () => {
    const { text } = await analyze("security", "--offline=true", `${folder}/net.service`);
    const [, level] = /exposure level for net\.service: ([\d.]+)/.exec(text) ??
      assert.fail(text.slice(-500));
    assert.ok(Number(level) <= 2.5, `exposure level ${level}`);
  });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the init script is one that any POSIX shell reads", async () => {
  for (const shell of ["sh", "dash", "bash"]) {
    if (!await has(shell)) continue;
    const { code, stderr } = await new Deno.Command(shell, {
      args: ["-n", `${FOLDER}net.init`],
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
  }
});

async function has(program: string): Promise<boolean> {
  const { success } = await new Deno.Command("sh", {
    args: ["-c", `command -v ${program}`],
    stdout: "null",
  }).output();
  return success;
}
