import assert from "node:assert/strict";
import { type ErrorCode, NetError } from "../../src/base/mod.ts";
import {
  type Environment,
  type Layer,
  loadNodeConfig,
  type NodeConfig,
  withDataDir,
  withOpened,
} from "../../src/config/mod.ts";

const HOME: Environment = { HOME: "/home/ada" };

function load(flags: Layer, env: Environment = HOME, file?: Layer): NodeConfig {
  return loadNodeConfig({ flags, env, file, cwd: "/srv", hostname: "oak" });
}

function fails(code: ErrorCode, text: RegExp, action: () => unknown): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof NetError);
    assert.equal(error.code, code);
    assert.match(error.message, text);
    assert.equal(error.exitCode, 2);
    assert.ok(error.next, "a next line");
    return true;
  });
}

Deno.test("loadNodeConfig() has a default for everything", () => {
  const config = load({});
  assert.deepEqual(config.udp, { host: "0.0.0.0", port: 0 });
  assert.equal(config.tcp, undefined);
  assert.equal(config.socketPath, undefined);
  assert.equal(config.family, undefined);
  assert.equal(config.dataDir, "/home/ada/.local/share/net");
  assert.equal(config.isDataDirExplicit, false);
  assert.equal(config.profile, "micro");
  assert.equal(config.label, "oak");
  assert.equal(config.logLevel, "info");
  assert.ok(Object.values(config.origins).every((origin) => origin === "default"));
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.origins));
});

Deno.test("loadNodeConfig() starts from an empty environment", () => {
  const config = loadNodeConfig({ flags: {}, env: {}, cwd: "/" });
  assert.equal(config.dataDir, undefined);
  assert.equal(config.label, "net");
});

Deno.test("loadNodeConfig() prefers flag over environment over file over default", () => {
  const file: Layer = { port: "1", family: "f", profile: "macro" };
  const env: Environment = { ...HOME, NET_PORT: "2", FAMILY_ID: "e" };
  const config = load({ port: "3" }, env, file);
  assert.deepEqual(config.tcp, { host: "127.0.0.1", port: 3 });
  assert.equal(config.family, "e");
  assert.equal(config.profile, "macro");
  assert.equal(config.origins.tcp, "flag");
  assert.equal(config.origins.family, "environment");
  assert.equal(config.origins.profile, "file");
  assert.equal(config.origins.udp, "default");
  assert.equal(load({}, env, file).tcp?.port, 2);
  assert.equal(load({}, HOME, file).tcp?.port, 1);
});

Deno.test("loadNodeConfig() prefers NET_FAMILY_ID over FAMILY_ID", () => {
  assert.equal(load({}, { ...HOME, NET_FAMILY_ID: "a", FAMILY_ID: "b" }).family, "a");
  assert.equal(load({ family: "c" }, { ...HOME, NET_FAMILY_ID: "a" }).family, "c");
  assert.equal(load({ family: "default" }, { ...HOME, NET_FAMILY_ID: "a" }).family, undefined);
  assert.equal(load({}, { ...HOME, FAMILY_ID: "standalone" }).family, undefined);
  assert.equal(load({}, { ...HOME, FAMILY_ID: "x" }).dataDir, "/home/ada/.local/share/net-x");
});

Deno.test("V-j: loadNodeConfig() takes a node without a socket only where it is reached otherwise", () => {
  const { hasSocket, tcp } = load({ noSocket: true, port: "0" });
  assert.deepEqual([hasSocket, tcp?.host], [false, "127.0.0.1"]);
  assert.equal(load({}, { ...HOME, NET_NO_SOCKET: "1", NET_LISTEN: "0.0.0.0:1" }).hasSocket, false);
  assert.equal(load({}).hasSocket, true);
  fails("usage", /socket/, () => load({ noSocket: true }));
  fails("usage", /--socket/, () => load({ noSocket: true, port: "0", socket: "/a" }));
  fails("usage", /--abstract/, () => load({ noSocket: true, port: "0", abstract: true }));
  fails("config_invalid", /socket/, () => load({}, { ...HOME, NET_NO_SOCKET: "1" }));
});

