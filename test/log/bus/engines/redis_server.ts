/** A real Redis server for tests. */
import {
  ask,
  type ServerProcess,
  type ServerProgram,
  serverTest,
  startServer,
} from "./server_process.ts";

const PATHS = ["/usr/bin/redis-server", "/usr/local/bin/redis-server"];

/** A running Redis. */
export interface RedisServer extends ServerProcess {
  /** `redis://127.0.0.1:PORT`. */
  readonly url: string;
  /** Runs inline commands one after another; the replies as the wire has them. */
  run(...lines: string[]): Promise<string[]>;
}

/** A server whose writes are on the disk when it answers. */
function program(args: readonly string[]): ServerProgram {
  return {
    name: "redis-server",
    paths: PATHS,
    debianPackage: "redis-server",
    args: (port, folder) => [
      ...["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
      ...["--appendonly", "yes", "--appendfsync", "always", "--loglevel", "warning"],
      ...args,
    ],
    check: async (port) => {
      const reply = await ask(port, "PING\r\n");
      // A server that wants a password serves too.
      if (!/^\+PONG|^-NOAUTH/.test(reply)) throw new Error(`Redis says ${reply}`);
    },
  };
}

/** The server without further arguments. */
export const REDIS_SERVER = program([]);

/** Registers a test that needs Redis. */
export function redisTest(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  serverTest(REDIS_SERVER, name, fn);
}

/** Starts one, with further arguments. */
export async function startRedis(...args: string[]): Promise<RedisServer> {
  const server = await startServer(program(args));
  return {
    ...server,
    url: `redis://127.0.0.1:${server.port}`,
    run: async (...lines) => {
      const replies = [];
      for (const line of lines) replies.push(await ask(server.port, `${line}\r\n`));
      return replies;
    },
  };
}

/** Adds an entry with a field `d` of any bytes. */
export async function addEntry(port: number, key: string, data: Uint8Array): Promise<void> {
  const encode = (text: string) => new TextEncoder().encode(text);
  const part = (bytes: Uint8Array) => [encode(`$${bytes.length}\r\n`), bytes, encode("\r\n")];
  const words = ["XADD", key, "*", "d"].map(encode);
  const request = [encode("*5\r\n"), ...[...words, data].flatMap(part)];
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new Uint8Array(await new Blob(request as BlobPart[]).arrayBuffer()));
  await connection.read(new Uint8Array(256));
}
