import { deepStrictEqual, equal, match, ok, rejects } from "node:assert/strict";
import { type Clock, NetError } from "../../src/base/mod.ts";
import * as v from "valibot";
import { connectControl, defineMethod } from "../../src/control/mod.ts";
import { type Harness, RawClient, startHarness } from "./harness.ts";

const liveness = (id: number | string) =>
  `{"jsonrpc":"2.0","method":"health.liveness","id":${JSON.stringify(id)}}\n`;

/** A clock whose timers fire only when told to. */
function fakeClock(): Clock & { advance(durationMs: number): void } {
  let nowMs = 0;
  const timers = new Set<{ readonly atMs: number; readonly action: () => void }>();
  return {
    now: () => nowMs,
    wallMs: () => nowMs,
    after: (delayMs, action) => {
      const timer = { atMs: nowMs + delayMs, action };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    soon: (action) => queueMicrotask(action),
    advance: (durationMs) => {
      nowMs += durationMs;
      for (const timer of [...timers]) {
        if (timer.atMs > nowMs) continue;
        timers.delete(timer);
        timer.action();
      }
    },
  };
}

/** Waits for something another task does, without a fixed pause. */
async function until(isTrue: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !isTrue(); turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  ok(isTrue(), "condition was not reached");
}

/** The identity that `ControlCounters` states. */
function checkSums(harness: Harness): void {
  const { counters } = harness.server;
  let errors = 0;
  for (const [name, value] of Object.entries(counters)) {
    if (/^errors_\w+_total$/.test(name)) errors += value;
  }
  equal(counters.errors_total, errors);
  equal(
    counters.requests_total,
    counters.notifications_total + counters.results_total + counters.errors_total +
      counters.requests_in_flight,
  );
}

Deno.test("V05: createControlServer() makes socket and pid file private and removes them", async () => {
  const harness = await startHarness();
  const info = await Deno.lstat(harness.path);
  equal(harness.path, `${harness.folder}/net.sock`);
  ok(info.isSocket);
  equal((info.mode ?? 0) & 0o777, 0o600);
  equal(await Deno.readTextFile(`${harness.folder}/net.pid`), `${Deno.pid}\n`);
  equal(await Deno.readLink(`${harness.folder}/storage.sock`), "net.sock");
  await harness.server.stop();
  await harness.server.stop();
  deepStrictEqual([...Deno.readDirSync(harness.folder)].map(({ name }) => name), []);
  await harness[Symbol.asyncDispose]();
});

Deno.test("V17: control server reads requests split into bytes and two in one write", async () => {
  await using harness = await startHarness();
  using client = await harness.connect();
  for (const byte of new TextEncoder().encode(liveness(1))) {
    await client.send(new Uint8Array([byte]));
  }
  equal((await client.json()).id, 1);
  await client.send(liveness(2) + liveness(3));
  deepStrictEqual([(await client.json()).id, (await client.json()).id], [2, 3]);
});

Deno.test("V19: control server answers 1,000 pipelined requests once each", async () => {
  await using harness = await startHarness();
  using client = await harness.connect();
  let text = "";
  for (let id = 0; id < 1000; id++) {
    text += id % 2 === 0 ? liveness(id) : `{"jsonrpc":"2.0","method":"test.missing","id":${id}}\n`;
  }
  const sent = client.send(text);
  const ids = new Set<number>();
  for (let i = 0; i < 1000; i++) ids.add((await client.json()).id);
  await sent;
  equal(ids.size, 1000);
  checkSums(harness);
});

Deno.test("V20: control server serves 200 connections at once", async () => {
  await using harness = await startHarness();
  const clients = await Promise.all(Array.from({ length: 200 }, () => harness.connect()));
  const replies = await Promise.all(clients.map(async (client, id) => {
    await client.send(liveness(id));
    return (await client.json()).id;
  }));
  deepStrictEqual(replies, clients.map((_, id) => id));
  equal(harness.server.activeConnections, 200);
  equal(harness.server.counters.connections_unidentified_total, 0);
  for (const client of clients) client[Symbol.dispose]();
  await until(() => harness.server.activeConnections === 0);
});

Deno.test("V16: control server stops reading at 256 queued requests and drops none", async () => {
  await using harness = await startHarness();
  using client = await harness.connect();
  const count = 400;
  let text = "";
  for (let id = 0; id < count; id++) text += `{"jsonrpc":"2.0","method":"test.wait","id":${id}}\n`;
  await client.send(text);
  await until(() => harness.gate.count >= 256);
  using other = await harness.connect();
  await other.ask(liveness(1).trim());
  equal(harness.gate.count, 256);
  harness.gate.open();
  const ids = new Set<number>();
  for (let i = 0; i < 256; i++) ids.add((await client.json()).id);
  await until(() => harness.gate.count === count - 256);
  harness.gate.open();
  for (let i = 256; i < count; i++) ids.add((await client.json()).id);
  equal(ids.size, count);
});

Deno.test("V16: control server stops reading while the calls of a batch run", async () => {
  await using harness = await startHarness();
  using client = await harness.connect();
  const wait = (id: number) => `{"jsonrpc":"2.0","method":"test.wait","id":${id}}`;
  const ids = Array.from({ length: 256 }, (_, id) => id);
  await client.send(`[${ids.map(wait).join(",")}]\n${wait(256)}\n`);
  await until(() => harness.gate.count >= 256);
  using other = await harness.connect();
  await other.ask(liveness(1).trim());
  equal(harness.gate.count, 256);
  harness.gate.open();
  equal((await client.json()).length, 256);
  await until(() => harness.gate.count === 1);
});

Deno.test("V16: control server bounds the replies of one batch", async () => {
  await using harness = await startHarness();
  using client = await harness.connect();
  const text = "x".repeat(30_000);
  const echo = (id: number) =>
    `{"jsonrpc":"2.0","method":"test.echo","params":{"text":"${text}"},"id":${id}}`;
  // Small requests whose replies are large: the list of all methods, again and again.
  for (let i = 0; i < 60; i++) {
    harness.table.register(defineMethod({
      name: `test.large${i}`,
      access: "public",
      summary: text.slice(0, 1000),
      isReadOnly: true,
      params: v.object({}),
      handle: () => ({}),
    }));
  }
  const list = '{"jsonrpc":"2.0","method":"capabilities.list","id":1}';
  await client.send(`[${Array(256).fill(list).join(",")}]\n`);
  const line = await client.line() ?? "";
  ok(line.length > 1024 * 1024 && line.length < 2 * 1024 * 1024, `${line.length} bytes`);
  const replies = JSON.parse(line);
  equal(replies.length, 256);
  const { error } = replies.at(-1);
  equal(error.code, -32001);
  ok(error.data.retry_after_ms > 0 && error.data.next.includes("another batch"));
  equal(JSON.parse(await client.ask(echo(2)) ?? "").result.text, text);
  checkSums(harness);
});

Deno.test("V16: control server closes who takes no replies while too many wait, and serves the rest", async () => {
  const clock = fakeClock();
  await using harness = await startHarness({
    clock,
    tcp: { host: "127.0.0.1", port: 0 },
    limits: { strangersOutputBytesMax: 100_000 },
  });
  const { host: hostname, port } = harness.server.tcpAddress ?? { host: "", port: 0 };
  using deaf = await RawClient.connect({ hostname, port });
  const list = '{"jsonrpc":"2.0","method":"capabilities.list","id":1}\n';
  const flood = deaf.send(list.repeat(20_000)).catch(() => {});
  using polite = await RawClient.connect({ hostname, port });
  let reply = { error: { code: 0 } };
  while (reply.error?.code !== -32001) {
    reply = JSON.parse(await polite.ask(list.trim()) ?? "");
  }
  ok((await polite.ask(liveness(1).trim()))?.includes("healthy"), "health under overload");
  using own = await harness.connect();
  ok((await own.ask(list.trim()))?.includes("methods"), "the node's own user is not affected");
  for (let i = 0; i < 7; i++) clock.advance(1000);
  await until(() => harness.server.counters.connections_stalled_total === 1);
  await flood;
  ok((await polite.ask(list.trim()))?.includes("methods"));
  await until(() => harness.server.activeConnections === 2);
  checkSums(harness);
});

Deno.test("V18: control server bounds the unread input of all strangers together", async () => {
  await using harness = await startHarness({
    tcp: { host: "127.0.0.1", port: 0 },
    limits: { strangersInputBytesMax: 300_000 },
  });
  const { host: hostname, port } = harness.server.tcpAddress ?? { host: "", port: 0 };
  using first = await RawClient.connect({ hostname, port });
  using second = await RawClient.connect({ hostname, port });
  await first.send("x".repeat(200_000));
  await until(() => harness.server.counters.received_bytes_total === 200_000);
  const sent = second.send("x".repeat(200_000)).catch(() => {});
  const { error } = await second.json();
  equal(error.code, -32001);
  ok(error.data.retry_after_ms > 0);
  equal(await second.line(), undefined);
  await sent;
  using own = await harness.connect();
  const text = "x".repeat(400_000);
  await own.send(`{"jsonrpc":"2.0","method":"test.echo","params":{"text":"${text}"},"id":1}\n`);
  equal((await own.json()).result.text, text);
  await first.send("\n");
  equal((await first.json()).error.code, -32700);
  equal(harness.server.counters.connections_starved_total, 1);
});

Deno.test("control server keeps room for its own user where strangers take what they may", async () => {
  await using harness = await startHarness({
    tcp: { host: "127.0.0.1", port: 0 },
    limits: { connectionsMax: 4 },
  });
  const { host: hostname, port } = harness.server.tcpAddress ?? { host: "", port: 0 };
  const strangers: RawClient[] = [];
  for (let i = 0; i < 3; i++) {
    const stranger = await RawClient.connect({ hostname, port });
    ok((await stranger.ask(liveness(1).trim()))?.includes("healthy"));
    strangers.push(stranger);
  }
  using turnedAway = await RawClient.connect({ hostname, port });
  equal((await turnedAway.json()).error.code, -32001);
  using own = await harness.connect();
  ok((await own.ask(liveness(1).trim()))?.includes("healthy"));
  for (const stranger of strangers) stranger[Symbol.dispose]();
});

Deno.test("control server turns connections over the limit away with -32001", async () => {
  await using harness = await startHarness({ limits: { connectionsMax: 2 } });
  using first = await harness.connect();
  using second = await harness.connect();
  await first.ask(liveness(1).trim());
  await second.ask(liveness(1).trim());
  using third = await harness.connect();
  const { error } = await third.json();
  equal(error.code, -32001);
  ok(error.data.retry_after_ms > 0);
  equal(await third.line(), undefined);
  equal((await first.ask(liveness(2).trim()))?.includes('"id":2'), true);
  checkSums(harness);
});

Deno.test("V16: control server closes silent connections, but not one whose call runs", async () => {
  const clock = fakeClock();
  await using harness = await startHarness({ clock });
  using silent = await harness.connect();
  using busy = await harness.connect();
  await silent.ask(liveness(1).trim());
  await busy.send('{"jsonrpc":"2.0","method":"test.wait","id":1}\n');
  await until(() => harness.gate.count === 1);
  for (let i = 0; i < 9; i++) clock.advance(30_000);
  equal(harness.server.activeConnections, 2);
  clock.advance(30_000);
  equal(await silent.line(), undefined);
  equal(harness.server.counters.connections_idle_total, 1);
  harness.gate.open();
  equal((await busy.json()).result.ended, "opened");
});

Deno.test("control server serves only public methods over TCP", async () => {
  await using harness = await startHarness({ tcp: { host: "127.0.0.1", port: 0 } });
  const { host, port } = harness.server.tcpAddress ?? { host: "", port: 0 };
  using client = await RawClient.connect({ hostname: host, port });
  for (const method of [...harness.table.list()]) {
    for (const params of ["{}", '"probe"']) {
      await client.send(
        `{"jsonrpc":"2.0","method":"${method.name}","params":${params},"id":1}\n`,
      );
      const { error } = await client.json();
      if (method.access === "privileged") {
        equal(error.code, -32003, method.name);
        equal(error.data.code, "not_allowed");
        ok(error.data.next.includes("unix socket"));
      } else equal(error?.code, params === "{}" ? undefined : -32602, method.name);
    }
  }
  equal(
    JSON.parse(await client.ask('{"jsonrpc":"2.0","method":"no.such","id":1}') ?? "").error.code,
    -32601,
  );
});

Deno.test("V29: control server drains: running work ends, new work is refused, health answers", async () => {
  await using harness = await startHarness();
  using worker = await harness.connect();
  using client = await harness.connect();
  await worker.send('{"jsonrpc":"2.0","method":"test.wait","id":1}\n');
  await until(() => harness.gate.count === 1);
  await client.send('{"jsonrpc":"2.0","method":"health.drain","params":{"timeout_ms":1},"id":1}\n');
  deepStrictEqual((await client.json()).result, {
    status: "draining",
    in_flight: 1,
    in_flight_by: { calls: 1 },
    timeout_ms: 1,
  });
  await client.send('{"jsonrpc":"2.0","method":"test.echo","params":{"text":"x"},"id":2}\n');
  const { error } = await client.json();
  deepStrictEqual([error.code, error.message], [-32000, "Service draining"]);
  match(error.data.next, /net node drain --cancel/);
  for (
    const method of ["health.liveness", "health.readiness", "health.check", "capabilities.list"]
  ) {
    await client.send(`{"jsonrpc":"2.0","method":"${method}","id":3}\n`);
    ok((await client.json()).result);
  }
  await client.send('{"jsonrpc":"2.0","method":"health.drain","id":4}\n');
  harness.gate.open();
  equal((await worker.json()).result.ended, "opened");
  deepStrictEqual((await client.json()).result, {
    status: "drained",
    in_flight: 0,
    drained_at: "1970-01-01T00:00:00.000Z",
  });
  await client.send('{"jsonrpc":"2.0","method":"health.resume","id":5}\n');
  deepStrictEqual((await client.json()).result, { status: "serving" });
  await client.send('{"jsonrpc":"2.0","method":"test.echo","params":{"text":"x"},"id":6}\n');
  deepStrictEqual((await client.json()).result, { text: "x" });
});

Deno.test("stop() waits for running calls, then aborts them", async () => {
  const clock = fakeClock();
  const harness = await startHarness({ clock });
  using patient = await harness.connect();
  using idle = await harness.connect();
  await idle.ask(liveness(1).trim());
  await patient.send('{"jsonrpc":"2.0","method":"test.wait","id":1}\n');
  await until(() => harness.gate.count === 1);
  const stopping = harness.server.stop();
  equal(await idle.line(), undefined);
  await rejects(harness.connect());
  clock.advance(5000);
  await stopping;
  equal(await patient.line(), undefined);
  await harness[Symbol.asyncDispose]();
});

Deno.test("stop() lets a running call's reply out", async () => {
  const harness = await startHarness();
  using client = await harness.connect();
  await client.send('{"jsonrpc":"2.0","method":"test.wait","id":1}\n');
  await until(() => harness.gate.count === 1);
  const stopping = harness.server.stop();
  harness.gate.open();
  equal((await client.json()).result.ended, "opened");
  await stopping;
  await harness[Symbol.asyncDispose]();
});

Deno.test(
  "V-l: control server answers under its abstract name, privileged methods for its user alone",
  {
    ignore: Deno.build.os !== "linux",
  },
  async () => {
    const folder = await Deno.makeTempDir();
    const family = `t${Deno.pid}`;
    const socket = { env: { BIOMEOS_SOCKET_DIR: folder }, family, isAbstract: true };
    await using harness = await startHarness({ socket });
    equal(harness.server.abstractName, `@net-${family}`);
    using client = await RawClient.connect({ transport: "unix", path: `\0net-${family}` });
    for (const method of ["health.liveness", "health.readiness", "health.check"]) {
      await client.send(`{"jsonrpc":"2.0","method":"${method}","id":1}\n`);
      equal((await client.json()).result.status, "healthy");
    }
    await client.send('{"jsonrpc":"2.0","method":"test.echo","params":{"text":"x"},"id":1}\n');
    equal((await client.json()).result.text, "x");
    equal(harness.server.counters.connections_unidentified_total, 0);
    await rejects(
      startHarness({ socket: { ...socket, env: { BIOMEOS_SOCKET_DIR: `${folder}/other` } } }),
      (error: unknown) => error instanceof NetError && error.exitCode === 3,
    );
    deepStrictEqual([...Deno.readDirSync(`${folder}/other`)], []);
    await harness.server.stop();
    await rejects(Deno.connect({ transport: "unix", path: `\0net-${family}` }));
    deepStrictEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["other"]);
    await Deno.remove(folder, { recursive: true });
  },
);

