import assert from "node:assert/strict";
import type { NodeHandle } from "../../cmd/doors.ts";
import { systemIo } from "../../cmd/io.ts";
import type { HangupAction } from "../../cmd/hangup.ts";
import { toStartArguments } from "../../cmd/start_flags.ts";
import { NetError, systemClock } from "../../src/base/mod.ts";
import {
  encodeNotify,
  HealthState,
  openServiceManager,
  type SupervisorState,
} from "../../src/kernel/mod.ts";
import { silentLog } from "../../src/observe/mod.ts";
import { runInMemory } from "./_harness.ts";

const TICKET = `net1${"q".repeat(60)}`;

const STATUS = {
  node_id: "00000000000000ab",
  pid: 42,
  socket: "/run/std/net.sock",
  udp: ["127.0.0.1:7000"],
  tcp: undefined,
};

/** A node that runs until it is stopped; `onStarted` runs once it is announced. */
function pretendedNode(onStarted: (stop: (reason: string) => void) => void = () => {}) {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const reasons: string[] = [];
  const stop = (reason: string) => {
    reasons.push(reason);
    resolve();
    return Promise.resolve();
  };
  let tickets = 0;
  const handle: NodeHandle = {
    start: () => Promise.resolve(),
    stop,
    status: () => {
      // After the current turn, when the announcement is out.
      setTimeout(() => onStarted(stop), 0);
      return STATUS;
    },
    ticket: () => {
      tickets += 1;
      return { ticket: TICKET };
    },
    closed,
    health: healthOf("running"),
  };
  return { handle, reasons, ticketCount: () => tickets };
}

/** Health of a node without parts. */
function healthOf(state: SupervisorState): HealthState {
  return new HealthState({
    clock: systemClock,
    log: silentLog,
    supervisor: { state, health: () => ({}), restarts: () => ({}) },
  });
}

/** A node that ends by itself as soon as it is up. */
function endingNode() {
  return pretendedNode((stop) => stop("asked"));
}

Deno.test("node start announces itself and ends when the node ends", async () => {
  const { handle, ticketCount } = endingNode();
  const { code, stdout, stderr } = await runInMemory(["node", "start", "--amnesia"], { handle });
  assert.equal(code, 0);
  assert.equal(stderr, "");
  assert.match(stdout, /^net \d+\.\d+\.\d+\nmode {4}micro\nnode {4}00000000000000ab\n/);
  assert.match(stdout, /^socket {2}\/run\/std\/net\.sock$/m);
  assert.match(stdout, /^udp {5}127\.0\.0\.1:7000$/m);
  assert.match(stdout, /^ticket {2}run net node ticket/m);
  assert.equal(ticketCount(), 0);
});

Deno.test("node start serves on when nothing can be written to standard output or error", async () => {
  for (
    const outFailure of [new Error("No space left (os error 28)"), new Deno.errors.BrokenPipe()]
  ) {
    const { handle, reasons } = endingNode();
    const run = await runInMemory(["node", "start", "--amnesia"], { handle, outFailure });
    assert.equal(run.code, 0);
    assert.deepEqual(reasons, ["asked"]);
    assert.match(run.stderr, /warn start_not_printed/);
  }
  const io = systemIo();
  const { writeSync } = Deno.stderr;
  Deno.stderr.writeSync = () => {
    throw new Error("No space left on device (os error 28)");
  };
  try {
    io.writeErr("a line of the log\n");
  } finally {
    Deno.stderr.writeSync = writeSync;
  }
});

Deno.test("node start prints the ticket on a terminal or when asked, never otherwise", async () => {
  const args = ["node", "start", "--amnesia"];
  const terminal = await runInMemory(args, { handle: endingNode().handle, isTerminal: true });
  assert.ok(terminal.stdout.includes(`ticket  ${TICKET}\n`));
  const asked = await runInMemory([...args, "--show-ticket"], { handle: endingNode().handle });
  assert.ok(asked.stdout.includes(TICKET));
  const json = await runInMemory([...args, "--json"], {
    handle: endingNode().handle,
    isTerminal: true,
  });
  assert.ok(!json.stdout.includes("net1"));
});

Deno.test("node start prints one status document with --json", async () => {
  const args = ["server", "--amnesia", "--json", "--profile", "macro"];
  const { stdout } = await runInMemory(args, { handle: endingNode().handle });
  assert.equal(stdout.split("\n").length, 2);
  const document = JSON.parse(stdout);
  assert.equal(document.schema, "net.node.start.v1");
  assert.equal(document.socket, STATUS.socket);
  assert.equal(document.mode, "macro");
});

Deno.test("node start ends with 0 on SIGTERM and with 130 on SIGINT", async () => {
  for (const [signal, exit] of [["SIGTERM", 0], ["SIGINT", 130]] as const) {
    let raise = (_: string) => {};
    const { handle, reasons } = pretendedNode(() => raise(signal));
    const { code } = await runInMemory(["daemon", "--amnesia"], {
      handle,
      onListening: (by) => void (raise = by),
    });
    assert.equal(code, exit);
    assert.deepEqual(reasons, [signal]);
  }
});

