/** `--pcap`: what is recorded opens in tshark, the dissector of the docs names it, no key is in it. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { makeWorkspace, patternBytes, ticketOf, untilConnected } from "./harness.ts";

const DISSECTOR = fileURLToPath(new URL("../../docs/net.lua", import.meta.url));
const UDP = ["--udp", "127.0.0.1:0"];
const SECRETS = ["identity.key", "noise.key", "mesh.psk"];
const FIELDS = [
  "ip.src",
  "udp.length",
  "net.class",
  "net.stream",
  "net.events",
  "net.flags.parity",
];

Deno.test("node start --pcap records what tshark and docs/net.lua name, and no key", async (t) => {
  await using workspace = await makeWorkspace();
  const file = `${workspace.dir}/mesh.pcap`;
  const first = await workspace.startNode({ flags: [...UDP, "--pcap", file] });
  const second = await workspace.startNode({
    flags: [...UDP, "--join", "-"],
    stdin: await ticketOf(first),
  });
  await untilConnected(first, second);
  const source = `${workspace.dir}/source`;
  await Deno.writeFile(source, patternBytes(100_000, 3));
  const { address } = await first.home.json(["blob", "put", source]);
  await second.home.json(["blob", "get", String(address), `${workspace.dir}/copy`]);
  const { udp } = await first.status();
  const port = /:(\d+)$/.exec(String((udp as unknown[])[0]))?.[1];
  await first.kill("SIGTERM");
  const bytes = await Deno.readFile(file);

  await t.step("it is the owner's alone", async () => {
    const { mode } = await Deno.stat(file);
    assert.equal((mode ?? 0) & 0o777, 0o600);
  });
  await t.step("no key of either node is in it, as bytes or as text", async () => {
    const text = bytes.toHex();
    for (const { home } of [first, second]) {
      for (const name of SECRETS) {
        const key = (await Deno.readTextFile(`${home.dataDir}/${name}`)).trim();
        assert.match(key, /^[0-9a-f]{64}$/);
        assert.ok(!text.includes(key), `${name} as bytes`);
        assert.ok(!text.includes(new TextEncoder().encode(key).toHex()), `${name} as text`);
      }
    }
    // The search finds what is there: the recorded datagrams' IP headers.
    assert.ok(text.includes("7f0000017f000001"));
  });
  await t.step("tshark opens it", async () => {
    const args = ["-X", `lua_script:${DISSECTOR}`, "-d", `udp.port==${port},net`, "-r", file];
    const fields = ["-T", "fields", ...FIELDS.flatMap((field) => ["-e", field])];
    const output = await new Deno.Command("tshark", { args: [...args, ...fields] }).output()
      .catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
        console.log("skipped: tshark is not installed");
      });
    if (output === undefined) return;
    const errors = new TextDecoder().decode(output.stderr);
    assert.equal(output.code, 0, errors);
    assert.doesNotMatch(errors, /lua|error/i);
    const rows = new TextDecoder().decode(output.stdout).trim().split("\n")
      .map((line) => line.split("\t"));
    const classes = new Set(rows.map(([, , name]) => name));
    for (const name of ["routed handshake", "proof or path", "announcement", "events", "grant"]) {
      assert.ok(classes.has(name), `${name} among ${[...classes].join(", ")}`);
    }
    assert.ok(!classes.has("unknown") && !classes.has(""));
    const events = rows.filter(([, , name]) => name === "events");
    assert.ok(events.length >= 12, "100,000 bytes in packets of at most 8 KB");
    for (const [from, length, , stream, count, parity] of events) {
      assert.equal(from, "127.0.0.1");
      assert.ok(Number(length) > 8 + 84 && Number(length) <= 8 + 8192);
      assert.match(stream ?? "", /^0x[0-9a-f]{16}$/);
      assert.ok(Number(count) >= 1);
      assert.match(parity ?? "", /^(0|False)$/, "the session is in its first epoch");
    }
  });
});
