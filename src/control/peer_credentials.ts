/**
 * Who is at the other end of a unix socket, and whether it still is: `SO_PEERCRED` and `poll` by FFI on Linux
 * (`decisions.md` 1).
 *
 * The runtime shows no descriptor of an accepted unix connection, so it is found: connections are
 * accepted one at a time, and the new one is the only socket of this process whose local address is
 * ours and whose kernel cookie was not seen before. Cookies are never used twice, so a closed
 * connection cannot pass for a new one. Should several look new, all of them must satisfy the check.
 *
 * Where FFI is not allowed, or the system is another one, nothing is known of the peer and the modes
 * of folder (0700) and socket (0600) alone keep others out.
 */

import type { AdoptedSocket, StreamSocket } from "../kernel/mod.ts";

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_COOKIE = 57;
const AF_UNIX = 1;
const POLLERR = 0x0008;
const POLLHUP = 0x0010;
/** `struct pollfd`: descriptor, wanted events, events that there are. */
const POLLFD_BYTES = 8;
const REVENTS_OFFSET = 6;
const SOCKADDR_BYTES = 110;

/** Descriptors looked at; the kernel hands out the lowest free one, so a new one is never far. */
const DESCRIPTORS_MAX = 65_536;

/** A user that is neither root nor ourselves. */
const NOBODY = -1;

/** This many descriptors in a row that are no open sockets end the search. */
const GAP_MAX = 512;

/** The process behind one connection. */
export interface PeerIdentity {
  readonly uid: number;
  /**
   * True when it has closed both directions, not only its own; false where that is not known. Not to be asked of a
   * connection that was closed here.
   */
  isGone(): boolean;
  /** Tells that the connection was closed, so that its descriptor is looked at again. */
  release(): void;
}

/** Identities of accepted connections. */
export interface PeerCredentials {
  /**
   * Who opened `conn`, which must be the connection accepted last; `undefined` when it was not found. Call it once
   * right after each accept, before the next.
   */
  identify(conn: StreamSocket): PeerIdentity | undefined;
  /** Releases the library. */
  close(): void;
}

/**
 * Opens the check for a listener bound to `path`; `undefined` where it is not possible.
 *
 * @param path Path given to bind, as the kernel knows it.
 */
