/** net rpc call, over the node's real methods and calls that stay in this process. */
import assert from "node:assert/strict";
import { concatBytes, utf8 } from "../../src/base/mod.ts";
import { RpcError, RpcStatusError } from "../../src/rpc/mod.ts";
import { makeRpcNode } from "../control/node/_rpc_node.ts";
import { runInMemory, type RunOptions } from "./_harness.ts";

function makeCaller() {
  const node = makeRpcNode();
  const run = (args: readonly string[], options: RunOptions = {}) =>
    runInMemory(["rpc", "call", ...args], {
      ...options,
      doors: { connect: () => Promise.resolve(node.caller()) },
    });
  return { rpc: node.rpc, run };
}

const text = (body: Uint8Array) => new TextDecoder().decode(body);

Deno.test("net rpc call prints the answer's bytes, on a terminal as a line of text", async () => {
  const { rpc, run } = makeCaller();
  rpc.serve("upper", (body) => utf8(text(body).toUpperCase()));
  const plain = await run(["upper", "hello"]);
  assert.deepEqual([plain.code, plain.stdout, plain.stderr], [0, "HELLO", ""]);
  assert.equal((await run(["upper", "hello"], { isTerminal: true })).stdout, "HELLO\n");
  assert.equal((await run(["upper", "a\x1b[2J"], { isTerminal: true })).stdout, "A[2J\n");
  assert.equal((await run(["upper"])).stdout, "");
  assert.equal((await run(["upper", "-"], { stdin: "from stdin" })).stdout, "FROM STDIN");
  const json = JSON.parse((await run(["upper", "x", "--json"])).stdout);
  assert.deepEqual([json.schema, json.service, json.text, json.bytes], [
    "net.rpc.call.v1",
    "upper",
    "X",
    1,
  ]);
  rpc.serve("binary", () => new Uint8Array([0xff, 0x00]));
  assert.equal(JSON.parse((await run(["binary", "--json"])).stdout).base64, "/wA=");
  assert.equal((await run(["binary"], { isTerminal: true })).stdout, "base64:/wA=\n");
});

