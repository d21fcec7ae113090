import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { ExportTable } from "../../../src/channel/subnet/mod.ts";
import { EXPORT_TARGETS_MAX, EXPORTS_MAX } from "../../../src/channel/limits.ts";

Deno.test("ExportTable adds and removes subnets of channels", () => {
  const table = new ExportTable();
  assert.equal(table.targetsOf(1n), undefined);
  assert.ok(table.add({ hash: 1n, name: "b", target: 9 }));
  assert.ok(table.add({ hash: 1n, name: "", target: 3 }));
  assert.ok(!table.add({ hash: 1n, name: "b", target: 3 }));
  assert.ok(table.add({ hash: 2n, name: "a", target: 0 }));
  assert.deepEqual(table.entries(), [
    { hash: 2n, name: "a", targets: [0] },
    { hash: 1n, name: "b", targets: [3, 9] },
  ]);
  assert.ok(table.remove(1n, 9));
  assert.ok(!table.remove(1n, 9));
  assert.ok(table.remove(1n, 3));
  assert.equal(table.targetsOf(1n), undefined);
  assert.ok(table.remove(2n));
  assert.ok(!table.remove(2n));
  assert.equal(table.size, 0);
});

Deno.test("ExportTable refuses more than fits", () => {
  const isLimit = (error: unknown) => error instanceof NetError && error.code === "limit";
  const table = new ExportTable();
  for (let target = 1; target <= EXPORT_TARGETS_MAX; target++) {
    table.add({ hash: 0n, name: "", target });
  }
  assert.throws(() => table.add({ hash: 0n, name: "", target: 9_999 }), isLimit);
  for (let hash = 1; hash < EXPORTS_MAX; hash++) {
    table.add({ hash: BigInt(hash), name: "", target: 1 });
  }
  assert.throws(() => table.add({ hash: 99_999n, name: "", target: 1 }), isLimit);
  assert.ok(table.add({ hash: 1n, name: "", target: 2 }));
});
