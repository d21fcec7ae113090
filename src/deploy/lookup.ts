/**
 * Finds a member by what it can do or by its name (`validation.md` 3.4): the environment, the socket
 * of the family, the plain socket, the members a registry knows for that domain, a known port.
 *
 * A file proves nothing: whoever is found has answered `health.liveness`. What was found dead is
 * remembered by the identity of the socket file, which a new listener never shares.
 */
import { NetError } from "../base/mod.ts";
import { type Environment, parseFamily, parsePort } from "../config/mod.ts";
import { folderProblem, socketName, socketPlaces } from "../control/mod.ts";
import { askLiveness, type LivenessAnswer } from "./liveness.ts";
import { type MemberAddress, parseAddress } from "./member_address.ts";
import { isMemberName, quote, variablePrefix } from "./names.ts";

/** A socket that takes longer for `health.liveness` is stale (`validation.md` 3.4). */
export const LIVENESS_MS = 2000;

/** Dead sockets remembered; a runtime folder holds a few dozen. */
const REMEMBERED_MAX = 256;

/** Members of one domain that are looked at. */
const DOMAIN_MEMBERS_MAX = 16;

/** Where a candidate came from. */
export type LookupSource = "environment" | "family_socket" | "socket" | "registry" | "port";

/** What became of a candidate. */
export type CandidateState =
  | "live"
  | "absent"
  | "dead"
  | "stale"
  | "unreachable"
  | "not_a_socket"
  | "untrusted"
  | "invalid";

/** One place that was looked at. */
export interface Candidate {
  readonly source: LookupSource;
  /** Variable, path or port as the user would write it. */
  readonly text: string;
  readonly address: MemberAddress | undefined;
  readonly state: CandidateState;
  /** For people; `undefined` when it is live. */
  readonly reason: string | undefined;
  /** True when it was known to be dead and not asked again. */
  readonly isRemembered: boolean;
}

/** What a lookup gave. */
export interface LookupResult {
  readonly name: string;
  /** The live one, or else the first place where the member should be; `undefined` for none. */
  readonly address: MemberAddress | undefined;
  readonly source: LookupSource | undefined;
  readonly isLive: boolean;
  /** Everything looked at, in order, up to the live one. */
  readonly candidates: readonly Candidate[];
}

/** What is known of members beside their sockets. */
export interface MemberRegistry {
  /** Names of the members that provide a domain. */
  membersOf(domain: string): readonly string[];
  /** Port of a member on this machine. */
  portOf(name: string): number | undefined;
}

/** What {@linkcode MemberLookup} depends on. */
export interface MemberLookupOptions {
  readonly env: Environment;
  /** Family; the environment's when left out, empty for none. */
  readonly family?: string;
  /** User id; the process's own when left out. */
  readonly uid?: number;
  readonly registry?: MemberRegistry;
  /** Milliseconds a member has to answer: 2,000 when left out. */
  readonly livenessMs?: number;
  /** Asks an address; a test's own. */
  readonly ask?: (address: MemberAddress, signal?: AbortSignal) => Promise<LivenessAnswer>;
}

/** Counts of a session. */
export interface LookupCounters {
  readonly lookups: number;
  /** Addresses that were asked. */
  readonly probes: number;
  /** Times a dead socket was not asked again. */
  readonly remembered: number;
  /** Dead sockets forgotten because there were too many. */
  readonly forgotten: number;
}

/**
 * Family that lookups are for; `undefined` for none.
 *
 * @throws NetError `config_invalid` when the text is no family.
 */
export function familyOf(
  options: { readonly env: Environment; readonly family?: string },
): string | undefined {
  const { env, family } = options;
  const text = family ?? env.NET_FAMILY_ID ?? env.FAMILY_ID ?? "";
  const parsed = parseFamily(text);
  if (parsed !== undefined) return parsed === "" ? undefined : parsed;
  throw new NetError(
    "config_invalid",
    `Cannot use family ${quote(text)}: must be 1 to 32 letters, digits, - or _`,
    { next: "correct --family, NET_FAMILY_ID or FAMILY_ID" },
  );
}

/** One session of lookups. */
export class MemberLookup {
  readonly #options: MemberLookupOptions;
  readonly #family: string | undefined;
  readonly #dead = new Map<string, { readonly identity: string; readonly candidate: Verdict }>();
  readonly #counters = { lookups: 0, probes: 0, remembered: 0, forgotten: 0 };

  /** @throws NetError `config_invalid` when the family is none. */
  constructor(options: MemberLookupOptions) {
    this.#options = options;
    this.#family = familyOf(options);
  }