Deno.test("net rpc call sends a file, and says what is wrong with one", async () => {
  const { rpc, run } = makeCaller();
  let got = new Uint8Array(0);
  rpc.serve("size", (body) => {
    got = Uint8Array.from(body);
    return utf8(String(body.length));
  });
  const folder = await Deno.makeTempDir();
  const big = new Uint8Array(3 * 512 * 1024 + 1).map((_, i) => (i * 7) ^ (i >> 9));
  await Deno.writeFile(`${folder}/big`, big);
  const sent = await run(["size", "@big"], { cwd: folder });
  assert.equal(sent.stdout, String(big.length), sent.stderr);
  assert.deepEqual(got, big);
  assert.equal((await run(["size", "@none"], { cwd: folder })).code, 4);
  const wrong = await run(["size", `@${folder}`]);
  assert.deepEqual([wrong.code, /is a folder/.test(wrong.stderr)], [2, true]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("net rpc call prints a stream item by item: lines, documents, or behind lengths", async () => {
  const { rpc, run } = makeCaller();
  rpc.serveStream("ticks", function* (body) {
    for (let i = 1; i <= Number(text(body)); i++) yield utf8(`tick ${i}`);
  });
  const plain = await run(["ticks", "3", "--stream"]);
  assert.equal(plain.stdout, "tick 1\ntick 2\ntick 3\n");
  assert.match(plain.stderr, /^3 items, 18 B, /);
  const json = await run(["ticks", "2", "--stream", "--json"]);
  assert.deepEqual(json.stdout.trimEnd().split("\n").map((line) => JSON.parse(line)), [
    { schema: "net.rpc.call.v1", service: "ticks", text: "tick 1" },
    { schema: "net.rpc.call.v1", service: "ticks", text: "tick 2" },
  ]);
  assert.equal(json.stderr, "");
  const raw = await run(["ticks", "2", "--stream", "--raw"]);
  assert.equal(raw.stdout, "\0\0\0\x06tick 1\0\0\0\x06tick 2");
});

Deno.test("net rpc call uploads lines, or items behind their lengths", async () => {
  const { rpc, run } = makeCaller();
  const items: string[] = [];
  rpc.serveClientStream("collect", async (uploaded) => {
    for await (const item of uploaded) items.push(text(item));
    return utf8(String(items.length));
  });
  rpc.serveDuplex("echo", async function* (uploaded) {
    for await (const item of uploaded) yield utf8(`<${text(item)}>`);
  });
  const lines = await run(["collect", "--upload"], { stdin: "a\n\nlast" });
  assert.deepEqual([lines.stdout, items.splice(0)], ["3", ["a", "", "last"]]);
  const raw = await run(["collect", "--upload", "--raw"], { stdin: "\0\0\0\x02a\n\0\0\0\0" });
  assert.deepEqual([raw.stdout, items.splice(0)], ["2", ["a\n", ""]]);
  const cut = await run(["collect", "--upload", "--raw"], { stdin: "\0\0\0\x05abc" });
  assert.equal(cut.code, 2);
  assert.match(cut.stderr, /the input ends within it/);
  const both = await run(["echo", "--upload", "--stream"], { stdin: "1\n2\n" });
  assert.equal(both.stdout, "<1>\n<2>\n");
  const long = "x".repeat(700_000);
  const pieces = await run(["echo", "--upload", "--stream"], { stdin: `${long}\nend\n` });
  assert.equal(pieces.stdout, `<${long}>\n<end>\n`);
});

Deno.test("net rpc call hands its flags on, and refuses what it can't read", async () => {
  const { rpc, run } = makeCaller();
  rpc.serve("echo", (body) => body);
  const line = "echo x --node self --timeout 5s --header a=1=2 --where gpu --trace new " +
    "--routing sticky:k --retry 2 --hedge 3";
  const { code, stderr } = await run(line.split(" "));
  assert.equal(code, 0, stderr);
  const [options] = rpc.options;
  assert.deepEqual([options?.target, options?.timeoutMs], [0xabcn, 5_000]);
  assert.deepEqual(options?.headers?.map(({ name, value }) => [name, text(value)]), [["a", "1=2"]]);
  assert.ok(options?.where !== undefined && options.trace !== undefined);
  assert.equal(options.routing?.kind, "sticky");
  assert.deepEqual([options.retry?.attempts, options.hedge?.hedges], [3, 3]);
  for (
    const wrong of [
      "--header a",
      "--routing sideways",
      "--routing sticky:",
      "--timeout soon",
      "--retry 100",
    ]
  ) assert.equal((await run(["echo", ...wrong.split(" ")])).code, 2, wrong);
});

Deno.test("net rpc call maps every kind of error to its exit code and what to do", async () => {
  const { rpc, run } = makeCaller();
  const rows = [
    ["no_route", {}, 6, /net rpc ls fails/],
    ["timeout", {}, 7, /longer --timeout/],
    ["transport", {}, 6, /net node peers/],
    ["capability_denied", { capability: "nrpc:fails" }, 5, /--allow-node/],
    ["too_large", {}, 12, /net blob put/],
    ["backpressure", {}, 12, /in a moment/],
    ["breaker_open", {}, 6, /in a moment/],
    ["server_error", { status: 1 }, 4, /net rpc ls fails/],
    ["server_error", { status: 2 }, 5, /--allow-node/],
    ["server_error", { status: 3 }, 7, /longer --timeout/],
    ["server_error", { status: 4 }, 1, /in a moment/],
    ["server_error", { status: 0x8000 }, 2, /correct the body/],
    ["server_error", { status: 0x8101 }, 1, /what the service complains about/],
  ] as const;
  for (const [kind, details, code, next] of rows) {
    rpc.services.delete("fails");
    rpc.serve("fails", () => {
      throw new RpcError(kind, "it broke", details);
    });
    const result = await run(["fails"]);
    assert.equal(result.code, code, `${kind}: ${result.stderr}`);
    assert.match(result.stderr, next);
    assert.match(
      result.stderr,
      kind === "server_error" ? /^net: .*fails.*: it broke$/m : /^net: it broke$/m,
    );
    assert.equal(result.stdout, "");
  }
});

Deno.test("net rpc call --json tells kind, status and body of an error", async () => {
  const { rpc, run } = makeCaller();
  rpc.serve("no", () => {
    throw new RpcStatusError(0x8005, "no", utf8('{"a":1}'));
  });
  const { error } = JSON.parse((await run(["no", "--json"])).stderr);
  assert.deepEqual([error.exit, error.data], [1, {
    kind: "server_error",
    status: 0x8005,
    body: { text: '{"a":1}' },
  }]);
});

Deno.test("net rpc call cancels the call on Ctrl-C", async () => {
  const { rpc, run } = makeCaller();
  const begun = Promise.withResolvers<void>();
  rpc.serve("hangs", (_, { signal }) => {
    begun.resolve();
    return new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason))
    );
  });
  let raise: (signal: string) => void = () => {};
  const running = run(["hangs"], { onListening: (way) => raise = way });
  await begun.promise;
  raise("SIGINT");
  assert.equal((await running).code, 130);
  assert.equal(rpc.cancelled, 1);
});

