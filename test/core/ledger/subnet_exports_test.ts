import assert from "node:assert/strict";
import {
  addSubnetExport,
  openLedger,
  readSubnetExports,
  removeSubnetExport,
} from "../../../src/core/ledger/mod.ts";

Deno.test("exports of subnets are written, read in order and removed", async () => {
  const ledger = openLedger({ path: ":memory:" });
  const { db } = ledger;
  try {
    const [far, near] = [0xffff_ffff_ffff_fff0n, 2n];
    await addSubnetExport(db, { hash: far, name: "a/b", target: 0xffff_ffff });
    await addSubnetExport(db, { hash: far, name: "a/b", target: 0 });
    await addSubnetExport(db, { hash: near, name: "", target: 7 });
    await addSubnetExport(db, { hash: near, name: "again", target: 7 });
    assert.deepEqual(await readSubnetExports(db, 10), [
      { hash: near, name: "", target: 7 },
      { hash: far, name: "a/b", target: 0 },
      { hash: far, name: "a/b", target: 0xffff_ffff },
    ]);
    assert.equal((await readSubnetExports(db, 1)).length, 1);
    await removeSubnetExport(db, far, 0);
    await removeSubnetExport(db, near, undefined);
    assert.deepEqual(await readSubnetExports(db, 10), [
      { hash: far, name: "a/b", target: 0xffff_ffff },
    ]);
  } finally {
    await ledger.close();
  }
});
