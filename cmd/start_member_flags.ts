/** Flags of `net start`, with the spellings of the wrapper script that toolkits have. */
import type { FlagParametersForType } from "@stricli/core";
import { proposeCompositions } from "./member_common.ts";
import type { NetContext } from "./context.ts";
import {
  hiddenTextFlag,
  oneSpelling,
  SHARED_FLAGS,
  type SharedFlags,
  switchFlag,
  textFlag,
} from "./flags.ts";

/** Flags of the verb. */
export interface StartMemberFlags extends SharedFlags {
  readonly composition?: string;
  readonly port?: string;
  readonly tcpPort?: string;
  readonly jsonrpcPort?: string;
  readonly bind?: string;
  readonly tcpBind?: string;
  readonly familyId?: string;
  readonly abstract?: boolean;
  readonly darkForest?: boolean;
  readonly beardogSocket?: string;
  readonly capabilitiesOnly?: boolean;
  readonly foreground?: boolean;
  readonly logFile?: string;
  readonly bin?: string;
  readonly toolkit?: string;
  readonly wait?: string;
  readonly dryRun?: boolean;
}

/** Declarations of the flags. */
export const START_MEMBER_FLAGS: FlagParametersForType<StartMemberFlags, NetContext> = {
  composition: {
    ...textFlag("NAME|FILE", "Start every member of a composition"),
    proposeCompletions: proposeCompositions,
  },
  port: textFlag("PORT", "TCP port: a number, 0 for a free one, default for the usual one"),
  tcpPort: hiddenTextFlag("PORT", "Same as --port"),
  jsonrpcPort: hiddenTextFlag("PORT", "Same as --port"),
  bind: textFlag("ADDR", "Address of the TCP port; default: loopback, or the member's own"),
  tcpBind: hiddenTextFlag("ADDR", "Same as --bind"),
  familyId: hiddenTextFlag("NAME", "Same as --family"),
  abstract: switchFlag("Listen at an abstract socket, where the member can"),
  darkForest: switchFlag("Mode of songbird"),
  beardogSocket: textFlag("PATH", "Socket of the security member, for those that ask it"),
  capabilitiesOnly: switchFlag("Print what the program can do, and start nothing"),
  foreground: switchFlag("Stay in front of it: its output, its exit code"),
  logFile: textFlag("FILE", "Where its output goes; default: $XDG_STATE_HOME/net/members"),
  bin: textFlag("FILE", "Executable; default: the toolkit's"),
  toolkit: textFlag("DIR", "Folder with manifest.lock and executables"),
  wait: textFlag("DURATION", "Time until each member must answer; default: 2s"),
  dryRun: switchFlag("Print the command line, and start nothing"),
  ...SHARED_FLAGS,
  socket: textFlag("PATH", "Socket the member listens at; default: its own choice"),
  family: textFlag("NAME", "Family the member runs in"),
  dataDir: textFlag("DIR", "Data folder, for MEMBER net"),
};

/** The port in any of its spellings. */
export function portFlag(flags: StartMemberFlags): string | undefined {
  return oneSpelling({
    "--port": flags.port,
    "--tcp-port": flags.tcpPort,
    "--jsonrpc-port": flags.jsonrpcPort,
  });
}

/** The family in any of its spellings. */
export function familyFlag(flags: StartMemberFlags): string | undefined {
  return oneSpelling({ "--family": flags.family, "--family-id": flags.familyId });
}
