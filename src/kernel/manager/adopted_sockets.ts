/**
 * The sockets a service manager opened for this node, by what is served on them.
 *
 * A unit names its sockets `control`, `port` and `http`. Sockets without such a name are told apart where only
 * one thing is meant: a unix socket is the control surface, one internet socket is its TCP form. What cannot be
 * served is refused: clients would wait on it for ever.
 */
import { NetError } from "../../base/mod.ts";
import { type AdoptedSocket, adoptListener } from "./_adopted_listener.ts";
import { describeDescriptors, type DescriptorFacts } from "./_descriptor_facts.ts";
import type { PassedSocket } from "./environment.ts";
import type { StreamListener } from "./stream_socket.ts";

export type { AdoptedSocket };

/** What is served on a socket. */
export type SocketRole = "control" | "port" | "http";

/** The control surface's unix socket. */
export interface AdoptedUnix extends StreamListener {
  accept(): Promise<AdoptedSocket>;
  readonly path: string;
}

/** A TCP socket. */
export interface AdoptedTcp extends StreamListener {
  readonly address: { readonly host: string; readonly port: number };
}

/** Sockets that were taken over; each belongs to whoever serves it. */
export interface AdoptedSockets {
  readonly control?: AdoptedUnix;
  readonly port?: AdoptedTcp;
  readonly http?: AdoptedTcp;
}

/** Finds out what descriptors are; a test has its own. */
export type DescribeDescriptors = (descriptors: readonly number[]) => readonly DescriptorFacts[];

/**
 * Takes over the sockets that were passed.
 *
 * @throws NetError `config_invalid` for a socket that is not for a node, or is there twice.
 */
export async function adoptSockets(passed: readonly PassedSocket[]): Promise<AdoptedSockets> {
  const roles = assignRoles(passed, describeOrRefuse);
  const sockets: { control?: AdoptedUnix; port?: AdoptedTcp; http?: AdoptedTcp } = {};
  for (const [role, { descriptor, path }] of roles) {
    const listener = await adoptListener(descriptor);
    const { address } = listener;
    const bare = {
      accept: () => listener.accept(),
      close: () => listener.close(),
    };
    if (role === "control" && path !== undefined) sockets.control = { ...bare, path };
    else if (role !== "control" && address !== undefined) sockets[role] = { ...bare, address };
  }
  return sockets;
}

/** Which descriptor serves what, with the path of a unix socket. */
export function assignRoles(
  passed: readonly PassedSocket[],
  describe: DescribeDescriptors,
): ReadonlyMap<SocketRole, { readonly descriptor: number; readonly path: string | undefined }> {
  const roles = new Map<SocketRole, { descriptor: number; path: string | undefined }>();
  if (passed.length === 0) return roles;
  const facts = describe(passed.map(({ descriptor }) => descriptor));
  passed.forEach((socket, i) => {
    const fact = facts[i];
    if (fact === undefined) return;
    const role = roleOf(socket, fact, passed.length);
    if (roles.has(role)) throw refusal(socket, `a second one for "${role}"`);
    roles.set(role, { descriptor: socket.descriptor, path: fact.path });
  });
  return roles;
}

function describeOrRefuse(descriptors: readonly number[]): readonly DescriptorFacts[] {
  try {
    return describeDescriptors(descriptors);
  } catch (error) {
    throw new NetError("failed", "Cannot use passed sockets: the C library cannot be called", {
      cause: error,
      next: "allow FFI to the program, or let it open its sockets itself",
    });
  }
}

function roleOf(socket: PassedSocket, fact: DescriptorFacts, count: number): SocketRole {
  const { kind, domain, isListening, path } = fact;
  if (kind === "none") throw refusal(socket, "no open socket");
  if (kind === "datagram") {
    throw refusal(socket, "for datagrams: the mesh binds its own, with --udp");
  }
  if (kind === "other" || domain === "other") throw refusal(socket, "neither unix nor TCP");
  if (!isListening) throw refusal(socket, "one connection: the unit must say Accept=no");
  if (domain === "unix") {
    if (socket.name === "port" || socket.name === "http") throw refusal(socket, "not TCP");
    if (path === undefined || path.startsWith("@")) {
      throw refusal(socket, "without a path in the file system");
    }
    return "control";
  }
  if (socket.name === "control") throw refusal(socket, "not a unix socket");
  if (socket.name === "port" || socket.name === "http") return socket.name;
  if (count <= 2) return "port";
  throw refusal(socket, "without a name that says what it is for");
}

function refusal({ descriptor, name }: PassedSocket, what: string): NetError {
  const called = name === "" ? "" : ` "${name}"`;
  return new NetError(
    "config_invalid",
    `Cannot use passed socket ${descriptor}${called}: it is ${what}`,
    {
      next: "name the sockets of the unit with FileDescriptorName=control, port or http",
    },
  );
}
