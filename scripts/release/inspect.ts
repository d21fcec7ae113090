/** What a built executable says about itself when it runs with nothing around it. */

/** Longest wait for an answer: a machine that builds is busy. */
const ANSWER_TIMEOUT_MS = 60_000;

/** What the program says. */
export interface Inspection {
  readonly name: string;
  readonly version: string;
  readonly domain: string;
  readonly license: string;
  readonly capabilities: readonly string[];
}

/**
 * Starts the executable in an empty folder without PATH, asks who it is and what it can do, stops it.
 *
 * @throws Error with what it printed when it does not answer.
 */
export async function inspect(executable: string): Promise<Inspection> {
  const folder = await Deno.makeTempDir({ prefix: "net-inspect-" });
  try {
    await Deno.mkdir(`${folder}/home`);
    const socket = `${folder}/net.sock`;
    const child = new Deno.Command(await Deno.realPath(executable), {
      args: ["server", "--socket", socket, "--data-dir", `${folder}/data`, "--udp", "127.0.0.1:0"],
      cwd: folder,
      clearEnv: true,
      env: { HOME: `${folder}/home`, PATH: "/nonexistent" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const printed = new Response(child.stderr).text();
    try {
      await ready(socket, child);
      const identity = await ask(socket, "identity.get");
      const { methods } = await ask(socket, "capabilities.list");
      if (!Array.isArray(methods)) throw new Error("capabilities.list has no methods");
      return {
        name: String(identity.primal),
        version: String(identity.version),
        domain: String(identity.domain),
        license: String(identity.license),
        capabilities: methods.map(String).sort(),
      };
    } catch (error) {
      stop(child, "SIGKILL");
      throw new Error(`Cannot inspect ${executable}: ${await printed}`, { cause: error });
    } finally {
      stop(child, "SIGTERM");
      await child.status;
      await printed;
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function ready(socket: string, child: Deno.ChildProcess): Promise<void> {
  let hasEnded = false;
  child.status.then(() => hasEnded = true);
  const until = performance.now() + ANSWER_TIMEOUT_MS;
  while (!hasEnded && performance.now() < until) {
    const answer = await ask(socket, "health.readiness").catch(() => ({ status: undefined }));
    if (answer.status === "healthy") return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(hasEnded ? "it ended" : "it is not ready");
}

/** The result of a method without parameters. */
async function ask(path: string, method: string): Promise<Record<string, unknown>> {
  using connection = await Deno.connect({ transport: "unix", path });
  const request = `${JSON.stringify({ jsonrpc: "2.0", method, params: {}, id: 1 })}\n`;
  await connection.write(new TextEncoder().encode(request));
  let text = "";
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  while (!text.includes("\n")) {
    const count = await connection.read(buffer);
    if (count === null) throw new Error(`${method}: the connection was closed`);
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  const { result } = JSON.parse(text);
  if (typeof result !== "object" || result === null) throw new Error(`${method}: ${text}`);
  return result;
}

function stop(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended already.
  }
}
