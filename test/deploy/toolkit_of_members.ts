/** A toolkit in a temporary folder whose executables are {@linkcode MemberSpec}s. */
import { fileURLToPath } from "node:url";
import type { MemberSpec } from "./test_member.ts";

/** A temporary home with a toolkit in it. */
export interface MemberToolkit extends AsyncDisposable {
  readonly dir: string;
  readonly toolkit: string;
  /** Where members' sockets are. */
  readonly sockets: string;
  readonly env: Readonly<Record<string, string>>;
  /** Writes an executable, and its metadata unless that is empty. */
  add(spec: MemberSpec, metadata?: string): Promise<void>;
  /** Writes a file of the toolkit. */
  write(name: string, text: string): Promise<void>;
  journal(): readonly string[];
  readonly journalPath: string;
}

const MEMBER = fileURLToPath(new URL("./test_member.ts", import.meta.url));

/** Makes one. */
export async function makeMemberToolkit(): Promise<MemberToolkit> {
  const dir = await Deno.makeTempDir({ prefix: "net-kit-" });
  const toolkit = `${dir}/toolkit`;
  const run = `${dir}/run`;
  for (const folder of [`${toolkit}/primals`, `${run}/biomeos`]) {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  }
  const journalPath = `${dir}/journal`;
  const env: Record<string, string> = {
    HOME: dir,
    XDG_RUNTIME_DIR: run,
    PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin",
    NO_COLOR: "1",
  };
  const denoDir = Deno.env.get("DENO_DIR");
  env.DENO_DIR = denoDir ?? `${Deno.env.get("HOME") ?? ""}/.cache/deno`;
  return {
    dir,
    toolkit,
    sockets: `${run}/biomeos`,
    env,
    journalPath,
    add: async (spec, metadata) => {
      const word = JSON.stringify(spec).replaceAll("'", "'\\''");
      const path = `${toolkit}/primals/${spec.name}`;
      const script = `#!/bin/sh\nexec '${Deno.execPath()}' run -A --no-config --no-check ` +
        `'${MEMBER}' '${word}' "$@"\n`;
      await Deno.writeTextFile(path, script, { mode: 0o755 });
      if (metadata === undefined) return;
      await Deno.mkdir(`${toolkit}/${spec.name}`, { recursive: true });
      const primal = `[primal]\nname = "${spec.name}"\nversion = "1.0.0"\n`;
      await Deno.writeTextFile(`${toolkit}/${spec.name}/metadata.toml`, `${primal}${metadata}`);
    },
    write: (name, text) => Deno.writeTextFile(`${toolkit}/${name}`, text),
    journal: () => {
      try {
        return Deno.readTextFileSync(journalPath).trim().split("\n");
      } catch {
        return [];
      }
    },
    [Symbol.asyncDispose]: async () => {
      await reaped();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

/** Members that were stopped are children of this process here; waits until their ends were noticed. */
async function reaped(): Promise<void> {
  const hasZombies = () =>
    [...Deno.readDirSync("/proc/self/task")].some(({ name }) =>
      readOrEmpty(`/proc/self/task/${name}/children`).split(" ").some(isZombie)
    );
  while (hasZombies()) await new Promise((resolve) => setTimeout(resolve, 5));
  // The runtime tells a moment later.
  await new Promise((resolve) => setTimeout(resolve, 20));
}

function isZombie(pid: string): boolean {
  return pid !== "" && /\) Z /.test(readOrEmpty(`/proc/${pid}/stat`));
}

/** Threads and processes may be gone by now. */
function readOrEmpty(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
