/** A node's contract with the outside: health, methods, secrets, files, signals. */
import assert from "node:assert/strict";
import { assertFails, makeWorkspace, startPair, type TestNode, ticketOf } from "./harness.ts";
import { type RpcReply, rpcRequest } from "./rpc.ts";

const PUBLIC_METHODS = new Set([
  "health.liveness",
  "health.readiness",
  "health.check",
  "health.version",
  "capabilities.list",
  "capability.list",
  "identity.get",
]);
const NOT_ALLOWED = -32003;

Deno.test("node start keeps privileged methods and secrets off TCP, logs and process lists", async () => {
  await using workspace = await makeWorkspace();
  const { first, second, ticket } = await startPair(workspace, { flags: ["--port", "0"] });
  const secrets = [ticket, ...await secretsOf(first), ...await secretsOf(second)];
  assert.equal(secrets.length, 1 + 2 * 5);
  const answers: RpcReply[] = [];
  for (const node of [first, second]) {
    const tcp = await tcpAddress(node);
    const { methods } = await node.call("capabilities.list") as { methods: readonly string[] };
    assert.ok(methods.length > PUBLIC_METHODS.size - 1);
    for (const required of ["node.status", "node.ticket", "blob.put", "blob.get", "node.stop"]) {
      assert.ok(methods.includes(required), required);
    }
    for (const method of methods) {
      const reply = await rpcRequest(tcp, method);
      answers.push(reply);
      if (PUBLIC_METHODS.has(method)) assert.notEqual(reply.result, undefined, reply.line);
      else assert.equal(reply.error?.code, NOT_ALLOWED, `${method}: ${reply.line}`);
    }
    const unknown = await rpcRequest(tcp, "node.nothing");
    assert.equal(unknown.error?.code, -32601);
  }
  await first.home.net(["blob", "ls"]);
  await first.home.net(["doctor"]);
  const places = {
    "TCP answers": answers.map((reply) => reply.line).join("\n"),
    "process list": [first, second].map((node) => readProcess(node.pid, "cmdline")).join("\n"),
    "log of the first node": first.log(),
    "log of the second node": second.log(),
    "node status": JSON.stringify([await first.status(), await second.status()]),
  };
  for (const [place, text] of Object.entries(places)) {
    for (const secret of secrets) {
      assert.ok(!text.toLowerCase().includes(secret.toLowerCase()), `a secret is in ${place}`);
    }
  }
});

Deno.test("node start keeps its identity, its keys private and its port", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const flags = ["--udp", "127.0.0.1:0"];
  const before = await workspace.startNode({ home, flags });
  const first = await before.status();
  assert.match(String(first.node_id), /^[0-9a-f]{16}$/);
  assert.match(String(first.entity_id), /^[0-9a-f]{64}$/);
  assert.match(String(first.noise_public_key), /^[0-9a-f]{64}$/);
  assert.equal(first.socket, home.socketPath);
  for (const name of ["identity.key", "noise.key", "mesh.psk"]) {
    assert.equal(modeOf(`${home.dataDir}/${name}`), 0o600, name);
  }
  assert.equal(modeOf(home.socketPath), 0o600);
  assert.equal(modeOf(`${home.dir}/run/biomeos`), 0o700);
  const pid = Deno.readTextFileSync(`${home.dir}/run/biomeos/net.pid`);
  assert.equal(pid, `${before.pid}\n`);
  const shown = await home.json(["identity", "show"]);
  assert.equal(shown.node_id, first.node_id);
  await before.kill("SIGTERM");

  const offline = await home.json(["identity", "show"]);
  assert.equal(offline.entity_id, first.entity_id);
  const after = await workspace.startNode({ home, flags });
  const second = await after.status();
  for (const key of ["node_id", "entity_id", "noise_public_key", "udp"]) {
    assert.deepEqual(second[key], first[key], key);
  }
});

Deno.test("node start refuses the data folder of a live node, and node stop ends it", async () => {
  await using workspace = await makeWorkspace();
  const node = await workspace.startNode({ flags: ["--udp", "127.0.0.1:0"] });
  const sameFolder = ["node", "start", "--udp", "127.0.0.1:0", "--socket"];
  const locked = await node.home.net([...sameFolder, `${node.home.dir}/other.sock`]);
  const text = assertFails(locked, 3, "data_dir_locked");
  assert.match(text, new RegExp(`\\b${node.pid}\\b`), "the error names the pid");
  assert.ok(text.includes(node.home.dataDir), "the error names the folder");
  assert.equal((await node.status()).pid, node.pid);
  const stop = await node.home.net(["node", "stop"]);
  assert.equal(stop.code, 0, stop.stderr);
  assert.equal((await node.program.finished()).code, 0);
  assert.deepEqual([...Deno.readDirSync(`${node.home.dir}/run/biomeos`)], []);
});

/** Everything that must not leave: ticket, mesh secret, and the three key files. */
async function secretsOf(node: TestNode): Promise<string[]> {
  const { psk } = await node.home.json(["node", "ticket"]);
  const files = ["identity.key", "noise.key", "mesh.psk"].map((name) =>
    Deno.readTextFileSync(`${node.home.dataDir}/${name}`).trim()
  );
  for (const file of files) assert.match(file, /^[0-9a-f]{64}$/);
  assert.equal(psk, files[2]);
  return [await ticketOf(node), String(psk), ...files];
}

/** The JSON-RPC address over TCP as the status tells it. */
async function tcpAddress(node: TestNode): Promise<{ host: string; port: number }> {
  const { tcp } = await node.status();
  const [, host, port] = /^([0-9.]+):(\d+)$/.exec(String(tcp)) ?? [];
  assert.ok(host !== undefined && port !== undefined, `tcp is ${tcp}`);
  return { host, port: Number(port) };
}

function modeOf(path: string): number {
  return (Deno.lstatSync(path).mode ?? 0) & 0o777;
}

function readProcess(pid: number, name: string): string {
  return Deno.readTextFileSync(`/proc/${pid}/${name}`).replaceAll("\0", " ");
}