  get counters(): LookupCounters {
    return { ...this.#counters };
  }

  /**
   * Looks a member up.
   *
   * @throws The signal's reason when it aborts.
   */
  async find(name: string, signal?: AbortSignal): Promise<LookupResult> {
    this.#counters.lookups += 1;
    const candidates: Candidate[] = [];
    for (const place of isMemberName(name) ? this.#places(name) : []) {
      const candidate = { ...place, ...await this.#judge(place, signal) };
      candidates.push(candidate);
      if (candidate.state === "live") return found(name, candidate, candidates);
    }
    // Where something is, though dead, gets a verdict rather than "not found".
    const first = candidates.find(({ state, source }) =>
      ["dead", "stale", "unreachable", "not_a_socket"].includes(state) ||
      (state === "absent" && source === "environment")
    );
    return found(name, first, candidates);
  }

  *#places(name: string): Generator<Place> {
    const { env, registry } = this.#options;
    const prefix = variablePrefix(name);
    const socket = env[`${prefix}_SOCKET`];
    if (socket !== undefined && socket !== "") {
      const text = `${prefix}_SOCKET=${socket}`;
      yield { source: "environment", text, address: parseAddress(socket), isShared: false };
    }
    const portText = env[`${prefix}_PORT`];
    if (portText !== undefined && portText !== "") {
      const text = `${prefix}_PORT=${portText}`;
      yield {
        source: "environment",
        text,
        address: loopback(parsePort(portText)),
        isShared: false,
      };
    }
    yield* this.#sockets(name, undefined);
    const others = registry?.membersOf(name).filter((other) => other !== name) ?? [];
    const members = others.filter(isMemberName).slice(0, DOMAIN_MEMBERS_MAX);
    for (const member of members) yield* this.#sockets(member, "registry");
    for (const member of [name, ...members]) {
      const port = registry?.portOf(member);
      const address = loopback(port);
      if (address !== undefined) {
        yield { source: "port", text: `${member} on port ${port}`, address, isShared: false };
      }
    }
  }

  *#sockets(member: string, source: LookupSource | undefined): Generator<Place> {
    const { env, uid } = this.#options;
    for (const family of this.#family === undefined ? [undefined] : [this.#family, undefined]) {
      const fileName = socketName(member, family);
      for (const { directory, isShared } of socketPlaces({ env, uid, member })) {
        const path = `${directory === "/" ? "" : directory}/${fileName}`;
        const ofFile = family === undefined ? "socket" : "family_socket";
        const address = parseAddress(path);
        yield { source: source ?? ofFile, text: path, address, isShared };
      }
    }
  }

  async #judge(place: Place, signal: AbortSignal | undefined): Promise<Verdict> {
    const { address, isShared } = place;
    if (address === undefined) return verdict("invalid", "it is no address");
    if (address.kind !== "unix") return this.#probe(address, signal);
    const { path } = address;
    const info = statOf(path);
    if (info === undefined) return verdict("absent", "no such file");
    if (isShared) {
      const directory = path.slice(0, path.lastIndexOf("/"));
      const problem = folderProblem(directory, this.#options.uid ?? Deno.uid());
      if (problem !== undefined) return verdict("untrusted", `its folder is not safe: ${problem}`);
    }
    if (info === "dangling") return verdict("dead", "the link leads nowhere");
    if (!info.isSocket) return verdict("not_a_socket", "something else than a socket is there");
    const identity = [info.dev, info.ino, info.ctime?.getTime(), info.mtime?.getTime()].join(":");
    const known = this.#dead.get(path);
    if (known?.identity === identity) {
      this.#counters.remembered += 1;
      return { ...known.candidate, isRemembered: true };
    }
    const candidate = await this.#probe(address, signal);
    if (candidate.state === "live") this.#dead.delete(path);
    else this.#remember(path, identity, candidate);
    return candidate;
  }

  async #probe(address: MemberAddress, signal: AbortSignal | undefined): Promise<Verdict> {
    this.#counters.probes += 1;
    const timeoutMs = this.#options.livenessMs ?? LIVENESS_MS;
    const ask = this.#options.ask ??
      ((where, abort) => askLiveness(where, { timeoutMs, signal: abort }));
    const { state, reason } = await ask(address, signal);
    switch (state) {
      case "live":
      case "answering":
        // Somebody is there and talks; whether it says the right thing is the validator's to judge.
        return verdict("live", reason);
      case "silent":
        return verdict("stale", reason);
      default:
        return verdict(state, reason);
    }
  }

  #remember(path: string, identity: string, candidate: Verdict): void {
    this.#dead.delete(path);
    this.#dead.set(path, { identity, candidate });
    if (this.#dead.size <= REMEMBERED_MAX) return;
    for (const oldest of this.#dead.keys()) {
      this.#dead.delete(oldest);
      this.#counters.forgotten += 1;
      return;
    }
  }
}

interface Place {
  readonly source: LookupSource;
  readonly text: string;
  readonly address: MemberAddress | undefined;
  /** True below a folder that everybody may write to. */
  readonly isShared: boolean;
}

type Verdict = Pick<Candidate, "state" | "reason" | "isRemembered">;

function verdict(state: CandidateState, reason: string | undefined): Verdict {
  return { state, reason, isRemembered: false };
}

function found(
  name: string,
  candidate: Candidate | undefined,
  candidates: readonly Candidate[],
): LookupResult {
  return {
    name,
    address: candidate?.address,
    source: candidate?.source,
    isLive: candidate?.state === "live",
    candidates,
  };
}

function loopback(port: number | undefined): MemberAddress | undefined {
  return port === undefined || port === 0 ? undefined : { kind: "tcp", host: "127.0.0.1", port };
}

function statOf(path: string): Deno.FileInfo | "dangling" | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    // Absent and hidden are the same to us; a link to nothing is not.
  }
  try {
    return Deno.lstatSync(path).isSymlink ? "dangling" : undefined;
  } catch {
    return undefined;
  }
}
