/** The real ways from the command line into the rest of the program. */
import type { Doors } from "./doors.ts";
import { systemProcess } from "./self_command.ts";

/** Doors that load what they lead to when they are first used. */
export function systemDoors(): Doors {
  return {
    own: systemProcess(),
    standardSocketPath: () => Promise.reject(new Error("not wired")),
    connect: () => Promise.reject(new Error("not wired")),
    openStandalone: () => Promise.reject(new Error("not wired")),
    createNode: () => Promise.reject(new Error("not wired")),
    validateIpc: () => Promise.reject(new Error("not wired")),
  };
}
