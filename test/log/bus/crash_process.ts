/** Publishes numbers to a bus over a log on disk, and says after each flush how far it is, until it is killed. */
import { systemClock, systemDisk, utf8 } from "../../../src/base/mod.ts";
import { createEventBus, createLogAdapter, openRedex } from "../../../src/log/mod.ts";

const [folder, from] = Deno.args;
const redex = openRedex({ clock: systemClock, disk: systemDisk }, { folder });
const adapter = createLogAdapter(redex);
const bus = await createEventBus({ clock: systemClock, adapter }, { shards: 2, scaling: false });
for (let n = Number(from);;) {
  for (let i = 0; i < 1_500; i++) bus.ingestRaw(utf8(`{"n":${n++}}`));
  await bus.flush();
  console.log(n);
}