Deno.test("loadNodeConfig() reads what goes with a socket", () => {
  const config = load({ noPlainLink: true, abstract: true, pidDir: "run", maxLine: "4M" });
  assert.deepEqual(
    [config.linksPlainName, config.isAbstract, config.pidDir, config.lineBytesMax],
    [false, true, "/srv/run", 4 * 1024 * 1024],
  );
  const env = { ...HOME, NET_PID_DIR: "/run/net", NET_ABSTRACT: "yes", NET_MAX_LINE: "2KiB" };
  const other = load({}, env);
  assert.deepEqual([other.pidDir, other.isAbstract, other.lineBytesMax], ["/run/net", true, 2048]);
  fails("usage", /--max-line/, () => load({ maxLine: "1G" }));
  fails("usage", /--max-line/, () => load({ maxLine: "10" }));
});

Deno.test("V15: loadNodeConfig() refuses a family together with BIOMEOS_INSECURE=1", () => {
  for (const value of ["true", "YES"]) {
    const both = { ...HOME, NET_FAMILY_ID: "fam", BIOMEOS_INSECURE: value };
    fails("config_invalid", /fam.*BIOMEOS_INSECURE/, () => load({}, both));
  }
  const env = { ...HOME, FAMILY_ID: "fam", BIOMEOS_INSECURE: "1" };
  fails("config_invalid", /FAMILY_ID.*BIOMEOS_INSECURE/, () => load({}, env));
  assert.equal(load({}, { ...env, FAMILY_ID: "default" }).family, undefined);
});

Deno.test("loadNodeConfig() joins port, bind and listen", () => {
  assert.deepEqual(load({ port: "80", bind: "0.0.0.0" }).tcp, { host: "0.0.0.0", port: 80 });
  assert.deepEqual(load({ listen: "[::1]:0" }).tcp, { host: "::1", port: 0 });
  assert.deepEqual(load({ listen: "127.0.0.1:80", port: "80" }).tcp?.port, 80);
  fails("usage", /--listen.*--port/, () => load({ listen: "127.0.0.1:80", port: "81" }));
  fails("usage", /--listen.*--bind/, () => load({ listen: "127.0.0.1:80", bind: "0.0.0.0" }));
  fails("usage", /--bind/, () => load({ bind: "0.0.0.0" }));
  assert.equal(load({}, { ...HOME, NET_BIND: "0.0.0.0" }).tcp, undefined);
  const env = { ...HOME, NET_PORT: "1" };
  assert.deepEqual(load({ listen: "0.0.0.0:2" }, env).tcp, { host: "0.0.0.0", port: 2 });
  assert.deepEqual(load({ bind: "0.0.0.0" }, env).tcp, { host: "0.0.0.0", port: 1 });
  const listening = { ...HOME, NET_LISTEN: "127.0.0.1:9" };
  assert.deepEqual(load({ bind: "0.0.0.0" }, listening).tcp, { host: "0.0.0.0", port: 9 });
  assert.deepEqual(load({ port: "8" }, listening).tcp, { host: "127.0.0.1", port: 8 });
  for (const port of ["65536", "-1", "1.5", "x", "0x50"]) {
    fails("usage", /--port/, () => load({ port }));
  }
});

Deno.test("loadNodeConfig() names the source of a bad value", () => {
  fails("usage", /--port: value is "99999"/, () => load({ port: "99999" }));
  fails("config_invalid", /NET_PORT: value is "x"/, () => load({}, { ...HOME, NET_PORT: "x" }));
  fails("config_invalid", /profile in the conf/, () => load({}, HOME, { profile: "huge" }));
  fails("usage", /--udp/, () => load({ udp: "example.org:1" }));
  fails("usage", /--family/, () => load({ family: "../x" }));
  fails("usage", /--peer/, () => load({ peer: ["nope"] }));
  fails("usage", /--expect/, () => load({ expect: ["1", "zz"] }));
  fails("usage", /--heartbeat/, () => load({ heartbeat: "0s" }));
  assert.equal(load({}).drainTimeoutMs, 5_000);
  assert.equal(load({ drainTimeout: "0s" }).drainTimeoutMs, 0);
  fails("usage", /--drain-timeout/, () => load({ drainTimeout: "11m" }));
  fails("usage", /--log-level/, () => load({ logLevel: "loud" }));
});

