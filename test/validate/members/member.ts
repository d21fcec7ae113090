/** A member made for tests: real sockets, and an answer to each line as its script says. */

/** What a script does with one line. */
export interface Exchange {
  /** The line as it came. */
  readonly line: string;
  /** The request's method, if the line is one request. */
  readonly method: string | undefined;
  /** The request's id as JSON text. */
  readonly id: string;
  /** Request's parameters. */
  readonly params: unknown;
  /** Lines of this connection before this one. */
  readonly linesBefore: number;
  /** The same for all lines of a connection, and for no others. */
  readonly connection: object;
  /** Aborts when the member stops, for scripts that wait. */
  readonly signal: AbortSignal;
  send(text: string | Uint8Array): Promise<void>;
  close(): void;
  /** Ends the sending side only. */
  closeWrite(): Promise<void>;
}

/** Answers a line with text, or does something itself and returns nothing. */
export type Script = (exchange: Exchange) => string | undefined | Promise<string | undefined>;

/** A raw connection, for members that do not care about lines. */
export interface RawPeer {
  readonly conn: Deno.Conn;
  readonly signal: AbortSignal;
  send(text: string | Uint8Array): Promise<void>;
}

/** How a member behaves; an empty one accepts and does nothing. */
export interface Behaviour {
  /** Answers lines. */
  readonly script?: Script;
  /** Comes before any line, and instead of all lines when there is no script. */
  readonly onConnect?: (peer: RawPeer) => Promise<void>;
  /** Connections accepted before the socket is closed. */
  readonly connectionsMax?: number;
  /** True to listen without ever accepting. */
  readonly isDeaf?: boolean;
}

/** Where a member listens. */
export type Transport = "unix" | "tcp" | "abstract";

/** A running member. */
export interface TestMember extends AsyncDisposable {
  /** Endpoint as it is given to the validator. */
  readonly endpoint: string;
  /** Path of the unix socket; empty for other transports. */
  readonly path: string;
  /** Methods in the order they were asked. */
  readonly asked: readonly string[];
  /** Connections accepted. */
  readonly connections: number;
}

let abstractCount = 0;

/** Starts a member. */
export async function startMember(
  behaviour: Behaviour,
  transport: Transport = "unix",
): Promise<TestMember> {
  const folder = await Deno.makeTempDir({ prefix: "net-member-" });
  const path = `${folder}/member.sock`;
  const name = `net-member-${Deno.pid}-${++abstractCount}`;
  const listener = transport === "tcp"
    ? Deno.listen({ hostname: "127.0.0.1", port: 0 })
    : Deno.listen({ transport: "unix", path: transport === "unix" ? path : `\0${name}` });
  const controller = new AbortController();
  const asked: string[] = [];
  const conns = new Set<Deno.Conn>();
  const serving: Promise<void>[] = [];
  let connections = 0;
  const accepting = (async () => {
    if (behaviour.isDeaf) return;
    for await (const conn of listener) {
      connections += 1;
      conns.add(conn);
      const served = serve(conn, behaviour, asked, controller.signal);
      serving.push(served.finally(() => conns.delete(conn)));
      if (connections === behaviour.connectionsMax) return close(listener);
    }
  })().catch(() => {});
  return {
    endpoint: transport === "unix"
      ? path
      : transport === "abstract"
      ? `@${name}`
      : `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`,
    path: transport === "unix" ? path : "",
    asked,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      controller.abort();
      close(listener);
      for (const conn of conns) close(conn);
      await accepting;
      await Promise.all(serving);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Starts a member that only answers lines. */
export function startFakeMember(script: Script): Promise<TestMember> {
  return startMember({ script });
}

/** Waits, but not beyond the end of the member. */
export function wait(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, durationMs);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end);
  });
}

async function serve(
  conn: Deno.Conn,
  { script, onConnect }: Behaviour,
  asked: string[],
  signal: AbortSignal,
): Promise<void> {
  try {
    await onConnect?.({ conn, signal, send: (text) => writeAll(conn, text) });
    if (script !== undefined) await answerLines(conn, script, asked, signal);
    else if (onConnect === undefined) await drain(conn);
  } catch {
    // The validator leaves whenever it has seen enough.
  } finally {
    close(conn);
  }
}

async function answerLines(
  conn: Deno.Conn,
  script: Script,
  asked: string[],
  signal: AbortSignal,
): Promise<void> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let text = "";
  let linesBefore = 0;
  while (true) {
    const length = await conn.read(buffer);
    if (length === null) return;
    text += decoder.decode(buffer.subarray(0, length), { stream: true });
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      const exchange = exchangeOf(conn, line, linesBefore++, signal);
      if (exchange.method !== undefined) asked.push(exchange.method);
      const reply = await script(exchange);
      if (reply !== undefined) await exchange.send(`${reply}\n`);
    }
  }
}

function exchangeOf(
  conn: Deno.Conn,
  line: string,
  linesBefore: number,
  signal: AbortSignal,
): Exchange {
  let request: { method?: unknown; id?: unknown; params?: unknown } = {};
  try {
    request = JSON.parse(line);
  } catch {
    // Scripts see garbage as it is.
  }
  return {
    line,
    method: typeof request?.method === "string" ? request.method : undefined,
    id: JSON.stringify(request?.id ?? null),
    params: request?.params,
    linesBefore,
    connection: conn,
    signal,
    send: (text) => writeAll(conn, text),
    close: () => close(conn),
    closeWrite: () => (conn as Deno.TcpConn | Deno.UnixConn).closeWrite(),
  };
}

async function writeAll(conn: Deno.Conn, text: string | Uint8Array): Promise<void> {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  for (let offset = 0; offset < bytes.length;) offset += await conn.write(bytes.subarray(offset));
}

async function drain(conn: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(65_536);
  while (await conn.read(buffer) !== null);
}

function close(resource: Deno.Conn | Deno.Listener): void {
  try {
    resource.close();
  } catch {
    // Closed before.
  }
}
