/**
 * Units with which systemd runs a node: the service, and the sockets it may open for it.
 *
 * Only text: where the program lies and how it is started is handed in, and nothing is written. The files in
 * `scripts/service` are this text for a program in `/usr/local/bin`.
 */

/** Whose manager runs the node: the machine's, or one user's. */
export type UnitScope = "system" | "user";

/** What {@linkcode serviceUnit} is made of. */
export interface ServiceUnitOptions {
  readonly scope: UnitScope;
  /** Command line that starts a node in the foreground, program first. */
  readonly command: readonly [string, ...string[]];
  /** Family; undefined for none. */
  readonly family?: string;
  /** A template: the family is what stands behind the `@` of an instance. */
  readonly isTemplate?: boolean;
  /** Longest time in milliseconds for work under way when the node stops; 5 s when left out. */
  readonly drainTimeoutMs?: number;
  /** Folder of the data where it is not the standard one. */
  readonly dataDir?: string;
}

/** What {@linkcode socketUnit} is made of. */
export interface SocketUnitOptions {
  readonly scope: UnitScope;
  readonly family?: string;
  readonly isTemplate?: boolean;
  /** Absolute path of the control socket where it is not the standard one. */
  readonly socketPath?: string;
  /** Address of JSON-RPC lines over TCP, `ip:port`. */
  readonly tcp?: string;
}

/** Seconds a node is silent before it is taken for hung. */
const WATCHDOG_SECONDS = 30;

/** Time for work under way unless the node was told otherwise. */
const DRAIN_MS = 5_000;

/** Behind that it stops within 10 s, of which services get 6; the rest is for a busy machine. */
const STOP_SECONDS = 15;

/** Connections, chunk files and a log per channel: twice 4096 connections, and as much again. */
const FILES_MAX = 16_384;

/** Name of a unit: `net`, `net-F`, or `net@` for a template. */
export function unitName(options: { family?: string; isTemplate?: boolean }): string {
  if (options.isTemplate) return "net@";
  return options.family === undefined ? "net" : `net-${options.family}`;
}

/** The service. */
export function serviceUnit(options: ServiceUnitOptions): string {
  const { scope, command, drainTimeoutMs = DRAIN_MS } = options;
  const isSystem = scope === "system";
  return sections([
    ["Unit", [
      `Description=${description(options)}`,
      ...(isSystem ? ["Wants=network-online.target", "After=network-online.target"] : []),
      "StartLimitIntervalSec=60",
      "StartLimitBurst=5",
    ]],
    ["Service", [
      "Type=notify",
      "NotifyAccess=main",
      `ExecStart=${command.map(unitWord).join(" ")}`,
      ...(isSystem ? systemPlaces(options) : userPlaces(options)),
      "Restart=on-failure",
      "RestartSec=1",
      "# 2 is a mistake in the configuration, which another start does not mend.",
      "RestartPreventExitStatus=2",
      `WatchdogSec=${WATCHDOG_SECONDS}`,
      `TimeoutStopSec=${Math.ceil(drainTimeoutMs / 1000) + STOP_SECONDS}`,
      "KillMode=mixed",
      `LimitNOFILE=${FILES_MAX}`,
      "UMask=0077",
      ...hardening(options),
    ]],
    ["Install", [`WantedBy=${isSystem ? "multi-user" : "default"}.target`]],
  ]);
}

/** The sockets that are opened before the node, and for it. */
export function socketUnit(options: SocketUnitOptions): string {
  const { scope, socketPath, tcp } = options;
  const name = options.isTemplate ? "net-%i" : unitName(options);
  const standard = scope === "system" ? `%t/${name}.sock` : `%t/biomeos/${name}.sock`;
  return sections([
    ["Unit", [`Description=Sockets of a ${description(options)}`]],
    ["Socket", [
      `ListenStream=${socketPath === undefined ? standard : escapeSpecifiers(socketPath)}`,
      ...(tcp === undefined ? [] : [`ListenStream=${tcp}`]),
      ...(tcp === undefined ? ["FileDescriptorName=control"] : [
        "# Told apart by what they are: one name would be both sockets'.",
      ]),
      "SocketMode=0600",
      "DirectoryMode=0700",
      "RemoveOnStop=yes",
    ]],
    ["Install", ["WantedBy=sockets.target"]],
  ]);
}

/** A word of a command line as a unit needs it: quoted, without specifiers and variables. */
export function unitWord(word: string): string {
  const text = escapeSpecifiers(word).replaceAll("$", "$$$$");
  if (/^[A-Za-z0-9_@%+=:,./$-]+$/.test(text)) return text;
  const escaped = text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")
    .replaceAll("\t", "\\t");
  return `"${escaped}"`;
}

function description({ family, isTemplate }: { family?: string; isTemplate?: boolean }): string {
  if (isTemplate) return "net mesh node of family %i";
  return family === undefined ? "net mesh node" : `net mesh node of family ${family}`;
}

function systemPlaces(options: ServiceUnitOptions): readonly string[] {
  const { isTemplate, dataDir } = options;
  const name = isTemplate ? "net-%i" : unitName(options);
  return [
    `RuntimeDirectory=${name}`,
    "RuntimeDirectoryMode=0700",
    `Environment=BIOMEOS_SOCKET_DIR=%t/${name}`,
    ...(dataDir === undefined
      ? [`StateDirectory=${name}`, "StateDirectoryMode=0700", `Environment=NET_DATA_DIR=%S/${name}`]
      : [`ReadWritePaths=${unitWord(dataDir)}`]),
    ...(isTemplate ? ["Environment=NET_FAMILY_ID=%i"] : []),
    "# What the JavaScript engine keeps of the program, so that it starts sooner.",
    `CacheDirectory=${name}`,
    `Environment=DENO_DIR=%C/${name}`,
    "# Settings of this machine; they win over those above.",
    `EnvironmentFile=-/etc/default/${name}`,
  ];
}

function userPlaces(options: ServiceUnitOptions): readonly string[] {
  const name = options.isTemplate ? "net-%i" : unitName(options);
  return [
    ...(options.isTemplate ? ["Environment=NET_FAMILY_ID=%i"] : []),
    "# Settings of this user; they win over those above.",
    `EnvironmentFile=-%E/net/${name}.env`,
  ];
}

function hardening({ scope, command, dataDir }: ServiceUnitOptions): readonly string[] {
  const everywhere = [
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "# The JavaScript engine makes code at run time, so MemoryDenyWriteExecute= cannot be set.",
    "SystemCallFilter=@system-service @pkey",
    "SystemCallErrorNumber=EPERM",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
  ];
  // A user's manager may not do the rest.
  if (scope === "user") return everywhere;
  const isInHome = command.some((word) => /^(file:\/\/)?\/(home|root)\//.test(word));
  return [
    ...(dataDir === undefined ? ["DynamicUser=yes"] : [
      "# The user must exist, and own the data folder.",
      "User=net",
      "RemoveIPC=yes",
    ]),
    "CapabilityBoundingSet=",
    "ProtectSystem=strict",
    `ProtectHome=${isInHome ? "read-only" : "yes"}`,
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "RestrictNamespaces=yes",
    ...everywhere,
  ];
}

function escapeSpecifiers(text: string): string {
  return text.replaceAll("%", "%%");
}

function sections(all: readonly (readonly [string, readonly string[]])[]): string {
  return all.map(([name, lines]) => `[${name}]\n${lines.join("\n")}\n`).join("\n");
}
