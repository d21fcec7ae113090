/**
 * Calls through relays (`sealed.md` 6): each end and each relay is a process with a home of its own. A relay has the
 * mesh secret and its own capture, and still can't read a call between sealed ends; of a compat session it can.
 */
import assert from "node:assert/strict";
import { idToHex, parseId } from "../../src/base/mod.ts";
import { openCapture } from "../core/transport/observer.ts";
import { rustPeerTest, startRustPeer } from "../interop/rust_peer.ts";
import {
  makeWorkspace,
  patternBytes,
  type TestNode,
  ticketOf,
  untilConnected,
  waitFor,
  type Workspace,
} from "./harness.ts";
import { readPcap } from "./pcap.ts";
import { describe, spawnProgram } from "./program.ts";

const UDP = ["--udp", "127.0.0.1:0"];
const QUESTION = "the combination of the safe, please";
const ANSWER = "THE COMBINATION OF THE SAFE, PLEASE";

Deno.test("net rpc call through two relays, three hops: neither of them can read it", async (t) => {
  await using workspace = await makeWorkspace();
  const capture = (name: string) => ["--pcap", `${workspace.dir}/${name}.pcap`];
  const first = await workspace.startNode({ flags: [...UDP, ...capture("first")] });
  const join = (flags: readonly string[], stdin: string) =>
    workspace.startNode({ flags: [...UDP, ...flags, "--join", "-"], stdin });
  const second = await join(capture("second"), await ticketOf(first));
  const server = await join([], await ticketOf(second));
  await untilConnected(second, first);
  await untilConnected(server, second);
  const serverId = String((await server.status()).node_id);
  // The server's keys with the address of the first relay: the way leads through both.
  const caller = await join(["--peer", await specVia(first, server)], await ticketOf(first));
  const peer = await untilPeer(caller, serverId);
  await serveUpper(workspace, server);

  await t.step("the session is sealed, and the peers say so", async () => {
    assert.deepEqual([peer.relayed, peer.trust, peer.form], [true, "proven", "routed"]);
    const { stdout } = await caller.home.net(["node", "peers"]);
    assert.match(stdout, new RegExp(`^${serverId} .* relayed +proven `, "m"), stdout);
  });
  await t.step("the call is answered", async () => {
    const call = ["rpc", "call", "upper", QUESTION, "--node", serverId, "--timeout", "20s"];
    const result = await caller.home.net(call);
    assert.deepEqual([result.code, result.stdout], [0, ANSWER], describe(result));
    assert.equal((await untilPeer(caller, serverId)).relayed, true, "it went through the relays");
  });
  await t.step("with the mesh secret and what it relayed, neither relay opens it", async () => {
    const secret = await meshSecret(first);
    const keys = await Promise.all([server, caller].map(noiseKey));
    for (const [relay, name] of [[first, "first"], [second, "second"]] as const) {
      await relay.kill("SIGTERM");
      const bytes = await Deno.readFile(`${workspace.dir}/${name}.pcap`);
      const datagrams = readPcap(bytes);
      const relayed = datagrams.filter((datagram) => datagram[0] === 0x52);
      assert.ok(relayed.length >= 10, `${relayed.length} relayed datagrams at the ${name} relay`);
      assert.equal(openCapture(datagrams, secret, keys).length, 0);
      for (const text of [QUESTION, ANSWER]) {
        assert.ok(!contains(bytes, new TextEncoder().encode(text)), `${text} in the clear`);
      }
    }
  });
});

rustPeerTest(
  "a relay reads a call of a compat session, and the peers are called unproven",
  async () => {
    await using workspace = await makeWorkspace();
    const pcap = `${workspace.dir}/relay.pcap`;
    const psk = patternBytes(32, 5);
    const pskFile = `${workspace.dir}/psk`;
    await Deno.writeTextFile(pskFile, `${psk.toHex()}\n`, { mode: 0o600 });
    await using rustProcess = await startRustPeer();
    const rust = await rustProcess.createNode({ psk });
    const relay = await workspace.startNode({
      flags: [...UDP, "--pcap", pcap, "--psk-file", pskFile, "--expect", idToHex(rust.nodeId)],
    });
    const { udp, node_id, noise_public_key } = await relay.status();
    const [address] = udp as readonly string[];
    await rust.call("connect", {
      address: String(address),
      publicKey: Uint8Array.fromHex(String(noise_public_key)),
      peer: parseId(String(node_id)) ?? 0n,
    });
    await rust.call("start", {});
    await rust.call("serveEcho", { service: "echo" });
    await untilPeer(relay, idToHex(rust.nodeId));
    const spec = `${address}#${idToHex(rust.nodeId)}#${rust.publicKey.toHex()}`;
    const caller = await workspace.startNode({
      flags: [...UDP, "--join", "-", "--peer", spec],
      stdin: await ticketOf(relay),
    });
    const peer = await untilPeer(caller, idToHex(rust.nodeId));
    assert.deepEqual([peer.relayed, peer.trust], [true, "unproven"]);
    const shown = await caller.home.net(["node", "peers"]);
    assert.match(shown.stdout, new RegExp(`^${idToHex(rust.nodeId)} .*unproven`, "m"));
    const call = [
      "rpc",
      "call",
      "echo",
      QUESTION,
      "--node",
      idToHex(rust.nodeId),
      "--timeout",
      "20s",
    ];
    const result = await caller.home.net(call);
    assert.deepEqual([result.code, result.stdout], [0, QUESTION], describe(result));
    await relay.kill("SIGTERM");
    const bytes = await Deno.readFile(pcap);
    const question = new TextEncoder().encode(QUESTION);
    assert.ok(!contains(bytes, question), "it is encrypted");
    const opened = openCapture(readPcap(bytes), psk, [rust.publicKey, await noiseKey(caller)]);
    const times = opened.filter((payload) => contains(payload, question)).length;
    assert.ok(times >= 2, `the relay reads question and answer, found ${times} times`);
  },
);

/** A node to dial at the address of another, which relays. */
async function specVia(relay: TestNode, node: TestNode): Promise<string> {
  const { node_id, noise_public_key } = await node.status();
  const [address] = (await relay.status()).udp as readonly string[];
  return `${address}#${node_id}#${noise_public_key}`;
}

async function untilPeer(node: TestNode, id: string): Promise<Record<string, unknown>> {
  return await waitFor(`${id} is a peer`, async () => {
    const { peers } = await node.status();
    return (peers as Record<string, unknown>[]).find((peer) =>
      peer.node_id === id && peer.state === "connected"
    );
  }, 30_000).catch((error) => {
    throw new Error(`${error.message}\n${node.log()}`);
  });
}

async function serveUpper(workspace: Workspace, { home }: TestNode): Promise<void> {
  const program = spawnProgram(["rpc", "serve", "upper", "--", "tr", "a-z", "A-Z"], {
    env: home.env,
    cwd: `${home.dir}/cwd`,
  });
  workspace.defer(async () => {
    program.kill("SIGKILL");
    await program.finished();
  });
  await waitFor("it is served", () => {
    assert.ok(program.isAlive(), program.stderr());
    return program.stderr().includes("serving upper");
  });
}

async function meshSecret({ home }: TestNode): Promise<Uint8Array> {
  return Uint8Array.fromHex((await Deno.readTextFile(`${home.dataDir}/mesh.psk`)).trim());
}

async function noiseKey(node: TestNode): Promise<Uint8Array> {
  return Uint8Array.fromHex(String((await node.status()).noise_public_key));
}

function contains(bytes: Uint8Array, wanted: Uint8Array): boolean {
  const [first = 0] = wanted;
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return true;
  }
  return false;
}
