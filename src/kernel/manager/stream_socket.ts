/** What servers need of a listener and its connections, whoever made them: the runtime, or a service manager. */

/** A connection; the runtime's own satisfies it. */
export interface StreamSocket extends Pick<Deno.Conn, "read" | "write" | "close" | "closeWrite"> {
  /** Sends small writes at once; only TCP has it. */
  setNoDelay?(isOn?: boolean): void;
  readonly remoteAddr: Deno.Addr;
}

/** A listener; the runtime's own satisfies it. */
export interface StreamListener {
  /** The next connection; rejects with `Deno.errors.BadResource` once it is closed. */
  accept(): Promise<StreamSocket>;
  close(): void;
}
