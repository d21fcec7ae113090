/** The real ways from the command line into the rest of the program. */
import type { Doors } from "./doors.ts";
import { systemHangup } from "./hangup.ts";
import { systemProcess } from "./self_command.ts";

/** Doors that load what they lead to when they are first used. */
export function systemDoors(): Doors {
  return {
    own: systemProcess(),
    hangup: systemHangup,
    openManager: async (env, log) => {
      const { MANAGER_VARIABLES, openServiceManager } = await import("../src/kernel/mod.ts");
      for (const name of MANAGER_VARIABLES) Deno.env.delete(name);
      return openServiceManager({ variables: env, pid: Deno.pid, log });
    },
    standardSocketPath: async (env, family) => {
      const { resolveSocketPath } = await import("../src/control/mod.ts");
      return await resolveSocketPath({ env, family });
    },
    connect: async (socketPath, signal) => {
      const { connectControl } = await import("../src/control/mod.ts");
      return await connectControl({ socketPath, familySeed: await seedForBtsp(), signal });
    },
    openStandalone: async (config) => {
      const { openStandalone } = await import("../src/control/node/mod.ts");
      return await openStandalone(config);
    },
    createNode: async (config, deps) => {
      const { createControlledNode } = await import("../src/control/node/mod.ts");
      if (config.http === undefined) return createControlledNode(config, deps);
      const { nodeGateway } = await import("../src/gateway/mod.ts");
      return createControlledNode(config, {
        ...deps,
        gateway: nodeGateway({ log: deps.log, listener: deps.sockets.http }),
      });
    },
    checkLogs: async (folder, { onChecked, ...options }) => {
      const { checkLogFolders } = await import("../src/services/mod.ts");
      const { describeFolder } = await import("../src/control/node/mod.ts");
      const { systemClock, systemDisk } = await import("../src/base/mod.ts");
      await checkLogFolders({ disk: systemDisk, clock: systemClock }, folder, {
        ...options,
        onChecked: ({ channel, report, before, taken }) =>
          onChecked({
            channel,
            ...describeFolder(report),
            before: before === undefined ? null : describeFolder(before),
            taken: taken ?? null,
          }),
      });
    },
    validateIpc: async (endpoint, { isColor, maxLineBytes, metadataPath, ...options }) => {
      const { ipcReportDocument, loadMetadata, renderIpcReport, validateIpc } = await import(
        "../src/validate/mod.ts"
      );
      const report = await validateIpc(endpoint, {
        ...options,
        lineBytesMax: maxLineBytes,
        metadata: metadataPath === undefined
          ? undefined
          : await loadMetadata(metadataPath, options.cwd),
      });
      return {
        isCompliant: report.compliant,
        report: ipcReportDocument(report),
        text: renderIpcReport(report, { useColor: isColor }),
      };
    },
    fetchMembers: async ({ members, compositions, isAll, toolkit, arch, env, ...options }) => {
      const { fetchMembers, findToolkit, platformOf, thisPlatform } = await import(
        "../src/deploy/mod.ts"
      );
      const { root, platform, outcomes, files } = await fetchMembers({
        ...options,
        root: await findToolkit({ flag: toolkit, env, cwd: options.cwd }),
        choice: { members, compositions, isAll },
        platform: arch === undefined ? thisPlatform() : platformOf(arch),
        githubApi: env.NET_GITHUB_API || undefined,
      });
      return {
        toolkit: root,
        arch: platform.arch,
        members: outcomes.map(({ member, status, path, verified, error, ...outcome }) => ({
          member,
          status,
          path,
          source: outcome.source ?? null,
          bytes: outcome.bytes ?? null,
          resumed_bytes: outcome.resumedBytes ?? null,
          sha256: outcome.digests?.sha256 ?? null,
          blake3: outcome.digests?.blake3 ?? null,
          verified,
          error: error === undefined
            ? null
            : { code: error.code, message: error.message, next: error.next ?? null },
        })),
        files,
      };
    },
  };
}

/** The family's seed where nodes require it: the same variables make them require it and verbs use it. */
async function seedForBtsp(): Promise<Uint8Array | undefined> {
  if (!/^(1|true|yes|on)$/i.test(Deno.env.get("NET_REQUIRE_BTSP") ?? "")) return undefined;
  const file = Deno.env.get("NET_FAMILY_SEED_FILE");
  const value = file ? `@${file}` : Deno.env.get("NET_FAMILY_SEED") || Deno.env.get("FAMILY_SEED");
  if (!value) return undefined;
  const { readFamilySeed } = await import("../src/control/mod.ts");
  const { silentLog } = await import("../src/observe/mod.ts");
  return await readFamilySeed(value, silentLog);
}
