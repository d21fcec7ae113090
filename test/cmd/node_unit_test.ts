import assert from "node:assert/strict";
import { runInMemory } from "./_harness.ts";

const ENV = { HOME: "/home/ada", NET_PORT: "1", NET_DATA_DIR: "/not/this" };

/** What `net node unit ARGS` prints. */
async function unit(args: string) {
  const words = args === "" ? [] : args.split(" ");
  return await runInMemory(["node", "unit", ...words], { env: ENV, cwd: "/srv" });
}

Deno.test("node unit prints the unit alone, and how to install it beside it", async () => {
  const { code, stdout, stderr } = await unit("--user");
  assert.equal(code, 0);
  assert.match(stdout, /^\[Unit\]\n/);
  assert.match(stdout, /\n\[Install\]\nWantedBy=default\.target\n$/);
  assert.match(stdout, /^ExecStart=\S.* node start --foreground$/m);
  assert.match(
    stderr,
    /^save it as \/home\/ada\/\.config\/systemd\/user\/net\.service, then run: /,
  );
  // The shell's settings are not the service's.
  assert.doesNotMatch(stdout, /not\/this|NET_PORT/);
});

Deno.test("node unit puts flags of node start into the unit, with whole paths", async () => {
  const flags =
    "--family lab --http 8090 --data-dir data --psk-file ../psk --join @t --identity ./i " +
    "--audit-dir audit --family-seed-file seed --bus redis --bus-url @url";
  const { stdout } = await unit(flags);
  const [, line = ""] = /^ExecStart=(.*)$/m.exec(stdout) ?? [];
  for (
    const words of [
      "--family lab",
      "--http 8090",
      "--data-dir /srv/data",
      "--psk-file /psk",
      "--join @/srv/t",
      "--identity /srv/i",
      "--audit-dir /srv/audit",
      "--family-seed-file /srv/seed",
      "--bus-url @/srv/url",
    ]
  ) assert.ok(line.includes(words), `${words} in ${line}`);
  assert.match(stdout, /^ReadWritePaths=\/srv\/data$/m);
  assert.match(stdout, /^TimeoutStopSec=20$/m);
  // Who may take long to stop is given the time.
  const patient = await unit("--drain-timeout 90s");
  assert.match(patient.stdout, /^TimeoutStopSec=105$/m);
});

Deno.test("node unit makes a document, templates and sockets", async () => {
  const { stdout } = await unit("--template --json");
  const document = JSON.parse(stdout);
  assert.equal(document.schema, "net.node.unit.v1");
  assert.equal(document.path, "/etc/systemd/system/net@.service");
  assert.match(document.unit, /NET_FAMILY_ID=%i/);
  const socket = await unit("--user --type socket --port 9900");
  assert.match(
    socket.stdout,
    /^ListenStream=%t\/biomeos\/net\.sock\nListenStream=127\.0\.0\.1:9900$/m,
  );
  assert.match(socket.stderr, /enable --now net\.socket/);
  assert.doesNotMatch(socket.stderr, /warning/);
  const web = await unit("--user --type socket --http 8090");
  assert.match(web.stderr, /warning: the HTTP socket is not in it\n {2}next: /);
});

Deno.test("node unit refuses what cannot stand in a unit", async () => {
  const ticket = `net1${"q".repeat(60)}`;
  const cases = {
    "--detach": /runs in the foreground/,
    "--template --family lab": /is its instance/,
    "--join -": /no ticket from standard input/,
    [`--join ${ticket}`]: /can read the ticket/,
    "--bus redis --bus-url redis://u:secret@h": /can read the password/,
    "--port x": /must be 0\.\.65535/,
  };
  for (const [args, message] of Object.entries(cases)) {
    const { code, stdout, stderr } = await unit(args);
    assert.deepEqual([code, stdout], [2, ""], args);
    assert.match(stderr, message);
    assert.ok(!stderr.includes(ticket) && !stderr.includes("secret@"));
  }
});
