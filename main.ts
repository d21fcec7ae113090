/** Starts the program: arguments in, exit code out; or, as a worker, what its name says. */
import { systemIo } from "./cmd/io.ts";
import { runNet } from "./cmd/root.ts";
import { isModuleWorker, runModuleWorker } from "./cmd/rpc_module_worker.ts";
import { systemDoors } from "./cmd/system_doors.ts";
import { isWorkWorker } from "./src/blob/work/worker_name.ts";

if (isModuleWorker()) runModuleWorker();
else if (isWorkWorker()) (await import("./src/blob/work/worker.ts")).runWorkWorker();
else if (import.meta.main) Deno.exit(await runNet(Deno.args, systemIo(), systemDoors()));
