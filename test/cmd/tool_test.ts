/** Verbs about the tools of the mesh. */
import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { runInMemory } from "./_harness.ts";

const SEARCH = {
  tool_id: "web_search",
  name: "Web search",
  version: "1.0.0",
  description: "Searches the \u001b[31mweb for pages that say something about a question",
  input_schema: '{"type":"object"}',
  output_schema: null,
  requires: ["network"],
  estimated_time_ms: 500,
  stateless: true,
  streaming: false,
  tags: ["web", "research"],
  node_count: 3,
  omitted: ["output_schema"],
  providers: ["31a56ab7724a0b59"],
};

Deno.test("tool ls prints a row per tool, of all pages", async () => {
  const { code, stdout, calls } = await runInMemory(["tool", "ls", "--tag", "web", "--tag", "x"], {
    node: {
      "tool.ls": ({ cursor }) =>
        cursor === undefined
          ? { tools: [SEARCH], next: "web_search 1.0.0" }
          : { tools: [{ ...SEARCH, version: "2.0.0", description: null, tags: [] }], next: null },
    },
  });
  assert.equal(code, 0);
  assert.deepEqual(stdout.split("\n"), [
    "TOOL        VERSION  NODES  TAGS          WHAT IT DOES",
    "web_search  1.0.0        3  web,research  Searches the [31mweb for pages that say…",
    "web_search  2.0.0        3  -",
    "",
  ]);
  assert.deepEqual(calls[0]?.params, { tags: ["web", "x"], tools: [] });
  const none = await runInMemory(["tool", "list"], { node: { "tool.ls": { tools: [] } } });
  assert.equal(none.stdout, "no tools\n");
});

Deno.test("tool show prints one tool, and which text its announcement had no room for", async () => {
  const node = { "tool.show": { tool_id: "web_search", versions: [SEARCH], omitted: 0 } };
  const { stdout } = await runInMemory(["tool", "show", "web_search"], { node });
  assert.match(stdout, /^tool +web_search$/m);
  assert.match(stdout, /^input +\{"type":"object"\}$/m);
  assert.match(stdout, /^output +too large for an announcement$/m);
  assert.match(stdout, /^offered by +31a56ab7724a0b59 and 2 more$/m);
  const json = JSON.parse(
    (await runInMemory(["tool", "show", "web_search", "--json"], { node })).stdout,
  );
  assert.equal(json.schema, "net.tool.show.v1");
});

Deno.test("tool show of a tool that nobody offers says what to do next", async () => {
  const { code, stderr } = await runInMemory(["tool", "show", "x"], {
    node: {
      "tool.show": () => {
        throw new NetError("not_found", 'Cannot find tool "x": no known node offers it', {
          next: "see net tool ls for the tools there are",
        });
      },
    },
  });
  assert.equal(code, 4);
  assert.match(stderr, /next: see net tool ls/);
});

Deno.test("tool export prints a provider's list, and warns of what is not whole", async () => {
  const tools = [{ name: "a", description: "\u009b", inputSchema: {} }];
  const node = { "tool.export": { format: "mcp", tools, incomplete: ["a"], next: null } };
  const { code, stdout, stderr, calls } = await runInMemory(
    ["tool", "export", "--format", "mcp", "--tool", "a"],
    { node },
  );
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout), tools);
  assert.ok(!stdout.includes("\u009b"));
  assert.match(stderr, /a has a schema too large/);
  assert.deepEqual(calls[0]?.params, { format: "mcp", tags: [], tools: ["a"] });
  const json = await runInMemory(["tool", "export", "--format", "mcp", "--json"], { node });
  assert.deepEqual(JSON.parse(json.stdout).tools, tools);
});

Deno.test("tool export needs a known format", async () => {
  for (const args of [["tool", "export"], ["tool", "export", "--format", "xml"]]) {
    assert.equal((await runInMemory(args)).code, 2);
  }
  const { stdout } = await runInMemory(["__complete", "tool", "export", "--format", "g"]);
  assert.match(stdout, /^gemini/);
});

Deno.test("tool call prints the result, and on the way what a tool delivers", async () => {
  const node = { "tool.call": { tool: "add", output: { sum: 6, note: "\u001b[31m" } } };
  const { code, stdout, calls } = await runInMemory(["tool", "call", "add", "[1,2,3]"], { node });
  assert.equal(code, 0);
  assert.equal(stdout, '{\n  "sum": 6,\n  "note": "\\u001b[31m"\n}\n');
  assert.equal(calls[0]?.params.tool, "add");
  assert.equal(calls[0]?.params.input, "[1,2,3]");
  const json = JSON.parse(
    (await runInMemory(["tool", "call", "add", "--json"], { node })).stdout,
  );
  assert.equal(json.schema, "net.tool.call.v1");
  assert.deepEqual(json.output.sum, 6);
});

Deno.test("tool call of a tool that failed exits with what went wrong", async () => {
  const { code, stdout, stderr } = await runInMemory(["tool", "call", "add"], {
    node: {
      "tool.call": () => {
        throw new NetError("failed", 'Tool "add" failed (broke): no numbers');
      },
    },
  });
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /broke.*no numbers/);
});

Deno.test("tool serve hands the descriptor on, with what was left out", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/count.json`;
    await Deno.writeTextFile(
      file,
      JSON.stringify({ tool_id: "count", input_schema: { type: "object" }, streaming: true }),
    );
    const { code, stderr, calls } = await runInMemory(["tool", "serve", file, "--", "/bin/sh"], {
      node: {
        "nrpc.serve": () => {
          throw new NetError("conflict", 'Cannot serve tool "count": it is served already');
        },
      },
    });
    assert.equal(code, 1);
    assert.match(stderr, /served already/);
    const { tool, ...params } = calls[0]?.params ?? {};
    assert.deepEqual(params, { service: "count", shape: "server_stream", running_max: 16 });
    assert.deepEqual(JSON.parse(String(tool)), {
      tool_id: "count",
      streaming: true,
      name: "count",
      version: "1.0.0",
      input_schema: '{"type":"object"}',
      output_schema: null,
    });
    const codeOf = async (...words: string[]) =>
      (await runInMemory(["tool", "serve", ...words], { node: {} })).code;
    assert.equal(await codeOf(file), 2);
    assert.equal(await codeOf(`${folder}/none.json`, "--", "/bin/sh"), 4);
    assert.equal(await codeOf(file, "--", "/no/such/command"), 4);
    await Deno.writeTextFile(file, "{");
    assert.equal(await codeOf(file, "--", "/bin/sh"), 2);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
