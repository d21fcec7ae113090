/**
 * `net start --composition`: members in the order in which they need each other (promise V-a).
 *
 * Each must answer before the next one starts. When one that is required does not come up, or the
 * caller leaves, those that were started are stopped, the last one first; what ran before is left
 * alone.
 */
import { NetError, toNetError } from "../../base/mod.ts";
import { type Environment, PROGRAM_NAME } from "../../config/mod.ts";
import { connectControl } from "../../control/mod.ts";
import type { Composition, CompositionMember } from "../composition/composition.ts";
import { askLiveness } from "../liveness.ts";
import { MemberLookup } from "../lookup.ts";
import { addressText, parseAddress } from "../member_address.ts";
import { quote } from "../names.ts";
import { type ToolkitRegistry, usualPort } from "../registry.ts";
import { readMetadata } from "../toolkit.ts";
import { startOrder } from "./order.ts";
import { findProgram, instanceName } from "./program.ts";
import type { MemberRecords } from "./records.ts";
import { START_WAIT_MS, startMember } from "./start_member.ts";
import { stopMember, type StoppedMember } from "./stop_member.ts";

/** Time between SIGTERM and SIGKILL when a start is taken back. */
const TAKE_BACK_MS = 3000;

/** Time a node of ours has to make a ticket. */
const TICKET_MS = 5000;

/** Options of {@linkcode startComposition}. */
export interface StartCompositionOptions {
  readonly composition: Composition;
  /** Folder of the toolkit; it need not exist. */
  readonly toolkit: string | undefined;
  readonly registry: ToolkitRegistry;
  readonly records: MemberRecords;
  /** Command that runs this program, without arguments of its own. */
  readonly own: readonly [string, ...string[]];
  readonly env: Environment;
  readonly cwd: string;
  /** Family of members that have none of their own. */
  readonly family?: string;
  /** True to give each member its usual TCP port. */
  readonly usesPorts?: boolean;
  readonly bind?: string;
  /** Milliseconds that each member has: 2,000 when left out. */
  readonly waitMs?: number;
  /** Hears of each member as soon as it is known. */
  readonly onMember?: (member: ComposedMember) => void;
  /** Hears of what went wrong without consequence. */
  readonly onWarning?: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** What became of one member. */
export interface ComposedMember {
  readonly name: string;
  /**
   * `started` now, `running` before, `external` where the file says, `failed` though it is not
   * required.
   */
  readonly status: "started" | "running" | "external" | "failed";
  readonly endpoints: readonly string[];
  /** `undefined` unless it was started now. */
  readonly pid: number | undefined;
  /** Why it failed. */
  readonly error: NetError | undefined;
}

/**
 * Members in the order they are started in.
 *
 * @throws NetError `usage` when they wait for each other or a metadata file cannot be understood.
 */
export async function compositionOrder(
  composition: Composition,
  toolkit: string | undefined,
): Promise<readonly CompositionMember[]> {
  const { members } = composition;
  const ordered = await Promise.all(members.map(async (member) => {
    const metadata = toolkit === undefined ? undefined : await readMetadata(toolkit, member.primal);
    const { after = [], wants = [] } = metadata?.genomeBin?.service ?? {};
    const names = new Set([...member.after, ...after, ...wants]);
    const before = members.filter(({ name, primal }) => names.has(name) || names.has(primal));
    return { name: member.name, after: before.map(({ name }) => name), member };
  }));
  return startOrder(ordered).map(({ member }) => member);
}

/**
 * Starts a composition.
 *
 * @throws NetError `failed` with the member, its log and what was stopped when a required member does
 * not come up; `usage` when it cannot be started at all; the signal's reason when it aborts.
 */
export async function startComposition(
  options: StartCompositionOptions,
): Promise<readonly ComposedMember[]> {
  const { composition, toolkit } = options;
  const members = await compositionOrder(composition, toolkit);
  const run = new Run(options);
  const done: ComposedMember[] = [];
  try {
    for (const member of members) {
      const composed = await run.start(member);
      done.push(composed);
      options.onMember?.(composed);
    }
    return done;
  } catch (error) {
    const stopped = await run.takeBack();
    options.signal?.throwIfAborted();
    const { code, message, next, data } = toNetError(error, "Cannot start a member");
    const names = stopped.map(({ name }) => name);
    const after = names.length === 0 ? "" : `; ${names.join(", ")} was stopped again`;
    const what = `Cannot start composition ${quote(composition.name)}: ${message}${after}`;
    throw new NetError(code, what, {
      cause: error,
      next,
      data: { ...data, stopped: names },
    });
  }
}

class Run {
  readonly #options: StartCompositionOptions;
  /** Names of what was started, in order. */
  readonly #started: string[] = [];
  #ticket: string | undefined;

  constructor(options: StartCompositionOptions) {
    this.#options = options;
  }

