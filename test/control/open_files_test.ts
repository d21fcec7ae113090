import { equal } from "node:assert/strict";
import { connectionsFor } from "../../src/control/open_files.ts";

const limits = (soft: string) =>
  `Limit                     Soft Limit           Hard Limit           Units\n` +
  `Max processes             63204                63204                processes\n` +
  `Max open files            ${soft.padEnd(20)} 524288               files\n`;

Deno.test("connectionsFor() leaves descriptors for what else the node does", () => {
  equal(connectionsFor(limits("256")), 128);
  equal(connectionsFor(limits("1024")), 512);
  equal(connectionsFor(limits("4")), 16);
  for (const many of [limits("1048576"), limits("unlimited"), undefined, ""]) {
    equal(connectionsFor(many), 4096);
  }
});
