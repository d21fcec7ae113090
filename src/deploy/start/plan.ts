/**
 * How a member is started: generic wishes become its own words (`validation.md` 7.3, promises V-e
 * and V-f).
 *
 * Pure. A wish that the member has no word for is refused, never dropped. A TCP flag is only passed
 * when the caller asked for TCP.
 */
import { NetError } from "../../base/mod.ts";
import type { MemberAddress } from "../member_address.ts";
import type { Metadata, MetadataServer } from "../metadata.ts";
import { portVariable, quote, variablePrefix } from "../names.ts";

/** What the caller wants, in words of no member. */
export interface StartWishes {
  /** TCP port, 1 to 65535. */
  readonly port?: number;
  /** Address of the TCP port; loopback when left out. */
  readonly bind?: string;
  /** Absolute path of the socket. */
  readonly socket?: string;
  /** Family; already checked. */
  readonly family?: string;
  readonly isAbstract?: boolean;
  readonly isDarkForest?: boolean;
  /** Absolute path of the security member's socket. */
  readonly securitySocket?: string;
  /** Absolute path of the data folder; a word of our own program. */
  readonly dataDir?: string;
  /** Arguments in the member's own words, behind all others. */
  readonly extra?: readonly string[];
}

/** What {@linkcode planStart} works with. */
export interface StartProgram {
  /** Name of the member in its toolkit. */
  readonly member: string;
  /** Program and leading arguments. */
  readonly program: readonly [string, ...string[]];
  /** `undefined` when the toolkit says nothing of it. */
  readonly metadata: Metadata | undefined;
  /** True for our own program. */
  readonly isOwn: boolean;
}

/** A command that is ready to run. */
export interface StartPlan {
  readonly command: readonly [string, ...string[]];
  /** Variables beside the caller's own. */
  readonly env: Readonly<Record<string, string>>;
  /** Where the TCP port is asked for liveness. */
  readonly tcp: Extract<MemberAddress, { kind: "tcp" }> | undefined;
  /** False when TCP speaks something else than JSON lines, so that the socket decides. */
  readonly isTcpProbed: boolean;
  /** Abstract names that may be listened at. */
  readonly abstractNames: readonly string[];
}

const LOOPBACK = "127.0.0.1";

/** Flags that every member takes by its contract (`validation.md` 4), where nothing else is known. */
const CONTRACT: MetadataServer = { socketFlag: "--socket", portFlag: "--port", bindFlag: "--bind" };

/** Our own flags. */
const OWN: MetadataServer = {
  ...CONTRACT,
  listenFlag: "--listen",
  listenFormat: "{addr}:{port}",
  familyIdFlag: "--family",
  abstractFlag: "--abstract",
};

/**
 * The command that starts a member.
 *
 * @throws NetError `usage` for a wish that the member has no word for.
 */
export function planStart(program: StartProgram, wishes: StartWishes): StartPlan {
  const { member, metadata, isOwn } = program;
  const server = serverOf(program);
  const args = [...program.program];
  const env: Record<string, string> = {};
  const mode = metadata?.genomeBin?.defaultMode ?? "server";
  args.push(mode);
  addSocket(member, server, wishes, args);
  if (wishes.family !== undefined) {
    env.FAMILY_ID = wishes.family;
    if (server.familyIdFlag !== undefined) args.push(server.familyIdFlag, wishes.family);
  }
  if (wishes.port === undefined && wishes.bind !== undefined) {
    throw refused(member, "--bind", "it is the address of a TCP port", "give --port too");
  }
  const { port, bind } = wishes;
  if (port !== undefined) addTcp(member, server, port, bind, args, env);
  addModes(member, isOwn, wishes, env);
  if (wishes.dataDir !== undefined) {
    if (!isOwn) {
      const next = `hand it over behind --, as ${member} writes it`;
      throw refused(member, "--data-dir", "its metadata has no word for it", next);
    }
    args.push("--data-dir", wishes.dataDir);
  }
  args.push(...wishes.extra ?? []);
  const [first, ...rest] = args;
  return {
    command: [first ?? "", ...rest],
    env,
    tcp: port === undefined ? undefined : { kind: "tcp", host: probedHost(bind), port },
    isTcpProbed: (server.tcpProtocol ?? "jsonrpc-newline") === "jsonrpc-newline",
    abstractNames: wishes.isAbstract ? abstractNames(member, wishes.family) : [],
  };
}