  async start(member: CompositionMember): Promise<ComposedMember> {
    const { name } = member;
    try {
      return member.endpoint === undefined
        ? await this.#startHere(member)
        : await this.#external(name, member.endpoint);
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      if (!(error instanceof NetError)) throw error;
      if (error.code === "already_running") return await this.#running(member, error);
      if (member.isRequired) throw error;
      return { name, status: "failed", endpoints: [], pid: undefined, error };
    }
  }

  /** Stops what was started, the last one first. */
  async takeBack(): Promise<readonly StoppedMember[]> {
    const stopped: StoppedMember[] = [];
    for (const name of this.#started.reverse()) {
      try {
        stopped.push(await stopMember(this.#options.records, name, { waitMs: TAKE_BACK_MS }));
      } catch (error) {
        const { message } = toNetError(error, `Cannot stop ${name}`);
        this.#options.onWarning?.(`${message}: it may still run`);
      }
    }
    return stopped;
  }

  async #startHere(member: CompositionMember): Promise<ComposedMember> {
    const { toolkit, registry, records, own, env, cwd, bind, signal } = this.#options;
    const program = await findProgram(this.#primalOf(member), { toolkit, cwd, own });
    const family = member.family ?? this.#options.family;
    const port = this.#options.usesPorts
      ? usualPort(registry, member.name, undefined) ??
        usualPort(registry, program.member, program.metadata)
      : undefined;
    if (this.#options.usesPorts && port === undefined) {
      throw new NetError(
        "usage",
        `Cannot start ${quote(member.name)}: its usual port is not known`,
        {
          next: "write it into the toolkit's ports.env, or leave --port out",
        },
      );
    }
    const name = member.family === undefined ? instanceName(member.name, family) : member.name;
    const isNode = program.member === PROGRAM_NAME;
    const ticket = isNode && !env.NET_TICKET ? this.#ticket : undefined;
    const { record } = await startMember({
      program,
      wishes: { family, port, ...(port === undefined ? {} : { bind }) },
      records,
      env,
      secrets: ticket === undefined ? {} : { NET_TICKET: ticket },
      name,
      composition: this.#options.composition.name,
      waitMs: this.#options.waitMs,
      signal,
    });
    this.#started.push(name);
    if (isNode) await this.#askTicket(record.endpoints);
    const { endpoints, pid } = record;
    return { name: member.name, status: "started", endpoints, pid, error: undefined };
  }

  /** A member that is named by what it can do is the toolkit's first one that does. */
  #primalOf({ primal }: CompositionMember): string {
    const { registry } = this.#options;
    if (primal === PROGRAM_NAME || registry.manifest?.primals.has(primal)) return primal;
    return registry.membersOf(primal)[0] ?? primal;
  }

  async #external(name: string, endpoint: string): Promise<ComposedMember> {
    const address = parseAddress(endpoint);
    if (address !== undefined) {
      const { waitMs = START_WAIT_MS, signal } = this.#options;
      const { state, reason } = await askLiveness(address, { timeoutMs: waitMs, signal });
      if (state !== "live") {
        throw new NetError(
          "failed",
          `Member ${quote(name)} at ${endpoint} is not live: ${reason}`,
          {
            next: "start it there, or take its endpoint out of the composition",
          },
        );
      }
    }
    return { name, status: "external", endpoints: [endpoint], pid: undefined, error: undefined };
  }

  async #running(member: CompositionMember, error: NetError): Promise<ComposedMember> {
    const { env, family, registry, signal } = this.#options;
    const lookup = new MemberLookup({ env, family: member.family ?? family, registry });
    const { address, isLive } = await lookup.find(this.#primalOf(member), signal);
    const known = Array.isArray(error.data?.endpoints) ? error.data.endpoints.map(String) : [];
    const endpoints = isLive && address !== undefined ? [addressText(address)] : known;
    if (this.#primalOf(member) === PROGRAM_NAME) await this.#askTicket(endpoints);
    return { name: member.name, status: "running", endpoints, pid: undefined, error: undefined };
  }

  /** The nodes of a composition join the first of them. */
  async #askTicket(endpoints: readonly string[]): Promise<void> {
    if (this.#ticket !== undefined) return;
    const nodes = this.#options.composition.members.filter(({ primal }) => primal === PROGRAM_NAME);
    const path = endpoints.find((text) => text.startsWith("unix:"))?.slice(5);
    if (nodes.length < 2 || path === undefined) return;
    const signal = AbortSignal.timeout(TICKET_MS);
    try {
      await using client = await connectControl({ socketPath: path, signal });
      const result = await client.call("node.ticket", {}, { signal });
      const ticket = typeof result === "object" && result !== null && "ticket" in result
        ? result.ticket
        : undefined;
      if (typeof ticket === "string") this.#ticket = ticket;
    } catch (error) {
      const { message } = toNetError(error, "Cannot make a ticket");
      this.#options.onWarning?.(`the other nodes do not join the first one: ${message}`);
    }
  }
}
