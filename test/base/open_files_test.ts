import { equal } from "node:assert/strict";
import { connectionsFor } from "../../src/base/mod.ts";

const limits = (soft: string) =>
  `Limit                     Soft Limit           Hard Limit           Units\n` +
  `Max processes             63204                63204                processes\n` +
  `Max open files            ${soft.padEnd(20)} 524288               files\n`;

Deno.test("connectionsFor() leaves descriptors for what else the node does", () => {
  equal(connectionsFor(4096, 0.5, limits("256")), 128);
  equal(connectionsFor(4096, 0.5, limits("1024")), 512);
  equal(connectionsFor(4096, 0.5, limits("4")), 16);
  for (const many of [limits("1048576"), limits("unlimited"), ""]) {
    equal(connectionsFor(4096, 0.5, many), 4096);
  }
});
