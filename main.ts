/** Starts the program: arguments in, exit code out. */
import { systemIo } from "./cmd/io.ts";
import { runNet } from "./cmd/root.ts";
import { systemDoors } from "./cmd/system_doors.ts";

if (import.meta.main) Deno.exit(await runNet(Deno.args, systemIo(), systemDoors()));
