/** A real server of an engine in a folder of its own, which tests stop, kill and start again. */

/** How to run a server. */
export interface ServerProgram {
  /** What it is called, as in the reason why a test is left out. */
  readonly name: string;
  /** Where the program may be. */
  readonly paths: readonly string[];
  readonly debianPackage: string;
  /** Its arguments; the folder is kept over restarts. */
  args(port: number, folder: string): readonly string[];
  /** Resolves once it serves; throws while it does not. */
  check(port: number): Promise<void>;
}

/** A server that runs, or did. */
export interface ServerProcess extends AsyncDisposable {
  readonly port: number;
  readonly folder: string;
  /** Ends it as a power failure would: at once. */
  kill(): Promise<void>;
  /** Lets it end by itself. */
  stop(): Promise<void>;
  /** Starts it again, on the same port and folder. */
  start(): Promise<void>;
  /** Lets it hang: what is sent to it waits. */
  pause(): Promise<void>;
  /** Lets it go on. */
  resume(): void;
}

const START_TRIES_MAX = 200;
const START_PAUSE_MS = 25;

/** Why the server cannot run here; `undefined` when it can. */
export function skipReason({ name, paths, debianPackage }: ServerProgram): string | undefined {
  // Tests look into /proc to see whether a server has stopped.
  if (Deno.build.os !== "linux") return `${name} is run on Linux only`;
  if (programPath(paths) !== undefined) return undefined;
  return `${name} is not installed (Debian package ${debianPackage})`;
}

/** Registers a test that needs a server; where there is none it is left out and says why. */
export function serverTest(
  program: ServerProgram,
  name: string,
  fn: (t: Deno.TestContext) => Promise<void>,
): void {
  const reason = skipReason(program);
  if (reason !== undefined) console.log(`ignored: ${name}: ${reason}`);
  Deno.test({ name, ignore: reason !== undefined, fn });
}

/** Starts a server on a free port. */
export async function startServer(program: ServerProgram): Promise<ServerProcess> {
  const path = programPath(program.paths);
  if (path === undefined) throw new Error(`Cannot start ${program.name}: it is not installed`);
  const folder = await Deno.makeTempDir({ prefix: "net-engine-" });
  const port = freePort();
  let child: Deno.ChildProcess | undefined;
  const end = async (signal: Deno.Signal) => {
    const running = child;
    child = undefined;
    if (running === undefined) return;
    running.kill(signal);
    await running.status;
  };
  const server: ServerProcess = {
    port,
    folder,
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
    pause: async () => {
      child?.kill("SIGSTOP");
      while (child !== undefined && !isStopped(child.pid)) await sleep(1);
    },
    resume: () => child?.kill("SIGCONT"),
    start: async () => {
      child = new Deno.Command(path, {
        args: [...program.args(port, folder)],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      for (let attempt = 0;; attempt++) {
        try {
          return await program.check(port);
        } catch (error) {
          if (attempt >= START_TRIES_MAX) throw error;
          await sleep(START_PAUSE_MS);
        }
      }
    },
    [Symbol.asyncDispose]: async () => {
      await end("SIGKILL");
      await Deno.remove(folder, { recursive: true });
    },
  };
  try {
    await server.start();
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** A port that nobody has now. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

/** Sends a line to a port and gives what comes first. */
export async function ask(port: number, line: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(line));
  const bytes = new Uint8Array(4096);
  const count = await connection.read(bytes) ?? 0;
  return new TextDecoder().decode(bytes.subarray(0, count));
}

/** True when no thread of a process runs any more. */
function isStopped(pid: number): boolean {
  return [...Deno.readDirSync(`/proc/${pid}/task`)].every(({ name }) =>
    /\) [Tt] /.test(Deno.readTextFileSync(`/proc/${pid}/task/${name}/stat`))
  );
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function programPath(paths: readonly string[]): string | undefined {
  return paths.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}
