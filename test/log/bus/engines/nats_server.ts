/** A real NATS server with JetStream for tests. */
import {
  ask,
  type ServerProcess,
  type ServerProgram,
  serverTest,
  startServer,
} from "./server_process.ts";

const PATHS = ["/usr/sbin/nats-server", "/usr/bin/nats-server", "/usr/local/bin/nats-server"];

/** A running NATS server. */
export interface NatsServer extends ServerProcess {
  /** `nats://127.0.0.1:PORT`. */
  readonly url: string;
}

/** Settings of a server, in the language of its configuration file. */
export interface NatsServerOptions {
  readonly config?: string;
  /** True when left out. */
  readonly hasJetStream?: boolean;
}

function program({ config = "", hasJetStream = true }: NatsServerOptions): ServerProgram {
  return {
    name: "nats-server",
    paths: PATHS,
    debianPackage: "nats-server",
    args: (port, folder) => {
      const jetStream = hasJetStream ? `jetstream { store_dir: "${folder}/store" }\n` : "";
      Deno.writeTextFileSync(`${folder}/nats.conf`, `${jetStream}${config}\n`);
      return ["--addr", "127.0.0.1", "--port", String(port), "--config", `${folder}/nats.conf`];
    },
    check: async (port) => {
      const reply = await ask(port, "");
      if (!reply.startsWith("INFO ")) throw new Error(`NATS says ${reply}`);
    },
  };
}

/** Registers a test that needs NATS. */
export function natsTest(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  serverTest(program({}), name, fn);
}

/** Starts one. */
export async function startNats(options: NatsServerOptions = {}): Promise<NatsServer> {
  const server = await startServer(program(options));
  return { ...server, url: `nats://127.0.0.1:${server.port}` };
}