export function openPeerCredentials(path: string): PeerCredentials | undefined {
  if (Deno.build.os !== "linux") return undefined;
  let libc: ReturnType<typeof openLibc>;
  try {
    libc = openLibc();
  } catch {
    return undefined; // No FFI permission or another libc: the modes alone must do.
  }
  const wanted = new TextEncoder().encode(path);
  const address = new Uint8Array(SOCKADDR_BYTES);
  const addressView = new DataView(address.buffer);
  const cookie = new BigUint64Array(1);
  const credentials = new Int32Array(3);
  const length = new Uint32Array(1);
  const bytesOf = (array: BigUint64Array<ArrayBuffer> | Int32Array<ArrayBuffer>) =>
    new Uint8Array(array.buffer);
  const [cookieBytes, credentialBytes, lengthBytes] = [
    bytesOf(cookie),
    bytesOf(credentials),
    new Uint8Array(length.buffer),
  ];
  const pollBytes = new Uint8Array(POLLFD_BYTES);
  const pollView = new DataView(pollBytes.buffer);
  const hasHungUp = (descriptor: number): boolean => {
    pollView.setInt32(0, descriptor, true);
    pollView.setInt32(4, 0, true);
    libc.symbols.poll(pollBytes, 1n, 0);
    return (pollView.getInt16(REVENTS_OFFSET, true) & (POLLERR | POLLHUP)) !== 0;
  };
  /** Cookie of the socket seen last at each descriptor. */
  const seen = new Map<number, bigint>();
  /** Descriptors of connections that are open for certain. */
  const held = new Set<number>();

  const isOurs = (descriptor: number): "ours" | "other" | "closed" => {
    length[0] = SOCKADDR_BYTES;
    if (libc.symbols.getsockname(descriptor, address, lengthBytes) !== 0) return "closed";
    if (addressView.getUint16(0, true) !== AF_UNIX) return "other";
    // A socket without a name leaves the bytes of the one before where they are.
    if ((length[0] ?? 0) < 2 + wanted.length) return "other";
    for (let i = 0; i < wanted.length; i++) if (address[2 + i] !== wanted[i]) return "other";
    return address[2 + wanted.length] === 0 || length[0] === 2 + wanted.length ? "ours" : "other";
  };
  const option = (descriptor: number, name: number, into: Uint8Array<ArrayBuffer>): boolean => {
    length[0] = into.length;
    return libc.symbols.getsockopt(descriptor, SOL_SOCKET, name, into, lengthBytes) === 0;
  };
  /** Looks at all descriptors not known to be open connections; returns the sockets not seen before. */
  const findNew = (): { readonly descriptor: number; readonly uid: number }[] => {
    const found: { readonly descriptor: number; readonly uid: number }[] = [];
    let gap = 0;
    for (let descriptor = 0; descriptor < DESCRIPTORS_MAX && gap < GAP_MAX; descriptor++) {
      if (held.has(descriptor)) {
        gap = 0;
        continue;
      }
      const kind = isOurs(descriptor);
      gap = kind === "closed" ? gap + 1 : 0;
      if (kind !== "ours" || !option(descriptor, SO_COOKIE, cookieBytes)) {
        seen.delete(descriptor);
        continue;
      }
      const value = cookie[0] ?? 0n;
      if (seen.get(descriptor) === value) continue;
      seen.set(descriptor, value);
      const uid = option(descriptor, SO_PEERCRED, credentialBytes) ? credentials[1] : undefined;
      if (uid !== undefined) found.push({ descriptor, uid });
    }
    return found;
  };
  findNew(); // The listener itself has our address too.
  return {
    identify() {
      const found = findNew();
      // The strictest of the candidates decides: somebody else wins over root and ourselves.
      const newest = found.find(({ uid }) => !isTrustedUid(uid)) ?? found[0];
      if (newest === undefined) return undefined;
      const { descriptor, uid } = newest;
      held.add(descriptor);
      return {
        uid,
        // Of several candidates nobody knows which one it is.
        isGone: () => found.length === 1 && held.has(descriptor) && hasHungUp(descriptor),
        release: () => void held.delete(descriptor),
      };
    },
    close: () => libc.close(),
  };
}

/**
 * The check for connections whose descriptors are known, as those of a socket that a service manager opened.
 *
 * Several of these may be accepted in one turn, so none is searched for: one without a descriptor is nobody's.
 */
export function openDescriptorCredentials(): PeerCredentials {
  const libc = openLibc();
  const credentials = new Int32Array(3);
  const credentialBytes = new Uint8Array(credentials.buffer);
  const length = new Uint32Array(1);
  const lengthBytes = new Uint8Array(length.buffer);
  const request = new Uint8Array(POLLFD_BYTES);
  const requestView = new DataView(request.buffer);
  const uidOf = (descriptor: number): number => {
    length[0] = credentialBytes.length;
    const { getsockopt } = libc.symbols;
    const status = getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, credentialBytes, lengthBytes);
    return status === 0 ? credentials[1] ?? NOBODY : NOBODY;
  };
  return {
    identify(conn) {
      const descriptor = (conn as Partial<AdoptedSocket>).descriptor;
      let isHeld = descriptor !== undefined;
      return {
        uid: descriptor === undefined ? NOBODY : uidOf(descriptor),
        isGone: () => {
          if (!isHeld || descriptor === undefined) return false;
          requestView.setInt32(0, descriptor, true);
          requestView.setInt32(4, 0, true);
          libc.symbols.poll(request, 1n, 0);
          return (requestView.getInt16(REVENTS_OFFSET, true) & (POLLERR | POLLHUP)) !== 0;
        },
        release: () => void (isHeld = false),
      };
    },
    close: () => libc.close(),
  };
}

/** True for our own user and for root. */
export function isTrustedUid(uid: number): boolean {
  return uid === 0 || uid === Deno.uid();
}

function openLibc() {
  return Deno.dlopen("libc.so.6", {
    getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
    poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
    getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  });
}
