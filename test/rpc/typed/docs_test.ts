/** The program in `docs/typed.md` runs. */
import assert from "node:assert/strict";
import type { Rpc } from "../../../src/rpc/mod.ts";
import { MemoryRpc } from "./memory_rpc.ts";

const ROOT = new URL("../../../", import.meta.url);

Deno.test("the examples of docs/typed.md run one after the other", async () => {
  const text = await Deno.readTextFile(new URL("docs/typed.md", ROOT));
  const blocks = [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code ?? "");
  assert.equal(blocks.length, 4);
  const imports = blocks.splice(0, 1).map((code) =>
    code.replace('from "net"', `from ${JSON.stringify(new URL("src/mod.ts", ROOT).href)}`)
  );
  const program = [
    ...imports,
    "export async function run(rpc) {",
    ...blocks,
    "return served.handles.length; }",
  ].join("\n").replaceAll("console.assert(", "check(");
  const code = `import check from "node:assert/strict";\n${program}`;
  const module = await import(`data:application/javascript,${encodeURIComponent(code)}`) as {
    run(rpc: Rpc): Promise<number>;
  };
  assert.equal(await module.run(new MemoryRpc()), 4);
});
