import assert from "node:assert/strict";
import {
  expandMacros,
  generateModule,
  WASM_MODULES,
} from "../../../../src/core/crypto/wasm/build.ts";

for (const module of WASM_MODULES) {
  Deno.test(`generateModule() of ${module.source} gives the committed file`, async () => {
    const url = new URL(`../../../../src/core/crypto/wasm/${module.output}`, import.meta.url);
    assert.ok(await generateModule(module) === Deno.readTextFileSync(url), "run build.ts again");
  });
}

Deno.test("expandMacros() replaces parameters as whole words and expands nested uses", () => {
  const source = "macro A(x) {\nx1 = x;\n}\nmacro B(y, z) {\nA!(y)\nA!(z + 1)\n}\nB!(p, q)\n";
  assert.equal(expandMacros(source).replaceAll(/\n+/g, "\n"), "x1 = p;\nx1 = q + 1;\n");
});

Deno.test("expandMacros() refuses an unknown macro and a wrong number of arguments", () => {
  assert.throws(() => expandMacros("A!(x)\n"), /no macro/);
  assert.throws(() => expandMacros("macro A(x) {\nx;\n}\nA!(x, y)\n"), /no macro/);
});
