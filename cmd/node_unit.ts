/** `net node unit`: prints a systemd unit that runs this program as a node, with the flags it is given. */
import { buildCommand } from "@stricli/core";
import { formatSocketAddress, NetError } from "../src/base/mod.ts";
import { absolutePath, type Environment, loadNodeConfig } from "../src/config/mod.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, choiceFlag, switchFlag } from "./flags.ts";
import type { Output } from "./output.ts";
import { selfCommand } from "./self_command.ts";
import {
  isSecretUrl,
  isTicketVisible,
  START_FLAGS,
  type StartFlags,
  toNodeFlags,
  toStartArguments,
} from "./start_flags.ts";
import { runVerb } from "./verb.ts";

interface NodeUnitFlags extends StartFlags {
  readonly user?: boolean;
  readonly template?: boolean;
  readonly type?: "service" | "socket";
}

/** The verb. */
export const nodeUnitCommand = buildCommand<NodeUnitFlags, [], NetContext>({
  docs: {
    brief: "Print a systemd unit that runs a node",
    fullDescription: "Prints a systemd unit that runs this program as a node. It takes the flags " +
      "of net node start and puts them into the unit. Nothing is written: redirect it.\n\n" +
      "EXAMPLES\n  net node unit --user > ~/.config/systemd/user/net.service\n" +
      "  systemctl --user daemon-reload && systemctl --user enable --now net\n" +
      "  net node unit --http 8090 | sudo tee /etc/systemd/system/net.service\n" +
      "  net node unit --template | sudo tee /etc/systemd/system/net@.service\n" +
      "  net node unit --user --type socket > ~/.config/systemd/user/net.socket",
  },
  parameters: {
    flags: bareRecord({
      user: switchFlag("For the manager of one user instead of the machine's"),
      template: switchFlag("One unit for many families: net@FAMILY"),
      type: choiceFlag(["service", "socket"], "Which unit; default: service"),
      ...START_FLAGS,
    }),
  },
  async func(flags) {
    await runVerb(this, flags, async ({ output }) => {
      const { serviceUnit, socketUnit, unitName } = await import("../src/deploy/mod.ts");
      const { user, template, type = "service", ...start } = flags;
      refuseUnusable(flags);
      const { io } = this;
      const config = loadNodeConfig({
        flags: toNodeFlags(start),
        env: homeOf(io.env),
        cwd: io.cwd,
      });
      const { family } = config;
      const scope = user ? "user" : "system";
      const name = unitName({ family, isTemplate: template });
      const command = selfCommand(startArguments(start, io.cwd));
      if (!user && type === "service") warnOfPlace(output, selfCommand([]));
      const unit = type === "socket"
        ? socketUnit({
          scope,
          family,
          isTemplate: template,
          socketPath: config.socketPath,
          tcp: config.tcp === undefined ? undefined : formatSocketAddress(config.tcp),
        })
        : serviceUnit({
          scope,
          command,
          family,
          isTemplate: template,
          drainTimeoutMs: config.drainTimeoutMs,
          dataDir: config.isDataDirExplicit ? config.dataDir : undefined,
        });
      if (type === "socket" && start.http !== undefined) {
        output.warn(
          "the HTTP socket is not in it\n" +
            "  next: give it a unit of its own, such as net-http.socket of docs/service.md",
        );
      }
      const folder = user ? `${userFolder(io.env)}/systemd/user` : "/etc/systemd/system";
      const path = `${folder}/${name}.${type}`;
      output.result("node.unit", { type, scope, path, unit }, () => unit.trimEnd());
      output.note(`save it as ${path}, then ${enableText(name, type, user === true)}`);
    });
  },
});

function refuseUnusable(flags: NodeUnitFlags): void {
  const refuse = (what: string, next: string) => {
    throw new NetError("usage", `Cannot make a unit: ${what}`, { next });
  };
  if (flags.detach) refuse("a service runs in the foreground", "leave --detach out");
  if (flags.template && flags.family !== undefined) {
    refuse("the family of a template is its instance", "leave --family out");
  }
  if (flags.join === "-") refuse("it reads no ticket from standard input", "give --join @FILE");
  if (isTicketVisible(flags)) {
    refuse("everybody can read the ticket in it", "write it to a file and give --join @FILE");
  }
  if (isSecretUrl(flags.busUrl)) {
    refuse(
      "everybody can read the password in it",
      "set NET_BUS_URL in the unit's environment file",
    );
  }
}

/** A service of the machine has a /tmp of its own, and a user that may not enter a home folder. */
function warnOfPlace(output: Output, command: readonly string[]): void {
  const hidden = command.find((word) => /^(file:\/\/)?\/(tmp|var\/tmp|home|root)\//.test(word));
  if (hidden === undefined) return;
  output.warn(
    `the service may be unable to run ${hidden.replace(/^file:\/\//, "")}\n` +
      "  next: put the program where every user can read it, such as /usr/local/bin, and run " +
      "net node unit of that one",
  );
}

/** Flags that name a file or folder; a service has another working folder. */
const PATHS = [
  "dataDir",
  "socket",
  "unix",
  "udsPath",
  "pidDir",
  "familySeedFile",
  "auditDir",
  "pskFile",
  "revocations",
  "pcap",
] as const;

function startArguments(flags: StartFlags, cwd: string): readonly string[] {
  const absolute: Record<string, string> = {};
  for (const name of PATHS) {
    const path = flags[name];
    if (path !== undefined) absolute[name] = absolutePath(path, cwd);
  }
  const { identity } = flags;
  // Without a slash it is the name of one that the user keeps.
  if (identity?.includes("/")) absolute.identity = absolutePath(identity, cwd);
  const { busUrl } = flags;
  if (busUrl?.startsWith("@")) absolute.busUrl = `@${absolutePath(busUrl.slice(1), cwd)}`;
  if (flags.join !== undefined) absolute.join = `@${absolutePath(flags.join.slice(1), cwd)}`;
  return toStartArguments({
    ...flags,
    ...absolute,
    foreground: true,
    json: undefined,
    quiet: undefined,
    showTicket: undefined,
  });
}

/** The settings of the shell do not hold for the service; named identities are looked for below these. */
function homeOf({ HOME, XDG_CONFIG_HOME }: Environment): Environment {
  return { HOME, XDG_CONFIG_HOME };
}

function userFolder(env: Environment): string {
  return env.XDG_CONFIG_HOME ?? (env.HOME === undefined ? "~/.config" : `${env.HOME}/.config`);
}

function enableText(name: string, type: string, isUser: boolean): string {
  const control = isUser ? "systemctl --user" : "systemctl";
  const instance = name.endsWith("@") ? `${name}FAMILY` : name;
  const unit = type === "socket" ? `${instance}.socket` : instance;
  return `run: ${control} daemon-reload && ${control} enable --now ${unit}`;
}
