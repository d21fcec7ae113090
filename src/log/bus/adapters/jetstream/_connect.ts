/** Makes connections with the library, which is loaded by the first of them. */
import type { JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import type { OpenedConnection } from "../engine/mod.ts";
import { guardSockets } from "./_socket_guard.ts";
import { natsError } from "./errors.ts";
import { LIBRARY_EXTRA_MS } from "./limits.ts";
import type { JetStreamSettings } from "./options.ts";
import { type CreateHeaders, ReplyInbox } from "./_reply_inbox.ts";

/** A connection with what is needed to ask JetStream. */
export interface NatsClient {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly replies: ReplyInbox;
  readonly headers: CreateHeaders;
}

/** Connects; fails with a {@linkcode BusError}. */
export async function openNats(
  settings: JetStreamSettings,
  action: string,
  signal: AbortSignal,
): Promise<OpenedConnection<NatsClient>> {
  const [core, { jetstreamManager }, { NodeTransport }] = await Promise.all([
    import("@nats-io/transport-node"),
    import("@nats-io/jetstream"),
    import("@nats-io/transport-node/lib/node_transport.js"),
  ]);
  guardSockets(NodeTransport);
  const { login } = settings;
  let connection: NatsConnection;
  try {
    connection = await core.connect({
      servers: settings.addresses.map(({ place }) => place),
      ...login !== undefined && "credentials" in login
        ? { authenticator: core.credsAuthenticator(new TextEncoder().encode(login.credentials)) }
        : login,
      tls: settings.tls,
      timeout: settings.connectTimeoutMs,
      // Ours makes the connection again.
      reconnect: false,
      noAsyncTraces: true,
    });
  } catch (error) {
    throw natsError(error, action, settings.redact);
  }
  const client: NatsClient = {
    connection,
    manager: await jetstreamManager(connection, {
      checkAPI: false,
      // Ours is over first, and gives the connection up.
      timeout: settings.requestTimeoutMs + LIBRARY_EXTRA_MS,
    }),
    replies: new ReplyInbox(connection, core.createInbox()),
    headers: core.headers,
  };
  const opened = {
    client,
    ended: connection.closed(),
    close: () => connection.close().catch(() => {}),
  };
  if (signal.aborted) await opened.close();
  return opened;
}
