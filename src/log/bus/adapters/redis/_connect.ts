/** Makes connections with the library, which is loaded by the first of them. */
import type { Cluster, Redis, RedisOptions } from "ioredis";
import { BusError } from "../../error.ts";
import type { OpenedConnection } from "../engine/mod.ts";
import { redisError } from "./errors.ts";
import { REDIRECTIONS_MAX } from "./limits.ts";
import type { RedisSettings } from "./options.ts";

/** A server, or all nodes of a cluster. */
export type RedisClient = Redis | Cluster;

/** Connects, and to all nodes where the server is one of a cluster; fails with a {@linkcode BusError}. */
export async function openRedis(
  settings: RedisSettings,
  action: string,
  signal: AbortSignal,
): Promise<OpenedConnection<RedisClient>> {
  // A package in the CommonJS form: what it exports is there twice.
  const { Redis, Cluster } = await import("ioredis");
  const options = libraryOptions(settings);
  const single = new Redis({
    ...options,
    host: settings.address.host,
    port: settings.address.port,
    db: settings.database,
  });
  const server = await ready(single, settings, action, signal);
  if (!await isOfCluster(single, server, action, settings, signal)) return server;
  await server.close();
  if (settings.database !== 0) {
    throw new BusError("fatal", `${action}: a cluster has database 0 only`);
  }
  const { host, port } = settings.address;
  const cluster = new Cluster([{ host, port }], {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRedirections: REDIRECTIONS_MAX,
    // Ours makes the connection again.
    clusterRetryStrategy: () => null,
    slotsRefreshTimeout: settings.commandTimeoutMs,
    redisOptions: options,
  });
  return await ready(cluster, settings, action, signal);
}

function libraryOptions(settings: RedisSettings): RedisOptions {
  return {
    username: settings.user,
    password: settings.password,
    tls: settings.tls === undefined ? undefined : { ca: settings.tls.ca },
    connectTimeout: settings.connectTimeoutMs,
    // Replies of streams look the same in both protocols; this one is understood by all servers.
    protocol: 2,
    disableClientInfo: true,
    lazyConnect: true,
    // Ours asks; the library's waits for as long as the server says, and writes to the console.
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  };
}

/** Asks the server; fails while it loads its data. */
async function isOfCluster(
  client: Redis,
  { close }: OpenedConnection<RedisClient>,
  action: string,
  { address }: RedisSettings,
  signal: AbortSignal,
): Promise<boolean> {
  const onAbort = () => void close();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return /^redis_mode:cluster\r?$/m.test(await client.info("server"));
  } catch (error) {
    const known = redisError(error, action, address.redact);
    // A user who may not ask may all the same read and write.
    if (known.data?.["reply"] === "NOPERM") return false;
    await close();
    throw known;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function ready(
  client: RedisClient,
  { address }: RedisSettings,
  action: string,
  signal: AbortSignal,
): Promise<OpenedConnection<RedisClient>> {
  let failure: unknown;
  // The library tells why in events, and fails the connecting itself with "Connection is closed."
  client.on("error", (error: unknown) => failure = error);
  const ended = new Promise<void>((resolve) => void client.once("end", () => resolve()));
  const close = async () => {
    if (client.status === "end") return;
    // On a connection that is over already it would leave a timer behind.
    if (client.status !== "close") client.disconnect();
    destroySockets(client);
    await ended;
  };
  const onAbort = () => void close();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await client.connect();
    if (client.status !== "ready") throw new BusError("transient", `${action}: it ended at once`);
  } catch (error) {
    await close();
    throw redisError(lastError(failure) ?? error, action, address.redact);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
  return { client, ended, close };
}

/** A server that hangs takes no leave; nobody waits for it to. */
function destroySockets(client: RedisClient): void {
  const nodes = "nodes" in client ? client.nodes("all") : [client];
  for (const { stream } of nodes as { readonly stream?: { destroy(): void } }[]) stream?.destroy();
}

/** A cluster wraps what its last node said. */
function lastError(failure: unknown): unknown {
  const { lastNodeError } = (failure ?? {}) as { lastNodeError?: unknown };
  return lastNodeError ?? failure;
}
