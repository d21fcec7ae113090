/** Generic wishes in a member's own words, and the order members start in; no process here. */
import { deepStrictEqual, equal, match, ok, throws } from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import {
  type MetadataServer,
  parseMetadata,
  planStart,
  planText,
  startOrder,
  type StartWishes,
} from "../../src/deploy/mod.ts";

const HEAD = '[primal]\nname = "m"\nversion = "1.0.0"\n';

function plan(server: MetadataServer | undefined, wishes: StartWishes, isOwn = false) {
  const base = parseMetadata(HEAD, "metadata.toml");
  const metadata = server === undefined ? undefined : { ...base, genomeBin: { server } };
  const { command, env, tcp } = planStart(
    { member: isOwn ? "net" : "m", program: ["/bin/m"], metadata, isOwn },
    wishes,
  );
  return { args: command.slice(1).join(" "), env, tcp: tcp && `${tcp.host}:${tcp.port}` };
}

Deno.test("V-e: planStart() has no TCP flag and no TCP variable unless a port is wanted", () => {
  const servers: readonly (MetadataServer | undefined)[] = [
    undefined,
    {},
    { portFlag: "--port", tcpPortEnv: "M_PORT", tcpPortDefault: 9000 },
    { listenFlag: "--listen" },
  ];
  for (const server of servers) {
    deepStrictEqual(plan(server, {}), { args: "server", env: {}, tcp: undefined });
  }
  equal(plan(undefined, {}, true).args, "server");
});

Deno.test("V-f: planStart() translates port, address, socket, family and abstract name", () => {
  const rows: readonly (readonly [MetadataServer | undefined, StartWishes, string])[] = [
    [undefined, { port: 9, socket: "/s" }, "server --socket /s --port 9"],
    [undefined, { port: 9, bind: "0.0.0.0" }, "server --port 9 --bind 0.0.0.0"],
    [{ portFlag: "--jsonrpc-port" }, { port: 9 }, "server --jsonrpc-port 9"],
    [{ listenFlag: "--listen" }, { port: 9 }, "server --listen 127.0.0.1:9"],
    [
      { listenFlag: "-l", listenFormat: "ADDR:PORT" },
      { port: 9, bind: "::1" },
      "server -l [::1]:9",
    ],
    [
      { listenFlag: "-l", listenFormat: "tcp://{addr}:{port}" },
      { port: 9 },
      "server -l tcp://127.0.0.1:9",
    ],
    [{ listenFlag: "-l", listenFormat: "host" }, { port: 9 }, "server -l 127.0.0.1:9"],
    [{ listenFlag: "-l", portFlag: "-p" }, { port: 9 }, "server -p 9"],
    [{ listenFlag: "-l", portFlag: "-p" }, { port: 9, bind: "1.2.3.4" }, "server -l 1.2.3.4:9"],
    [{ portFlag: "-p", bindFlag: "-b" }, { port: 9, bind: "1.2.3.4" }, "server -p 9 -b 1.2.3.4"],
    [{ familyIdFlag: "--fam" }, { family: "f" }, "server --fam f"],
    [{ abstractFlag: "--abstract" }, { isAbstract: true }, "server --abstract"],
    [{}, { extra: ["--own", "word"] }, "server --own word"],
  ];
  for (const [server, wishes, args] of rows) equal(plan(server, wishes).args, args);
  deepStrictEqual(plan({}, { port: 9 }).env, { M_PORT: "9" });
  deepStrictEqual(plan({ tcpPortEnv: "P" }, { port: 9 }).env, { P: "9" });
  deepStrictEqual(plan({}, { family: "f" }).env, { FAMILY_ID: "f" });
  equal(plan(undefined, { port: 9, bind: "0.0.0.0" }).tcp, "127.0.0.1:9");
  equal(plan(undefined, { port: 9, family: "f" }, true).args, "server --family f --port 9");
});

Deno.test("planStart() refuses by name what the member has no word for", () => {
  const rows: readonly (readonly [MetadataServer, StartWishes, RegExp])[] = [
    [{}, { socket: "/s" }, /--socket with "m"/],
    [{}, { isAbstract: true }, /--abstract with "m"/],
    [{ portFlag: "-p" }, { port: 9, bind: "1.2.3.4" }, /--bind with "m"/],
    [{}, { bind: "1.2.3.4" }, /--bind with "m"/],
    [{}, { isDarkForest: true }, /--dark-forest with "m"/],
    [{}, { dataDir: "/d" }, /--data-dir with "m"/],
  ];
  for (const [server, wishes, pattern] of rows) {
    throws(() => plan(server, wishes), (error: unknown) => {
      ok(error instanceof NetError && error.exitCode === 2 && error.next !== undefined);
      match(error.message, pattern);
      return true;
    });
  }
  throws(() => plan(undefined, { securitySocket: "/s" }, true), /--beardog-socket/);
  deepStrictEqual(plan({}, { securitySocket: "/s" }).env, { BEARDOG_SOCKET: "/s" });
});

Deno.test("planText() is what a shell takes", () => {
  equal(planText({ command: ["/b", "a b", "it's"], env: { A: "" } }), "A='' /b 'a b' 'it'\\''s'");
});

Deno.test("V-a: startOrder() puts what is needed first and names the members of a ring", () => {
  const order = (members: Readonly<Record<string, readonly string[]>>) =>
    startOrder(Object.entries(members).map(([name, after]) => ({ name, after })))
      .map(({ name }) => name).join(" ");
  equal(order({ a: [], b: [], c: [] }), "a b c");
  equal(order({ a: ["b", "elsewhere"], b: ["c"], c: [] }), "c b a");
  equal(order({ a: ["a"] }), "a");
  throws(() => order({ x: ["a"], a: ["b"], b: ["c"], c: ["a"] }), /a → b → c → a/);
});
