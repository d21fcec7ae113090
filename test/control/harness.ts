/** A control server in a temporary folder and a client that speaks raw lines, for tests. */
import * as v from "valibot";
import { NetError, systemClock } from "../../src/base/mod.ts";
import {
  type ControlServer,
  type ControlServerDeps,
  createControlServer,
  defineMethod,
  MethodTable,
  registerHealthMethods,
} from "../../src/control/mod.ts";
import { HealthState } from "../../src/kernel/mod.ts";
import { createLog, type Log, silentLog } from "../../src/observe/mod.ts";

/** Calls that wait until the test lets them go. */
export class Gate {
  readonly #waiting: (() => void)[] = [];

  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  get count(): number {
    return this.#waiting.length;
  }

  open(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** A started server and what tests look at. */
export interface Harness extends AsyncDisposable {
  readonly server: ControlServer;
  readonly table: MethodTable;
  readonly gate: Gate;
  readonly folder: string;
  readonly path: string;
  readonly log: string[];
  connect(): Promise<RawClient>;
}

/** Methods of the test server besides the health triad. */
export function testMethods(gate: Gate) {
  return [
    defineMethod({
      name: "test.echo",
      access: "privileged",
      summary: "Answers with its text",
      isReadOnly: true,
      params: v.object({ text: v.string() }),
      handle: ({ text }) => ({ text }),
    }),
    defineMethod({
      name: "test.change",
      access: "privileged",
      summary: "May change something",
      isReadOnly: false,
      params: v.object({ text: v.string() }),
      handle: () => ({}),
    }),
    defineMethod({
      name: "test.throw",
      access: "privileged",
      summary: "Fails inside",
      isReadOnly: true,
      params: v.object({}),
      handle: () => {
        throw new Error("secret inside");
      },
    }),
    defineMethod({
      name: "test.missing",
      access: "privileged",
      summary: "Fails for the user",
      isReadOnly: true,
      params: v.object({}),
      handle: () =>
        Promise.reject(
          new NetError("not_found", "Cannot find it", { next: "look elsewhere", data: { at: 3 } }),
        ),
    }),
    defineMethod({
      name: "test.wait",
      access: "privileged",
      summary: "Waits for the gate",
      isReadOnly: false,
      params: v.object({}),
      handle: async (_, context) => {
        const aborted = new Promise<string>((resolve) =>
          context.signal.addEventListener("abort", () => resolve("aborted"))
        );
        return { ended: await Promise.race([gate.wait().then(() => "opened"), aborted]) };
      },
    }),
    defineMethod({
      name: "test.steps",
      access: "privileged",
      summary: "Reports progress",
      isReadOnly: true,
      params: v.strictObject({ steps: v.number() }),
      handle: async ({ steps }, context) => {
        for (let done = 1; done <= steps; done++) {
          await Promise.resolve();
          context.progress({ done });
        }
        return { steps };
      },
    }),
  ];
}

/** Starts a server; `options` replace parts of what it is made of. */
export async function startHarness(options: Partial<ControlServerDeps> = {}): Promise<Harness> {
  const folder = await Deno.makeTempDir({ prefix: "net-control-" });
  const gate = new Gate();
  const table = new MethodTable();
  table.register(...testMethods(gate));
  const lines: string[] = [];
  const log: Log = options.log ??
    createLog({ level: "debug", format: "text", write: (line) => lines.push(line) });
  const server = createControlServer({
    table,
    log,
    socket: { env: { BIOMEOS_SOCKET_DIR: folder } },
    tcp: undefined,
    ...options,
  });
  const health = new HealthState({
    clock: { ...systemClock, wallMs: () => 0 },
    log,
    supervisor: { state: "running", health: () => ({}), restarts: () => ({}) },
  });
  registerHealthMethods(table, {
    member: {
      primal: "net",
      version: "0.1.0",
      domain: "network",
      build: { buildHash: "test", compiledAt: "unknown" },
    },
    health,
    uptimeSecs: () => 1.5,
    transports: () => server.transports,
  });
  health.addDrainPart(server.drainPart);
  health.countConnections(() => server.activeConnections);
  await server.start();
  const path = server.socketPath ?? "";
  return {
    server,
    table,
    gate,
    folder,
    path,
    log: lines,
    connect: () => RawClient.connect({ transport: "unix", path }),
    async [Symbol.asyncDispose]() {
      gate.open();
      await server.stop();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** A log nobody reads. */
export const quiet = silentLog;

/** Speaks bytes and lines, and checks nothing. */
export class RawClient implements Disposable {
  readonly #conn: Deno.Conn;
  #text = "";
  readonly #decoder = new TextDecoder();

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  static async connect(
    options: { readonly transport: "unix"; readonly path: string } | Deno.ConnectOptions,
  ): Promise<RawClient> {
    return new RawClient(
      "path" in options ? await Deno.connect(options) : await Deno.connect(options),
    );
  }

  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    for (let offset = 0; offset < bytes.length;) {
      offset += await this.#conn.write(bytes.subarray(offset));
    }
  }

  /** The next line, `undefined` at the end. */
  async line(): Promise<string | undefined> {
    while (true) {
      const newline = this.#text.indexOf("\n");
      if (newline >= 0) {
        const line = this.#text.slice(0, newline);
        this.#text = this.#text.slice(newline + 1);
        return line;
      }
      const buffer = new Uint8Array(65_536);
      const length = await this.#conn.read(buffer);
      if (length === null) return undefined;
      this.#text += this.#decoder.decode(buffer.subarray(0, length), { stream: true });
    }
  }

  /** The next line as JSON. */
  // deno-lint-ignore no-explicit-any -- tests look into replies of every shape
  async json(): Promise<any> {
    return JSON.parse(await this.line() ?? "null");
  }

  /** Sends a line and reads one. */
  async ask(line: string | Uint8Array): Promise<string | undefined> {
    await this.send(line);
    await this.send("\n");
    return await this.line();
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}
