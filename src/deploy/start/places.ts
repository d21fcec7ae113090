/**
 * Where a member that is about to start will listen, and making those places free
 * (`validation.md` 3.3, 7.3).
 *
 * Only a socket that nobody listens at is removed; a live one means that the member runs already.
 */
import { NetError } from "../../base/mod.ts";
import { type Environment, PROGRAM_NAME } from "../../config/mod.ts";
import { folderProblem, isSocketLive, socketName, socketPlaces } from "../../control/mod.ts";
import { addressText, connectMember, type MemberAddress, parseAddress } from "../member_address.ts";
import { quote } from "../names.ts";
import type { StartPlan } from "./plan.ts";

/** Time a listener at a port has to take a connection. */
const PROBE_MS = 500;

/** Places that are looked at while a member starts. */
export interface WatchedPlaces {
  /** Each must answer before the member counts as live. */
  readonly required: readonly MemberAddress[];
  /** One of these must answer when nothing is required; otherwise they are reported when live. */
  readonly candidates: readonly MemberAddress[];
}

/** What {@linkcode preparePlaces} looks at. */
export interface PreparePlacesOptions {
  readonly member: string;
  readonly plan: StartPlan;
  /** Absolute path, when the caller named one. */
  readonly socket: string | undefined;
  readonly family: string | undefined;
  /** Environment of the member. */
  readonly env: Environment;
  readonly signal?: AbortSignal;
}

/**
 * Finds the places and clears stale sockets there.
 *
 * @throws NetError `already_running` when the member listens there, `address_in_use` when somebody
 * uses the port, `config_invalid` when something else than a socket is at the path.
 */
export async function preparePlaces(options: PreparePlacesOptions): Promise<WatchedPlaces> {
  const { member, plan, socket, family, env, signal } = options;
  const { tcp } = plan;
  if (tcp !== undefined) await requireFreePort(tcp, signal);
  const required: MemberAddress[] = tcp !== undefined && plan.isTcpProbed ? [tcp] : [];
  if (socket !== undefined) {
    await requireFreeSocket(member, socket, signal);
    const address = parseAddress(socket);
    if (address === undefined) throw tooLong(socket);
    return { required: [...required, address], candidates: [] };
  }
  const candidates: MemberAddress[] = [];
  for (const name of plan.abstractNames) {
    const address = { kind: "abstract", name } as const;
    if (await isFree(address, signal)) candidates.push(address);
  }
  for (const ofFamily of family === undefined ? [undefined] : [family, undefined]) {
    for (const { directory, isShared } of socketPlaces({ env, member })) {
      const path = `${directory === "/" ? "" : directory}/${socketName(member, ofFamily)}`;
      const address = parseAddress(path);
      if (address === undefined) continue;
      if (isShared && folderProblem(directory, Deno.uid()) !== undefined) {
        // It may not be there yet; a member would make it private.
        if (isThere(directory)) continue;
      } else if (ofFamily === family) await requireFreeSocket(member, path, signal);
      // The plain name may be another family's, which is no obstacle and no answer.
      else if (!await isFree(address, signal)) continue;
      candidates.push(address);
    }
  }
  return { required, candidates };
}

async function requireFreePort(
  tcp: Extract<MemberAddress, { kind: "tcp" }>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (await isFree(tcp, signal)) return;
  throw new NetError("address_in_use", `Cannot start: somebody listens on ${addressText(tcp)}`, {
    next: "choose another --port, or stop who uses it",
  });
}

async function requireFreeSocket(
  member: string,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const info = lstatOf(path);
  if (info === undefined) return;
  if (!info.isSocket && !info.isSymlink) {
    throw new NetError(
      "config_invalid",
      `Cannot start ${quote(member)}: something that is not a socket is at ${quote(path)}`,
      { next: "move it away, or choose another path with --socket" },
    );
  }
  const address = parseAddress(path);
  if (address === undefined) throw tooLong(path);
  if (!await isFree(address, signal)) {
    throw new NetError(
      "already_running",
      `Cannot start ${quote(member)}: somebody listens at ${quote(path)}`,
      {
        next: `stop it with ${
          member === PROGRAM_NAME ? "net node stop" : "net stop"
        }, or choose another --socket or --family`,
      },
    );
  }
  // What lies there now may be another file than the one that was asked.
  const again = lstatOf(path);
  if (again === undefined || again.ino !== info.ino || again.uid !== Deno.uid()) return;
  try {
    Deno.removeSync(path);
  } catch {
    // The member itself will say what is in its way.
  }
}

/** Whether nobody listens there; to be connected to is enough, an answer is not waited for. */
async function isFree(address: MemberAddress, signal: AbortSignal | undefined): Promise<boolean> {
  signal?.throwIfAborted();
  if (address.kind === "unix") return !await isSocketLive(address.path);
  const timeout = AbortSignal.timeout(PROBE_MS);
  try {
    const conn = await connectMember(address, timeout);
    conn.close();
    return false;
  } catch {
    // Refused, or an address this machine does not have, of which the member will complain.
    return true;
  }
}

function tooLong(path: string): NetError {
  return new NetError(
    "usage",
    `Cannot use socket path ${quote(path)}: it is longer than 107 bytes`,
    {
      next: "choose a shorter path with --socket",
    },
  );
}

function isThere(path: string): boolean {
  return lstatOf(path) !== undefined;
}

function lstatOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}