Deno.test("V10: stop() keeps pid file and links until the last reply is out", async () => {
  const harness = await startHarness();
  using client = await harness.connect();
  await client.send('{"jsonrpc":"2.0","method":"test.wait","id":1}\n');
  await until(() => harness.gate.count === 1);
  const stopping = harness.server.stop();
  const names = () => [...Deno.readDirSync(harness.folder)].map(({ name }) => name);
  await rejects(harness.connect());
  ok(names().includes("net.pid") && !names().includes("net.sock"));
  harness.gate.open();
  await stopping;
  deepStrictEqual(names(), []);
  await harness[Symbol.asyncDispose]();
});

Deno.test("control server refuses clear text when a handshake is required", async () => {
  await using harness = await startHarness({
    btsp: { isRequired: true, readSeed: () => Promise.resolve(new Uint8Array(32)) },
  });
  using client = await harness.connect();
  await client.send(liveness(1));
  const { error } = await client.json();
  deepStrictEqual([error.code, error.message, error.data.btsp_version], [
    -32600,
    "BTSP handshake required",
    1,
  ]);
  equal(await client.line(), undefined);
});

Deno.test("start() reports a port in use and leaves no socket behind", async () => {
  await using harness = await startHarness({ tcp: { host: "127.0.0.1", port: 0 } });
  const port = harness.server.tcpAddress?.port ?? 0;
  const folder = await Deno.makeTempDir();
  await rejects(
    startHarness({
      tcp: { host: "127.0.0.1", port },
      socket: { env: { BIOMEOS_SOCKET_DIR: folder } },
    }),
    (error: unknown) => error instanceof NetError && error.exitCode === 3,
  );
  deepStrictEqual([...Deno.readDirSync(folder)], []);
  await Deno.remove(folder);
});

