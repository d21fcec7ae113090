/**
 * Keeps the process alive when a socket fails while the library ends it.
 *
 * The library takes all listeners off its socket before it destroys it: after a refused login, or when a connection is
 * closed. An error of the socket that is on its way at that moment, as when the server resets the connection, finds
 * nobody then and would end the process. So every socket that the library makes keeps one listener.
 */

/** The part of a socket that matters here. */
interface Socket {
  removeAllListeners(...names: string[]): unknown;
  on(name: "error", listener: () => void): unknown;
}

type MakeSocket = (...args: unknown[]) => Promise<Socket>;

/** Methods of the library's transport that make a socket, plain or with TLS. */
const MAKERS = ["dial", "startTLS", "tlsFirst"] as const;

/** Transports that are guarded already. */
const guarded = new WeakSet<object>();

/**
 * Guards all sockets of the library; does nothing when it is not built as expected.
 *
 * @param Transport The library's class of transports.
 */
export function guardSockets(Transport: { readonly prototype: object }): void {
  const transport = Transport.prototype as Record<string, unknown>;
  if (guarded.has(transport)) return;
  guarded.add(transport);
  for (const name of MAKERS) {
    const make = transport[name];
    if (typeof make !== "function") continue;
    transport[name] = async function (this: unknown, ...args: unknown[]) {
      return keepListening(await (make as MakeSocket).apply(this, args));
    };
  }
}

function keepListening(socket: Socket): Socket {
  const ignore = () => {};
  const removeAll = socket.removeAllListeners.bind(socket);
  socket.on("error", ignore);
  socket.removeAllListeners = (...names) => {
    removeAll(...names);
    return socket.on("error", ignore);
  };
  return socket;
}