Deno.test("node start does not wait for anybody at the second signal", async () => {
  let raise = (_: string) => {};
  const node = pretendedNode(() => {
    raise("SIGINT");
    assert.throws(() => raise("SIGINT"), /exit 130/);
    end();
  });
  const { promise, resolve: end } = Promise.withResolvers<void>();
  const handle = { ...node.handle, stop: () => promise, closed: promise };
  const { code } = await runInMemory(["node", "start", "--amnesia"], {
    handle,
    onListening: (by) => void (raise = by),
  });
  assert.equal(code, 130);
});

Deno.test("node start stops a node whose start fails and prints its error", async () => {
  const { handle, reasons } = pretendedNode();
  const failing = {
    ...handle,
    start: () =>
      Promise.reject(
        new NetError("address_in_use", "Cannot listen on 127.0.0.1:80: in use", { next: "wait" }),
      ),
  };
  const { code, stderr, stdout } = await runInMemory(["node", "start", "--amnesia"], {
    handle: failing,
  });
  assert.equal(code, 3);
  assert.equal(stdout, "");
  assert.match(stderr, /^net: Cannot listen/);
  assert.deepEqual(reasons, ["start failed"]);
});

Deno.test("node start gives up after --timeout", async () => {
  const { handle, reasons } = pretendedNode();
  const { promise, resolve } = Promise.withResolvers<void>();
  const { code } = await runInMemory(["node", "start", "--amnesia", "--timeout", "1ms"], {
    handle: { ...handle, start: () => promise },
  });
  resolve();
  assert.equal(code, 7);
  assert.deepEqual(reasons, ["start failed"]);
});