/** The command line as a shell would take it, variables first. */
export function planText({ command, env }: Pick<StartPlan, "command" | "env">): string {
  const words = Object.entries(env).map(([name, value]) => `${name}=${shellWord(value)}`);
  return [...words, ...command.map(shellWord)].join(" ");
}

function serverOf({ metadata, isOwn }: StartProgram): MetadataServer {
  return metadata?.genomeBin?.server ?? (isOwn ? OWN : CONTRACT);
}

function addSocket(
  member: string,
  server: MetadataServer,
  { socket, isAbstract }: StartWishes,
  args: string[],
): void {
  if (isAbstract) {
    if (server.abstractFlag === undefined) {
      throw refused(member, "--abstract", "its metadata names no abstract_flag", "leave it out");
    }
    args.push(server.abstractFlag);
  }
  if (socket === undefined) return;
  if (server.socketFlag === undefined) {
    const next = "leave it out; the member chooses its own socket";
    throw refused(member, "--socket", "its metadata names no socket_flag", next);
  }
  args.push(server.socketFlag, socket);
}

function addTcp(
  member: string,
  server: MetadataServer,
  port: number,
  bind: string | undefined,
  args: string[],
  env: Record<string, string>,
): void {
  const { listenFlag, portFlag, bindFlag } = server;
  const canBind = bindFlag !== undefined && portFlag !== undefined;
  if (listenFlag !== undefined && (portFlag === undefined || (bind !== undefined && !canBind))) {
    args.push(listenFlag, listenText(server.listenFormat, bind ?? LOOPBACK, port));
    return;
  }
  if (portFlag !== undefined) args.push(portFlag, String(port));
  else env[server.tcpPortEnv ?? portVariable(member)] = String(port);
  if (bind === undefined) return;
  if (!canBind) {
    const reason = "its metadata names neither bind_flag nor listen_flag";
    throw refused(member, "--bind", reason, "leave it out; the member chooses the address");
  }
  args.push(bindFlag, bind);
}

/** `{addr}:{port}`, or the words `addr:port`; what names no port is taken for that too. */
function listenText(format: string | undefined, bind: string, port: number): string {
  const host = bind.includes(":") ? `[${bind}]` : bind;
  const usual = `${host}:${port}`;
  if (format === undefined) return usual;
  const pattern = format.includes("{")
    ? /\{(addr|address|bind|host|ip)\}|\{(port)\}/gi
    : /\b(addr|address|bind|host|ip)\b|\b(port)\b/gi;
  let hasPort = false;
  const text = format.replace(pattern, (_, _host, portWord) => {
    if (portWord === undefined) return host;
    hasPort = true;
    return String(port);
  });
  return hasPort ? text : usual;
}

function addModes(
  member: string,
  isOwn: boolean,
  { isDarkForest, securitySocket }: StartWishes,
  env: Record<string, string>,
): void {
  if (isDarkForest) {
    if (member !== "songbird") {
      const next = `leave it out, or set ${variablePrefix(member)}_… as the member documents`;
      throw refused(member, "--dark-forest", "only songbird has such a mode", next);
    }
    env.SONGBIRD_DARK_FOREST = "true";
    env.SONGBIRD_AUTO_DISCOVERY = "true";
  }
  if (securitySocket === undefined) return;
  if (isOwn || member === "beardog") {
    const next = "leave it out";
    throw refused(member, "--beardog-socket", "it asks no other member for security", next);
  }
  env.BEARDOG_SOCKET = securitySocket;
}

function abstractNames(member: string, family: string | undefined): readonly string[] {
  return family === undefined ? [member] : [`${member}-${family}`, member];
}

/** Every address means this machine too, where it is asked. */
function probedHost(bind: string | undefined): string {
  if (bind === undefined || bind === "0.0.0.0") return LOOPBACK;
  return bind === "::" ? "::1" : bind;
}

function refused(member: string, flag: string, reason: string, next: string): NetError {
  return new NetError("usage", `Cannot use ${flag} with ${quote(member)}: ${reason}`, { next });
}

function shellWord(word: string): string {
  return /^[A-Za-z0-9_\-./:=@%+,[\]]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
