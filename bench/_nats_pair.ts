/** A NATS server on this machine with a requester and a responder, each a process of its own. */
import { startLineProcess } from "../test/interop/line_process.ts";
import type { CallFigures, CallLoad } from "./_call_load.ts";
import type { NatsOperations } from "./_nats_process.ts";

/** A requester and a responder. */
export interface NatsPair extends AsyncDisposable {
  calls(load: CallLoad): Promise<CallFigures>;
  serverCpuSeconds(): Promise<number>;
}

const START_TRIES_MAX = 100;
const START_PAUSE_MS = 50;

/** Why NATS cannot be measured here; `undefined` when it can. */
export function natsSkipReason(): string | undefined {
  try {
    new Deno.Command("nats-server", { args: ["--version"], stdout: "null" }).outputSync();
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return "nats-server is not installed (Debian package nats-server)";
    }
    throw error;
  }
}

/** Starts all three and connects them. */
export async function openNatsPair(): Promise<NatsPair> {
  await using stack = new AsyncDisposableStack();
  const port = await startServer(stack);
  const program = new URL("./_nats_process.ts", import.meta.url);
  const start = (name: string) => stack.use(startLineProcess<NatsOperations>(program, { name }));
  const [requester, responder] = [start("NATS requester"), start("NATS responder")];
  await Promise.all([requester.call("connect", { port }), responder.call("connect", { port })]);
  await responder.call("serve", {});
  await requester.call("calls", { count: 200, inFlight: 1, bodyBytes: 64 });
  const owned = stack.move();
  return {
    calls: (load) => requester.call("calls", load),
    serverCpuSeconds: () => responder.call("cpuSeconds", {}),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Starts a server on a port that it chooses, and says which; the stack ends it. */
async function startServer(stack: AsyncDisposableStack): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "net-bench-nats-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const server = new Deno.Command("nats-server", {
    args: ["--addr", "127.0.0.1", "--port", "-1", "--ports_file_dir", folder],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  stack.defer(async () => {
    server.kill();
    await server.status;
  });
  for (let attempt = 0; attempt < START_TRIES_MAX; attempt++) {
    for (const { name } of Deno.readDirSync(folder)) {
      const ports = JSON.parse(await Deno.readTextFile(`${folder}/${name}`) || "{}");
      const port = Number(String(ports.nats?.[0] ?? "").split(":").at(-1));
      if (port > 0) return port;
    }
    await new Promise((resolve) => setTimeout(resolve, START_PAUSE_MS));
  }
  throw new Error("Cannot start nats-server: it told no port");
}
