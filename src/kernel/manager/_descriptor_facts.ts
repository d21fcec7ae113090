/**
 * What kind of socket a descriptor is, asked of the C library, and keeping it from the processes that this one
 * starts. Only for Linux, as are the managers that pass sockets on.
 */

const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SO_DOMAIN = 39;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
/** `sockaddr_un`: two bytes of family, then the path. */
const PATH_OFFSET = 2;
const SOCKADDR_BYTES = 110;

/** A descriptor. */
export interface DescriptorFacts {
  readonly kind: "stream" | "datagram" | "other" | "none";
  readonly domain: "unix" | "internet" | "other";
  /** True when connections can be accepted from it. */
  readonly isListening: boolean;
  /** Path of a unix socket; an abstract name begins with `@`. */
  readonly path: string | undefined;
}

/**
 * Looks at descriptors, and keeps each for this process alone.
 *
 * @throws Error where the C library cannot be called.
 */
export function describeDescriptors(descriptors: readonly number[]): readonly DescriptorFacts[] {
  const libc = Deno.dlopen("libc.so.6", {
    getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
    getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
    fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  });
  const value = new Int32Array(1);
  const length = new Uint32Array(1);
  const [valueBytes, lengthBytes] = [new Uint8Array(value.buffer), new Uint8Array(length.buffer)];
  const option = (descriptor: number, name: number): number | undefined => {
    length[0] = value.byteLength;
    const { getsockopt } = libc.symbols;
    return getsockopt(descriptor, SOL_SOCKET, name, valueBytes, lengthBytes) === 0
      ? value[0]
      : undefined;
  };
  const pathOf = (descriptor: number): string | undefined => {
    const address = new Uint8Array(SOCKADDR_BYTES);
    length[0] = SOCKADDR_BYTES;
    if (libc.symbols.getsockname(descriptor, address, lengthBytes) !== 0) return undefined;
    return pathText(address.subarray(PATH_OFFSET, length[0]));
  };
  try {
    return descriptors.map((descriptor) => {
      const type = option(descriptor, SO_TYPE);
      if (type === undefined) {
        return { kind: "none", domain: "other", isListening: false, path: undefined };
      }
      libc.symbols.fcntl(descriptor, F_SETFD, FD_CLOEXEC);
      const domain = domainOf(option(descriptor, SO_DOMAIN));
      return {
        kind: type === SOCK_STREAM ? "stream" : type === SOCK_DGRAM ? "datagram" : "other",
        domain,
        isListening: option(descriptor, SO_ACCEPTCONN) === 1,
        path: domain === "unix" ? pathOf(descriptor) : undefined,
      };
    });
  } finally {
    libc.close();
  }
}

function domainOf(number: number | undefined): DescriptorFacts["domain"] {
  if (number === AF_UNIX) return "unix";
  return number === AF_INET || number === AF_INET6 ? "internet" : "other";
}

/** A path ends at its zero; an abstract name begins with one. */
function pathText(bytes: Uint8Array): string | undefined {
  const isAbstract = bytes[0] === 0 && bytes.length > 1;
  const end = bytes.indexOf(0, isAbstract ? 1 : 0);
  const text = new TextDecoder().decode(
    bytes.subarray(isAbstract ? 1 : 0, end < 0 ? undefined : end),
  );
  return text === "" ? undefined : `${isAbstract ? "@" : ""}${text}`;
}
