/** A small JSON-RPC client of the tests' own, so that a fault in ours can't hide itself. */

/** Where a JSON-RPC server listens. */
export type RpcAddress = { readonly socketPath: string } | {
  readonly host: string;
  readonly port: number;
};

/** One reply line. */
export interface RpcReply {
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
  /** The line as it came. */
  readonly line: string;
}

/** Longest wait for one reply. */
const REPLY_TIMEOUT_MS = 10_000;

/** Opens a raw connection. */
export function connectRaw(address: RpcAddress): Promise<Deno.Conn> {
  return "socketPath" in address
    ? Deno.connect({ transport: "unix", path: address.socketPath })
    : Deno.connect({ hostname: address.host, port: address.port });
}

/**
 * Sends one request over a connection of its own and reads its reply line.
 *
 * @throws {Error} When the server closes first or is silent for `timeoutMs`.
 */
export async function rpcRequest(
  address: RpcAddress,
  method: string,
  params: unknown = {},
  timeoutMs = REPLY_TIMEOUT_MS,
): Promise<RpcReply> {
  const connection = await connectRaw(address);
  const timer = setTimeout(() => close(connection), timeoutMs);
  try {
    const request = { jsonrpc: "2.0", id: 1, method, params };
    await writeAll(connection, new TextEncoder().encode(`${JSON.stringify(request)}\n`));
    const line = await readLine(connection);
    return { ...(JSON.parse(line) as Omit<RpcReply, "line">), line };
  } catch (error) {
    throw new Error(`${method} got no reply within ${timeoutMs} ms`, { cause: error });
  } finally {
    clearTimeout(timer);
    close(connection);
  }
}

/** A connection that stays open, for many small calls one after the other. */
export interface RpcClient extends Disposable {
  /** Result of a call; fails on an error reply. */
  call(method: string): Promise<unknown>;
}

/** Opens a connection for many calls. */
export async function openRpc(address: RpcAddress): Promise<RpcClient> {
  const connection = await connectRaw(address);
  let lastId = 0;
  return {
    call: async (method) => {
      const request = { jsonrpc: "2.0", id: ++lastId, method, params: {} };
      await writeAll(connection, new TextEncoder().encode(`${JSON.stringify(request)}\n`));
      const reply = JSON.parse(await readLine(connection)) as Omit<RpcReply, "line">;
      if (reply.error !== undefined) throw new Error(`${method}: ${reply.error.message}`);
      return reply.result;
    },
    [Symbol.dispose]: () => close(connection),
  };
}

/** Writes all of `bytes`. */
export async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length;) {
    offset += await connection.write(bytes.subarray(offset));
  }
}

/** Closes a connection that may be closed already. */
export function close(connection: { close(): void }): void {
  try {
    connection.close();
  } catch {
    // Closed by the time-out, or by the other side.
  }
}

async function readLine(connection: Deno.Conn): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let text = "";
  while (!text.includes("\n")) {
    const count = await connection.read(buffer);
    if (count === null) throw new Error(`The server closed after "${text.slice(0, 200)}"`);
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return text.slice(0, text.indexOf("\n"));
}
