/** The real ways from the command line into the rest of the program. */
import type { Doors, NodeCaller, NodeHandle } from "./doors.ts";
import { systemProcess } from "./self_command.ts";
import type { NodeConfig } from "../src/config/mod.ts";
import type { Log } from "../src/observe/mod.ts";

/** What the verbs use of `src/node.ts`. */
interface NodeModule {
  createNode(config: NodeConfig, deps: { readonly log: Log }): Promise<NodeHandle>;
  openStandalone(config: NodeConfig): Promise<NodeCaller>;
}

/** Doors that load what they lead to when they are first used. */
export function systemDoors(): Doors {
  return {
    own: systemProcess(),
    standardSocketPath: async (env, family) => {
      const { resolveSocketPath } = await import("../src/control/mod.ts");
      return await resolveSocketPath({ env, family });
    },
    connect: async (socketPath, signal) => {
      const { connectControl } = await import("../src/control/mod.ts");
      return await connectControl({ socketPath, signal });
    },
    openStandalone: async (config) => await (await loadNode()).openStandalone(config),
    createNode: async (config, deps) => await (await loadNode()).createNode(config, deps),
    validateIpc: () => Promise.reject(new Error("not wired")),
  };
}

async function loadNode(): Promise<NodeModule> {
  // @ts-ignore: the next line checks the module's shape; this one only finds it
  const module = await import("../src/node.ts");
  return module;
}
