/** A scripted member: answers each line as the test says, over a unix socket or TCP. */

/** What a script does with one request. */
export interface Exchange {
  /** The line as it came. */
  readonly line: string;
  /** The request's method, if the line is JSON. */
  readonly method: string | undefined;
  /** The request's id as JSON text. */
  readonly id: string;
  /** Request's parameters. */
  readonly params: unknown;
  send(text: string | Uint8Array): Promise<void>;
  close(): void;
}

/** Answers a request with text, or does something itself and returns nothing. */
export type Script = (exchange: Exchange) => string | undefined | Promise<string | undefined>;

/** A running fake. */
export interface FakeMember extends AsyncDisposable {
  readonly path: string;
  /** Methods in the order they were asked. */
  readonly asked: string[];
}

/** Starts a member on a unix socket in a temporary folder. */
export async function startFakeMember(script: Script): Promise<FakeMember> {
  const folder = await Deno.makeTempDir({ prefix: "net-fake-" });
  const path = `${folder}/fake.sock`;
  const listener = Deno.listen({ transport: "unix", path });
  const asked: string[] = [];
  const conns = new Set<Deno.Conn>();
  const serving: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const conn of listener) {
      conns.add(conn);
      serving.push(serve(conn, script, asked).finally(() => conns.delete(conn)));
    }
  })().catch(() => {});
  return {
    path,
    asked,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const conn of conns) closeQuietly(conn);
      await accepting;
      await Promise.all(serving);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function serve(conn: Deno.Conn, script: Script, asked: string[]): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    while (true) {
      const buffer = new Uint8Array(65_536);
      const length = await conn.read(buffer);
      if (length === null) break;
      text += decoder.decode(buffer.subarray(0, length), { stream: true });
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        const line = text.slice(0, end);
        text = text.slice(end + 1);
        const exchange = exchangeOf(conn, line);
        if (exchange.method !== undefined) asked.push(exchange.method);
        const reply = await script(exchange);
        if (reply !== undefined) await exchange.send(`${reply}\n`);
      }
    }
  } catch {
    // The validator leaves whenever it has seen enough.
  } finally {
    closeQuietly(conn);
  }
}

function exchangeOf(conn: Deno.Conn, line: string): Exchange {
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
    async send(text) {
      const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
      for (let offset = 0; offset < bytes.length;) {
        offset += await conn.write(bytes.subarray(offset));
      }
    },
    close: () => closeQuietly(conn),
  };
}

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // Closed before.
  }
}

/** Results of a member that does everything right. */
export const GOOD_RESULTS: Readonly<Record<string, unknown>> = {
  "health.liveness": { status: "healthy" },
  "health.readiness": { status: "healthy", version: "1.0", primal: "fake" },
  "health.check": { status: "healthy", version: "1.0", primal: "fake" },
  "identity.get": { primal: "fake", version: "1.0" },
};

/** A script that answers well, except for `overrides`: full lines by method, `@` standing for the id. */
export function goodScript(overrides: Readonly<Record<string, string>> = {}): Script {
  return ({ method, id, params }) => {
    const override = overrides[method ?? ""];
    if (override !== undefined) return override.replace("@", id);
    const result = GOOD_RESULTS[method ?? ""];
    if (result !== undefined && typeof params === "string") {
      return `{"jsonrpc":"2.0","error":{"code":-32602,"message":"params"},"id":${id}}`;
    }
    return result === undefined
      ? `{"jsonrpc":"2.0","error":{"code":-32601,"message":"no"},"id":${id}}`
      : `{"jsonrpc":"2.0","result":${JSON.stringify(result)},"id":${id}}`;
  };
}