Deno.test("loadNodeConfig() refuses sealed sessions until they exist", () => {
  assert.equal(load({ peersMode: "any" }).join, undefined);
  assert.equal(load({ peersMode: "any" }).isSealedOnly, false);
  assert.equal(load({ peersMode: "sealed" }).isSealedOnly, true);
  fails("usage", /must be sealed or any/, () => load({ peersMode: "odd" }));
});

Deno.test("loadNodeConfig() reads repeated and comma-separated ids", () => {
  assert.deepEqual(load({ expect: ["0000000000000001", "0x0000000000000002"] }).expect, [1n, 2n]);
  assert.deepEqual(load({}, { ...HOME, NET_EXPECT: "1, 2,,3" }).expect, [1n, 2n, 3n]);
});

Deno.test("loadNodeConfig() makes paths absolute and bounds the socket's", () => {
  const config = load({ socket: "run/../net.sock", dataDir: "d", pskFile: "/etc//psk" });
  assert.equal(config.socketPath, "/srv/net.sock");
  assert.equal(config.dataDir, "/srv/d");
  assert.equal(config.isDataDirExplicit, true);
  assert.equal(config.pskFile, "/etc/psk");
  assert.equal(load({ socket: `/${"x".repeat(106)}` }).socketPath?.length, 107);
  fails("usage", /107/, () => load({ socket: `/${"x".repeat(107)}` }));
});

Deno.test("loadNodeConfig() keeps amnesia and a data folder apart", () => {
  assert.equal(load({ amnesia: true }).dataDir, undefined);
  assert.equal(load({ amnesia: true }, { ...HOME, NET_DATA_DIR: "/d" }).dataDir, undefined);
  assert.equal(load({}, { ...HOME, NET_AMNESIA: "1" }).isAmnesia, true);
  fails("usage", /--amnesia/, () => load({ amnesia: true, dataDir: "/d" }));
});

Deno.test("loadNodeConfig() never quotes the ticket", () => {
  const secret = "net1secretsecretsecretsecret";
  try {
    load({ join: secret, port: "x" });
    assert.fail("must throw");
  } catch (error) {
    assert.ok(!String(error).includes(secret));
  }
  assert.equal(load({}, { ...HOME, NET_TICKET: secret }).join, secret);
  fails("usage", /ticket is empty/, () => load({ join: "" }));
});

Deno.test("withDataDir() changes the folder only", () => {
  const config = load({ port: "1" });
  assert.deepEqual(withDataDir(config, undefined), { ...config, dataDir: undefined });
});

Deno.test("loadNodeConfig() reads tags and the time between announcements", () => {
  assert.deepEqual(load({ tag: ["gpu", "a=b,c"] }).tags, ["gpu", "a=b,c"]);
  assert.deepEqual(load({}, { ...HOME, NET_TAGS: "gpu, fast" }).tags, ["gpu", "fast"]);
  assert.equal(load({}).announceEveryMs, undefined);
  assert.equal(load({ announceEvery: "1m" }).announceEveryMs, 60_000);
  assert.equal(load({ announceEvery: "never" }).announceEveryMs, 0);
  fails("usage", /--announce-every/, () => load({ announceEvery: "9s" }));
  assert.equal(load({ snapshotEvery: "1m" }).snapshotEveryMs, 60_000);
  assert.equal(load({}).snapshotEveryMs, undefined);
  assert.equal(load({ tokenSweep: "never" }).tokenSweepMs, 0);
  assert.equal(load({}, { ...HOME, NET_CAPABILITY_SWEEP: "1m" }).capabilitySweepMs, 60_000);
  fails("usage", /--tag/, () => load({ tag: [""] }));
});

Deno.test("loadNodeConfig() reads what becomes of channels that nobody configured", () => {
  assert.equal(load({}).unregisteredChannels, "warn");
  assert.equal(load({ unregisteredChannels: "deny" }).unregisteredChannels, "deny");
  const env = { ...HOME, NET_UNREGISTERED_CHANNELS: "allow" };
  assert.equal(load({}, env).unregisteredChannels, "allow");
  fails("usage", /--unregistered-channels/, () => load({ unregisteredChannels: "maybe" }));
});

