/**
 * A real systemd: a user's manager with folders of a test's own.
 *
 * It only runs where the machine was started by systemd, by the look of a folder below `/run`. Elsewhere it gets
 * one in a mount namespace of its own, so that nothing else sees it.
 */
import { waitFor } from "./harness.ts";

/** A running manager. */
export interface UserManager extends AsyncDisposable {
  /**
   * Runs `systemctl --user`.
   *
   * @throws {Error} With its output when it fails.
   */
  systemctl(...args: readonly string[]): Promise<string>;
  /** Properties of a unit by name. */
  show(unit: string, ...names: readonly string[]): Promise<Readonly<Record<string, string>>>;
  log(): string;
}

const PROGRAMS = ["/lib/systemd/systemd", "/usr/lib/systemd/systemd"];

const START = `
[ -d /run/systemd/system ] || { mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system; } || exit 77
exec "$1" --user --log-target=console --log-level=info
`;

/** Starts a manager for the home that `env` describes; says why where that is not possible. */
export async function startUserManager(
  env: Readonly<Record<string, string>>,
): Promise<UserManager | string> {
  if (Deno.build.os !== "linux") return "this is not Linux";
  const program = PROGRAMS.find((path) => isFile(path));
  if (program === undefined || !isFile("/usr/bin/systemctl")) return "systemd is not installed";
  const unshare = await findUnshare();
  if (unshare === undefined) return "no mount namespace can be made";
  const child = new Deno.Command("unshare", {
    args: [...unshare, "sh", "-c", START, "sh", program],
    clearEnv: true,
    env: { ...env, PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let log = "";
  let isAlive = true;
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const part of stream) log += decoder.decode(part, { stream: true });
  };
  const ended = Promise.all([child.status, read(child.stdout), read(child.stderr)])
    .then(() => isAlive = false);
  const run = async (args: readonly string[]) => {
    const namespaces = unshare.includes("-r") ? ["-U", "--preserve-credentials"] : [];
    const { code, stdout, stderr } = await new Deno.Command("nsenter", {
      args: ["-t", String(child.pid), "-m", ...namespaces, "systemctl", "--user", ...args],
      clearEnv: true,
      env: { ...env, PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    return { code, text, error: new TextDecoder().decode(stderr) };
  };
  const dispose = async () => {
    if (isAlive) child.kill("SIGTERM");
    const timer = setTimeout(() => isAlive && child.kill("SIGKILL"), 5_000);
    await ended;
    clearTimeout(timer);
  };
  const isUp = async () => {
    if (!isAlive) return "ended";
    const { text } = await run(["is-system-running"]);
    return /^(running|degraded)/.test(text) ? "up" : false;
  };
  const state = await waitFor("the manager is up", isUp).catch(() => "late");
  if (state !== "up") {
    await dispose();
    return `the manager does not run here: ${log.trim().split("\n").at(-1) ?? ""}`;
  }
  return {
    systemctl: async (...args) => {
      const { code, text, error } = await run(args);
      if (code === 0) return text;
      throw new Error(`systemctl ${args.join(" ")} ended with ${code}: ${error}\n${log}`);
    },
    show: async (unit, ...names) => {
      const { text } = await run(["show", unit, ...names.map((name) => `--property=${name}`)]);
      return Object.fromEntries(
        text.trim().split("\n").map((line) => [
          line.slice(0, line.indexOf("=")),
          line.slice(line.indexOf("=") + 1),
        ]),
      );
    },
    log: () => log,
    [Symbol.asyncDispose]: dispose,
  };
}

async function findUnshare(): Promise<readonly string[] | undefined> {
  for (const flags of [["-m", "--propagation", "private"], ["-r", "-m"]]) {
    try {
      const { success } = await new Deno.Command("unshare", {
        args: [...flags, "true"],
        stderr: "null",
      }).output();
      if (success) return flags;
    } catch {
      return undefined; // There is no such program.
    }
  }
  return undefined;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
