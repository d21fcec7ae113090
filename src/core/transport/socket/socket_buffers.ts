/**
 * Enlarges the kernel buffers of a bound UDP socket on Linux, by FFI.
 *
 * The runtime has no call for it and hides the descriptor, so the descriptor is found by the socket's
 * inode. Where anything of this is not possible the defaults stay.
 */

const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;

/**
 * Asks for buffers of `bytes`; the system's limit applies unless the process is privileged.
 *
 * @param port Local port of the socket.
 * @returns Whether the request reached the socket.
 */
export function enlargeSocketBuffers(port: number, bytes: number): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    const descriptor = findDescriptor(port);
    if (descriptor === undefined) return false;
    using libc = openLibc();
    const value = new Uint8Array(Int32Array.of(bytes).buffer);
    const set = (option: number) =>
      libc.symbols.setsockopt(descriptor, SOL_SOCKET, option, value, value.length) === 0;
    const isReceiveSet = set(SO_RCVBUFFORCE) || set(SO_RCVBUF);
    const isSendSet = set(SO_SNDBUFFORCE) || set(SO_SNDBUF);
    return isReceiveSet && isSendSet;
  } catch {
    return false; // No FFI permission, another libc, or no /proc: the defaults stay.
  }
}

function openLibc() {
  const library = Deno.dlopen("libc.so.6", {
    setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  });
  return { symbols: library.symbols, [Symbol.dispose]: () => library.close() };
}

function findDescriptor(port: number): number | undefined {
  const inodes = new Set<string>();
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const table of ["/proc/self/net/udp", "/proc/self/net/udp6"]) {
    for (const line of Deno.readTextFileSync(table).split("\n")) {
      const fields = line.trim().split(/\s+/);
      const inode = fields[9];
      if (inode !== undefined && fields[1]?.endsWith(suffix)) inodes.add(`socket:[${inode}]`);
    }
  }
  for (const entry of Deno.readDirSync("/proc/self/fd")) {
    try {
      if (inodes.has(Deno.readLinkSync(`/proc/self/fd/${entry.name}`))) return Number(entry.name);
    } catch {
      continue; // Closed since the folder was listed.
    }
  }
  return undefined;
}