Deno.test("loadNodeConfig() reads when the router is asked for a port", () => {
  assert.equal(load({}).portMap, "auto");
  assert.equal(load({ portMap: "off" }, { NET_PORT_MAP: "on" }).portMap, "off");
  assert.equal(load({}, { NET_PORT_MAP: "on" }).portMap, "on");
  fails("usage", /--port-map/, () => load({ portMap: "yes" }));
});

Deno.test("loadNodeConfig() reads subnet, rules and the gateway switch", () => {
  assert.equal(load({}).subnet, undefined);
  assert.deepEqual(load({}).subnetRules, []);
  assert.equal(load({}).isGateway, false);
  assert.equal(load({ subnet: "1.2" }).subnet, 0x01020000);
  assert.equal(load({ subnet: "global" }).subnet, 0);
  const rules = ["region:=0:eu=1,us=2", "site:=1:lab=3"];
  const config = load({ subnetRule: rules, gateway: true });
  assert.deepEqual(config.subnetRules.map(({ tagPrefix, level }) => [tagPrefix, level]), [
    ["region:", 0],
    ["site:", 1],
  ]);
  assert.equal(config.isGateway, true);
  assert.equal(config.origins.subnetRules, "flag");
  const env = { ...HOME, NET_SUBNET_RULES: rules.join("; "), NET_GATEWAY: "1", NET_SUBNET: "7" };
  assert.deepEqual(load({}, env).subnetRules, config.subnetRules);
  assert.equal(load({}, env).isGateway, true);
  assert.deepEqual(load({}, HOME, { subnetRule: rules }).subnetRules, config.subnetRules);
  fails("usage", /--subnet/, () => load({ subnet: "1.0" }));
  fails("usage", /--subnet-rule/, () => load({ subnetRule: ["region:"] }));
  fails("config_invalid", /NET_SUBNET_RULES/, () => load({}, { ...HOME, NET_SUBNET_RULES: "x" }));
});

Deno.test("loadNodeConfig() reads how long chunks stay and how often they are collected", () => {
  assert.equal(load({ blobRetention: "0s" }).blobRetentionMs, 0);
  assert.equal(load({}, { ...HOME, NET_BLOB_RETENTION: "30d" }).blobRetentionMs, 30 * 86_400_000);
  assert.equal(load({ blobGc: "never" }).blobGcMs, 0);
  assert.equal(load({ blobGc: "1m" }).blobGcMs, 60_000);
  assert.deepEqual([load({}).blobRetentionMs, load({}).blobGcMs], [undefined, undefined]);
  for (const blobGc of ["0s", "10ms", "25h", "soon"]) {
    assert.throws(() => load({ blobGc }), /must be a duration from 1s to 24h, or never/);
  }
});

Deno.test("withOpened() takes addresses of open sockets and refuses others", () => {
  const opened = {
    socketPath: "/run/net.sock",
    tcp: { host: "127.0.0.1", port: 9900 },
    http: { host: "::", port: 80 },
  };
  const open = (flags: Layer) => withOpened(load(flags), opened);
  const agreeing: Layer[] = [{}, { port: "9900", socket: "/run/net.sock" }, { http: "[::]:0" }];
  for (const flags of agreeing) {
    const { socketPath, tcp, http } = open(flags);
    assert.deepEqual({ socketPath, tcp, http }, opened);
  }
  const others: Layer[] = [{ port: "1" }, { listen: "[::1]:9900" }, { socket: "/x" }, {
    http: "80",
  }];
  for (const flags of others) {
    fails("usage", /: the service manager opened /, () => open(flags));
  }
  fails("usage", /without the secret only this machine/, () => open({ httpWrite: "loopback" }));
  const { socketPath, tcp } = withOpened(load({ port: "7" }), {});
  assert.deepEqual([socketPath, tcp], [undefined, { host: "127.0.0.1", port: 7 }]);
});
