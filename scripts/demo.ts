/**
 * `deno task demo [FILE]`: two real nodes on this machine, one blob between them.
 *
 * Puts FILE (or 64 MiB of fresh bytes) on one node, gets it through the other, compares, probes both,
 * says what happened and how fast, and cleans up. Exits 0 only if everything held.
 */

const MIB = 1024 * 1024;
const MADE_BYTES = 64 * MIB;
const START_TIMEOUT_MS = 20_000;

interface DemoNode {
  readonly name: string;
  readonly folder: string;
  readonly process: Deno.ChildProcess;
}

if (import.meta.main) Deno.exit(await main(Deno.args[0]));

async function main(file: string | undefined): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "net-demo-" });
  const nodes: DemoNode[] = [];
  try {
    await demo(folder, nodes, file);
    return 0;
  } catch (error) {
    console.error(`demo: ${error instanceof Error ? error.message : error}`);
    return 1;
  } finally {
    await Promise.all(nodes.map(stopNode));
    await Deno.remove(folder, { recursive: true });
  }
}

async function demo(folder: string, nodes: DemoNode[], file: string | undefined): Promise<void> {
  const source = file ?? await makeFile(`${folder}/made.bin`);
  const { size } = await Deno.stat(source);

  say("two nodes start, each in an empty folder");
  const alice = await startNode(folder, "alice", nodes, []);
  const { ticket } = await netJson(alice, ["node", "ticket"]);
  const bob = await startNode(folder, "bob", nodes, ["--join", "-"], `${ticket}\n`);
  for (const node of [alice, bob]) {
    const status = await netJson(node, ["node", "status"]);
    say(`  ${node.name} is node ${status.node_id}, mesh address ${(status.udp as string[])[0]}`);
  }

  say(`alice puts ${mib(size)}`);
  const putStart = performance.now();
  const put = await netJson(alice, ["blob", "put", source]);
  report("put", size, performance.now() - putStart);
  say(`  ${put.address}`);

  say("bob gets it by its address alone, over the encrypted mesh");
  const target = `${folder}/copy.bin`;
  const getStart = performance.now();
  await netJson(bob, ["blob", "get", String(put.address), target]);
  report("get", size, performance.now() - getStart);

  say("the bytes are compared");
  if (!await sameContent(source, target)) throw new Error("the copy differs from the original");
  say("  identical");

  say("both nodes are probed");
  for (const node of [alice, bob]) {
    const status = await netJson(node, ["node", "status"]);
    const { stdout } = await net(node, ["validate", "ipc", String(status.socket)]);
    const verdict = stdout.trim().split("\n").at(-1);
    say(`  ${node.name}: ${verdict}, peak memory ${await peakMemory(node)}`);
  }
  say("all is well");
}

async function startNode(
  folder: string,
  name: string,
  nodes: DemoNode[],
  flags: readonly string[],
  input = "",
): Promise<DemoNode> {
  const home = `${folder}/${name}`;
  await Deno.mkdir(`${home}/run`, { recursive: true, mode: 0o700 });
  const process = command(home, [
    "node",
    "start",
    "--udp",
    "127.0.0.1:0",
    "--quiet",
    ...flags,
  ], { stdin: "piped", stdout: "null", stderr: "inherit" }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const node: DemoNode = { name, folder: home, process };
  nodes.push(node);
  let exited: Deno.CommandStatus | undefined;
  process.status.then((status) => exited = status);
  const until = performance.now() + START_TIMEOUT_MS;
  while ((await run(node, ["node", "status", "--json"])).code !== 0) {
    if (exited !== undefined) throw new Error(`${name} ended with code ${exited.code}`);
    if (performance.now() > until) throw new Error(`${name} did not start`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return node;
}

async function stopNode({ process }: DemoNode): Promise<void> {
  try {
    process.kill("SIGTERM");
  } catch {
    return; // It has ended already.
  }
  const timer = setTimeout(() => process.kill("SIGKILL"), 8_000);
  await process.status;
  clearTimeout(timer);
}

async function netJson(
  node: DemoNode,
  args: readonly string[],
): Promise<Record<string, unknown>> {
  return JSON.parse((await net(node, [...args, "--json"])).stdout);
}

async function net(node: DemoNode, args: readonly string[]) {
  const result = await run(node, args);
  if (result.code === 0) return result;
  throw new Error(`net ${args.join(" ")} ended with code ${result.code}:\n${result.stderr}`);
}

async function run(node: DemoNode, args: readonly string[]) {
  const output = await command(node.folder, args, {
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  return {
    code: output.code,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
  };
}

/** The program as `NET_BIN` names it, or from source, with an environment of its own. */
function command(home: string, args: readonly string[], options: Deno.CommandOptions) {
  const program = Deno.env.get("NET_BIN")?.split(" ") ??
    [Deno.execPath(), "run", "-A", new URL("../main.ts", import.meta.url).pathname];
  const [file = "", ...first] = program;
  return new Deno.Command(file, {
    ...options,
    args: [...first, ...args],
    env: {
      HOME: home,
      XDG_DATA_HOME: `${home}/data`,
      XDG_RUNTIME_DIR: `${home}/run`,
      DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`,
    },
  });
}

async function makeFile(path: string): Promise<string> {
  using file = await Deno.create(path);
  const block = new Uint8Array(MIB);
  for (let at = 0; at < MADE_BYTES; at += MIB) {
    for (let i = 0; i < MIB; i += 65_536) crypto.getRandomValues(block.subarray(i, i + 65_536));
    await file.write(block);
  }
  return path;
}

async function sameContent(left: string, right: string): Promise<boolean> {
  using a = await Deno.open(left);
  using b = await Deno.open(right);
  const [x, y] = [new Uint8Array(MIB), new Uint8Array(MIB)];
  for (;;) {
    const [m, n] = await Promise.all([fill(a, x), fill(b, y)]);
    if (m !== n) return false;
    if (m === 0) return true;
    for (let i = 0; i < m; i++) if (x[i] !== y[i]) return false;
  }
}

async function fill(file: Deno.FsFile, buffer: Uint8Array): Promise<number> {
  let length = 0;
  while (length < buffer.length) {
    const read = await file.read(buffer.subarray(length));
    if (read === null) break;
    length += read;
  }
  return length;
}

async function peakMemory({ process }: DemoNode): Promise<string> {
  const status = await Deno.readTextFile(`/proc/${process.pid}/status`).catch(() => "");
  const peak = /VmHWM:\s+(\d+) kB/.exec(status)?.[1];
  return peak === undefined ? "unknown" : `${(Number(peak) / 1024).toFixed(0)} MiB`;
}

function report(what: string, bytes: number, ms: number): void {
  say(`  ${what} took ${(ms / 1000).toFixed(2)} s: ${(bytes / 1e6 / (ms / 1000)).toFixed(0)} MB/s`);
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

function say(text: string): void {
  console.log(text);
}
