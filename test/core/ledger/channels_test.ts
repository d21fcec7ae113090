import assert from "node:assert/strict";
import {
  type ChannelRecord,
  openLedger,
  readChannels,
  removeChannel,
  writeChannel,
} from "../../../src/core/ledger/mod.ts";

const OPEN: ChannelRecord = {
  name: "news/sport",
  isPrefix: false,
  visibility: "global",
  publishTags: [],
  subscribeTags: [],
  requiresToken: false,
  tokenRoots: [],
  bindsOrigin: false,
  queueGroups: "any",
  priority: 0,
  isReliable: false,
  ratePerSecond: undefined,
};

const GATED: ChannelRecord = {
  name: "lab/",
  isPrefix: true,
  visibility: "subnet-local",
  publishTags: ["role=lead"],
  subscribeTags: ["gpu", "site='north'"],
  requiresToken: true,
  tokenRoots: [new Uint8Array(32).fill(7), new Uint8Array(32).fill(9)],
  bindsOrigin: true,
  queueGroups: "none",
  priority: 255,
  isReliable: true,
  ratePerSecond: 250,
};

Deno.test("channels are written, changed, read in the order of names and removed", async () => {
  const ledger = openLedger({ path: ":memory:" });
  const { db } = ledger;
  try {
    await writeChannel(db, OPEN);
    await writeChannel(db, GATED);
    assert.deepEqual(await readChannels(db, 10), [GATED, OPEN]);
    assert.deepEqual(await readChannels(db, 1), [GATED]);
    await writeChannel(db, { ...GATED, name: OPEN.name });
    await removeChannel(db, GATED.name);
    await removeChannel(db, "unknown");
    assert.deepEqual(await readChannels(db, 10), [{ ...GATED, name: OPEN.name }]);
  } finally {
    await ledger.close();
  }
});