Deno.test("control server survives random bytes, and its counters add up", async () => {
  await using harness = await startHarness({ limits: { lineBytesMax: 4096 } });
  let seed = 20_260_101;
  const random = () => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32;
  const good = new TextEncoder().encode(liveness(1));
  for (let round = 0; round < 60; round++) {
    using client = await harness.connect();
    try {
      for (let i = 0; i < 20; i++) {
        const bytes = round % 2 === 0
          ? Uint8Array.from(
            { length: Math.floor(random() * 400) },
            () => Math.floor(random() * 256),
          )
          : good.slice(0, 1 + Math.floor(random() * good.length));
        if (round % 3 === 0 && bytes.length > 0) bytes[Math.floor(random() * bytes.length)] = 10;
        await client.send(bytes);
      }
      await client.closeWrite();
      while (await client.line() !== undefined);
    } catch (error) {
      ok(error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset);
    }
  }
  using client = await harness.connect();
  ok((await client.ask(liveness(9).trim()))?.includes('"id":9'));
  await until(() => harness.server.activeConnections === 1);
  checkSums(harness);
  const { counters } = harness.server;
  ok(counters.errors_parse_total > 20);
  equal(counters.connections_total, 61);
  equal(counters.connections_failed_total, 0);
});

Deno.test("control server knows the user behind a connection", {
  ignore: Deno.build.os !== "linux" || Deno.uid() !== 0,
}, async () => {
  const folder = await Deno.makeTempDir();
  await Deno.chmod(folder, 0o755);
  const script = `
    const path = Deno.args[0];
    const text = (method) => JSON.stringify({ jsonrpc: "2.0", method, id: 1 }) + "\\n";
    try {
      const conn = await Deno.connect({ transport: "unix", path });
      const reply = async (method) => {
        await conn.write(new TextEncoder().encode(text(method)));
        const bytes = new Uint8Array(4096);
        return JSON.parse(new TextDecoder().decode(bytes.subarray(0, await conn.read(bytes))));
      };
      const live = await reply("health.liveness");
      const echo = await reply("test.echo");
      console.log(live.result.status, echo.error.code);
    } catch (error) {
      console.log("refused");
    }`;
  const asNobody = async (path: string): Promise<string> => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-config", script, path],
      uid: 65_534,
      gid: 65_534,
      clearEnv: true,
      env: { DENO_DIR: `${folder}/cache`, NO_COLOR: "1" },
      cwd: "/",
    }).output();
    return new TextDecoder().decode(stdout).trim();
  };
  await Deno.mkdir(`${folder}/cache`, { mode: 0o777 });
  await Deno.chmod(`${folder}/cache`, 0o777);
  try {
    for (const [mode, expected] of [["0666", "healthy -32003"], ["0600", "refused"]] as const) {
      const socket = {
        socketPath: `${folder}/${mode}.sock`,
        env: { NET_SOCKET_MODE: mode },
      };
      await using harness = await startHarness({ socket });
      using ours = await harness.connect();
      ok((await ours.ask(liveness(1).trim()))?.includes("healthy"));
      // The file's mode already keeps others out; widened behind the server's back it must not help.
      if (mode === "0600") await Deno.chmod(harness.path, 0o666);
      equal(await asNobody(harness.path), expected);
      equal(harness.server.counters.connections_foreign_total, mode === "0666" ? 1 : 0);
      equal(
        harness.server.counters.connections_refused_credentials_total,
        mode === "0600" ? 1 : 0,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test({
  name: "a shared socket trusts nobody where the system does not say who calls",
  permissions: { ffi: false, read: true, write: true, env: true, sys: true, net: true },
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      for (const mode of ["0600", "0666"]) {
        const socket = { socketPath: `${folder}/net.sock`, env: { NET_SOCKET_MODE: mode } };
        await using harness = await startHarness({ socket });
        using client = await harness.connect();
        const { error } = JSON.parse(
          await client.ask('{"jsonrpc":"2.0","method":"test.echo","params":{"text":"a"},"id":1}') ??
            "",
        );
        equal(error?.code, mode === "0600" ? undefined : -32003);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("connectControl() and server agree on peers of the same user", async () => {
  await using harness = await startHarness();
  await using client = await connectControl({ socketPath: harness.path });
  deepStrictEqual(await client.call("test.echo", { text: "hi" }), { text: "hi" });
  const { counters } = harness.server;
  equal(counters.connections_foreign_total, 0);
  equal(counters.connections_refused_credentials_total, 0);
  if (Deno.build.os === "linux") equal(counters.connections_unidentified_total, 0);
});
