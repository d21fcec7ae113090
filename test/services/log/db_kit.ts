/** A database in memory, with the services it stands on. */
import { DbService, StateService } from "../../../src/services/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { startLogs } from "./log_kit.ts";

/** Services that run. */
export async function startDb() {
  // What logs may forget must not concern the rows.
  const kit = await startLogs({ defaults: { retention: { eventsMax: 5 } } });
  const { logs, clock, metrics } = kit;
  const state = new StateService({ clock, log: silentLog, metrics, logs });
  const db = new DbService({ clock, logs, state });
  await state.start();
  await db.start();
  return {
    ...kit,
    state,
    db,
    [Symbol.asyncDispose]: async () => {
      await db.stop();
      await state.stop();
      await logs.stop();
    },
  };
}