Deno.test("node start turns every flag into configuration", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const key = "ab".repeat(32);
    const peer = `10.0.0.1:7000#00000000000000ff#${key}`;
    const args = [
      ...["node", "start", "--udp", "127.0.0.1:7001", "--tcp-port", "9900", "--bind", "0.0.0.0"],
      ...["--uds-path", "/s.sock", "--family", "fam", "--data-dir", folder, "--join", TICKET],
      ...["--peer", peer, "--peer", peer, "--expect", "00000000000000ff", "--psk-file", "/psk"],
      ...["--profile", "macro", "--label", "kitchen", "--log-level", "debug"],
      ...["--log-format", "json", "--heartbeat", "200ms", "--session-timeout=1s", "--peers", "any"],
    ];
    const { configs, code } = await runInMemory(args, { handle: endingNode().handle });
    assert.equal(code, 0);
    const [config] = configs;
    assert.ok(config);
    assert.deepEqual(config.udp, { host: "127.0.0.1", port: 7001 });
    assert.deepEqual(config.tcp, { host: "0.0.0.0", port: 9900 });
    assert.equal(config.socketPath, "/s.sock");
    assert.equal(config.family, "fam");
    assert.equal(config.dataDir, folder);
    assert.equal(config.join, TICKET);
    assert.equal(config.peers.length, 2);
    assert.deepEqual(config.expect, [255n]);
    assert.equal(config.pskFile, "/psk");
    assert.equal(config.profile, "macro");
    assert.equal(config.label, "kitchen");
    assert.equal(config.logLevel, "debug");
    assert.equal(config.logFormat, "json");
    assert.equal(config.heartbeatMs, 200);
    assert.equal(config.sessionTimeoutMs, 1000);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("node start reads the ticket from standard input and from the environment", async () => {
  const piped = await runInMemory(["node", "start", "--amnesia", "--join", "-"], {
    stdin: `${TICKET}\n`,
    handle: endingNode().handle,
  });
  assert.equal(piped.configs[0]?.join, TICKET);
  const named = await runInMemory(["node", "start", "--amnesia"], {
    env: { NET_TICKET: TICKET },
    handle: endingNode().handle,
  });
  assert.equal(named.configs[0]?.join, TICKET);
  assert.equal(named.configs[0]?.origins.join, "environment");
});

Deno.test("node start takes a ticket out of the argument list", async () => {
  const replaced: unknown[] = [];
  const own = {
    hasMeshSocket: false,
    wasReplaced: false,
    replace: (...call: unknown[]) => void replaced.push(call),
  };
  const args = ["node", "start", "--amnesia", "--port", "0", "--join"];
  const word = await runInMemory([...args, TICKET], { doors: { own } });
  assert.deepEqual(replaced.pop(), [
    ["node", "start", "--port", "0", "--amnesia"],
    { NET_TICKET: TICKET },
  ]);
  assert.equal(word.code, 1);
  assert.match(word.stderr, /--unstable-net/);
  await runInMemory([...args, "-"], { doors: { own }, stdin: TICKET });
  assert.deepEqual(replaced.pop(), [
    ["node", "start", "--port", "0", "--amnesia"],
    { NET_TICKET: TICKET },
  ]);
  await runInMemory([...args, TICKET], {
    doors: { own: { ...own, hasMeshSocket: true } },
    handle: endingNode().handle,
  });
  assert.equal(replaced.length, 1);
});

Deno.test("node start replaces itself at most once", async () => {
  const own = {
    hasMeshSocket: true,
    wasReplaced: true,
    replace: () => assert.fail("must not replace"),
  };
  const { code } = await runInMemory(["node", "start", "--amnesia", "--join", TICKET], {
    doors: { own },
    handle: endingNode().handle,
  });
  assert.equal(code, 0);
});

Deno.test("node start takes anonymous writes over HTTP from this machine alone", async () => {
  const args = ["node", "start", "--http", "0.0.0.0:80", "--http-write", "loopback"];
  const { code, stderr } = await runInMemory(args);
  assert.equal(code, 2);
  assert.match(stderr, /only this machine may write/);
  assert.match(stderr, /^next: /m);
});

Deno.test("node start refuses contradicting spellings of one flag", async () => {
  const args = ["node", "start", "--port", "1", "--tcp-port", "2"];
  const { code, stderr } = await runInMemory(args);
  assert.equal(code, 2);
  assert.match(stderr, /--port and --tcp-port/);
});

Deno.test("node start refuses an unusable data folder and warns about a default one", async () => {
  const named = await runInMemory(["node", "start", "--data-dir", "/proc/x"]);
  assert.equal(named.code, 2);
  assert.match(named.stderr, /^code: data_dir_unusable$/m);
  const defaulted = await runInMemory(["node", "start"], {
    env: { XDG_DATA_HOME: "/proc/x" },
    handle: endingNode().handle,
  });
  assert.equal(defaulted.code, 0);
  assert.equal(defaulted.configs[0]?.dataDir, undefined);
  assert.equal(defaulted.stderr.match(/^net: warning: /gm)?.length, 1);
});

Deno.test("toStartArguments() spells flags as they are typed", () => {
  assert.deepEqual(
    toStartArguments({ pskFile: "/p", amnesia: true, expect: ["1", "2"], detach: undefined }),
    ["node", "start", "--psk-file", "/p", "--amnesia", "--expect", "1", "--expect", "2"],
  );
});

Deno.test("node start refuses --foreground beside --detach", async () => {
  const { code, stderr } = await runInMemory(["node", "start", "--foreground", "--detach"]);
  assert.equal(code, 2);
  assert.match(stderr, /--foreground and --detach exclude each other/);
  const { handle } = endingNode();
  const alone = await runInMemory(["server", "--amnesia", "--foreground"], { handle });
  assert.equal(alone.code, 0);
});

Deno.test("node start ends with its terminal, and goes on where SIGHUP means something else", async () => {
  const start = async (action: HangupAction, reopen: () => readonly string[]) => {
    let raise = (_: string) => {};
    const { handle, reasons } = pretendedNode((stop) => {
      raise("SIGHUP");
      if (action !== "stop") void stop("asked");
    });
    const { code, stderr } = await runInMemory(["daemon", "--amnesia"], {
      handle,
      doors: { hangup: () => ({ action, reopen }) },
      onListening: (by) => void (raise = by),
    });
    return { code, reasons, stderr };
  };
  const stopped = await start("stop", () => []);
  assert.deepEqual([stopped.code, stopped.reasons], [129, ["SIGHUP"]]);
  const ignored = await start("ignore", () => assert.fail("nothing is opened again"));
  assert.deepEqual([ignored.code, ignored.reasons], [0, ["asked"]]);
  const reopened = await start("reopen", () => ["/var/log/net.log"]);
  assert.match(reopened.stderr, /info log_reopened files=\/var\/log\/net.log/);
  const failed = await start("reopen", () => {
    throw new Error("read-only");
  });
  assert.match(failed.stderr, /warn log_not_reopened reason=read-only/);
  assert.equal(failed.code, 0);
});

Deno.test("node start tells a service manager why it failed", async () => {
  const told: string[] = [];
  const { handle } = pretendedNode();
  const { code } = await runInMemory(["node", "start", "--amnesia"], {
    env: { NOTIFY_SOCKET: "@manager" },
    handle: {
      ...handle,
      health: healthOf("starting"),
      start: () => Promise.reject(new NetError("address_in_use", "Cannot listen: in use")),
    },
    doors: {
      openManager: (variables, log) =>
        Promise.resolve(openServiceManager({
          variables,
          pid: 1,
          log,
          open: () => ({
            send: (fields) => Promise.resolve(void told.push(encodeNotify(fields))),
            close: () => {},
          }),
        })),
    },
  });
  assert.equal(code, 3);
  assert.deepEqual(told, [
    "STATUS=not ready: node",
    "STATUS=Cannot listen: in use\nERRNO=98",
  ]);
});
