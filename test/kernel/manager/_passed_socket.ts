/** Descriptors as a service manager passes them: copies of sockets that somebody else bound. */

/** A bound socket, and a descriptor of it that nobody uses yet. */
export interface BoundSocket extends Disposable {
  readonly descriptor: number;
  /** Address of the listener it is a copy of. */
  readonly listener: Deno.Listener;
}

/** Binds a listener that itself accepts nothing, and copies its descriptor. */
export function bindForOther(options: { path: string } | { port: number }): BoundSocket {
  const before = sockets();
  const listener = "path" in options
    ? Deno.listen({ transport: "unix", path: options.path })
    : Deno.listen({ hostname: "127.0.0.1", port: options.port });
  const [original] = sockets().filter((number) => !before.includes(number));
  if (original === undefined) throw new Error("The listener's descriptor was not found");
  const libc = Deno.dlopen("libc.so.6", { dup: { parameters: ["i32"], result: "i32" } });
  const descriptor = libc.symbols.dup(original);
  libc.close();
  return { descriptor, listener, [Symbol.dispose]: () => listener.close() };
}

function sockets(): readonly number[] {
  const found: number[] = [];
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      if (Deno.readLinkSync(`/proc/self/fd/${name}`).startsWith("socket:")) {
        found.push(Number(name));
      }
    } catch {
      // Closed since it was listed.
    }
  }
  return found;
}
