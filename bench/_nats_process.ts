/** A NATS client in a process of its own, as requester or responder, told what to do by JSON lines. */
import { connect, type NatsConnection } from "@nats-io/transport-node";
import process from "node:process";
import { serveLines } from "../test/interop/serve_lines.ts";
import { type CallFigures, type CallLoad, measureCalls } from "./_call_load.ts";

/** Every operation: its arguments and its result. */
export interface NatsOperations {
  connect: [{ port: number }, null];
  serve: [Record<never, never>, null];
  calls: [CallLoad, CallFigures];
  cpuSeconds: [Record<never, never>, number];
}

type Handlers = {
  [Name in keyof NatsOperations]: (
    args: NatsOperations[Name][0],
  ) => NatsOperations[Name][1] | Promise<NatsOperations[Name][1]>;
};

const SUBJECT = "echo";
const TIMEOUT_MS = 10_000;

function createHandlers(): Handlers {
  let connection: NatsConnection | undefined;
  const connected = (): NatsConnection => {
    if (connection === undefined) throw new Error("The client is not connected");
    return connection;
  };
  return {
    connect: async ({ port }) => {
      connection = await connect({ servers: `127.0.0.1:${port}` });
      return null;
    },
    serve: async () => {
      connected().subscribe(SUBJECT, {
        callback: (_error, message) => void message.respond(message.data),
      });
      await connected().flush();
      return null;
    },
    calls: (load) => {
      const body = new Uint8Array(load.bodyBytes);
      const options = { timeout: TIMEOUT_MS };
      return measureCalls(() => connected().request(SUBJECT, body, options), load);
    },
    cpuSeconds: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  };
}

if (import.meta.main) await serveLines(createHandlers());