Deno.test("net rpc call keeps a long answer in order, in pieces", async () => {
  const { rpc, run } = makeCaller();
  const long = concatBytes(...Array.from({ length: 40 }, (_, i) => utf8(`${i}`.repeat(20_000))));
  rpc.serve("long", () => long);
  const { stdout } = await run(["long"]);
  assert.ok(stdout === text(long));
});

const CLOCK = { now: () => performance.now() };

Deno.test("net rpc call --wait looks until a node offers the service, and says so", async () => {
  let looks = 0;
  const methods: string[] = [];
  const call = (method: string): Promise<unknown> => {
    methods.push(method);
    if (method !== "nrpc.ls") return Promise.resolve({ items: 1 });
    looks += 1;
    return Promise.resolve({ services: looks < 2 ? [] : [{ nodes: [{ node_id: "31a5" }] }] });
  };
  const connect = () => Promise.resolve({ call, close: () => Promise.resolve() });
  // deno-lint-ignore no-explicit-any
  const options: any = { ...CLOCK, doors: { connect } };
  const late = await runInMemory(["rpc", "call", "late", "--wait", "10s"], options);
  assert.deepEqual([late.code, methods], [0, ["nrpc.ls", "nrpc.ls", "nrpc.call"]], late.stderr);
  assert.match(late.stderr, /waiting for a node that offers late/);
  methods.length = 0;
  const other = ["rpc", "call", "late", "--wait", "20ms", "--node", "beef"];
  await runInMemory(other, options);
  assert.equal(methods.at(-1), "nrpc.call");
  assert.equal((await runInMemory(["rpc", "call", "late", "--wait", "soon"], options)).code, 2);
});

Deno.test("net rpc call says whose word an error is, and with which exit code it came", async () => {
  const { rpc, run } = makeCaller();
  rpc.serve("strict", (body) => {
    const [status = 0] = body;
    throw new RpcStatusError(status === 0x61 ? 0x8103 : 0x8010, "not today");
  });
  const command = await run(["strict", "a"]);
  assert.match(command.stderr, /strict failed with exit code 3: not today/);
  const own = await run(["strict", "b"]);
  assert.match(own.stderr, /strict failed with status 0x8010: not today/);
  const { error } = JSON.parse((await run(["strict", "a", "--json"])).stderr);
  assert.equal(error.data.status, 0x8103);
});

Deno.test("net rpc call and serve refuse what can be no service or trace before a node is asked", async () => {
  const { run } = makeCaller();
  for (const name of ["", "Upper", "two words"]) assert.equal((await run([name])).code, 2, name);
  const trace = await run(["echo", "--trace", "zzz"]);
  assert.deepEqual([trace.code, /--trace new/.test(trace.stderr)], [2, true]);
});
