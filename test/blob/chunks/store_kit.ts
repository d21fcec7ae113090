/** Folders of chunk stores for tests. */
import assert from "node:assert/strict";

/** Runs with a folder of its own. */
export async function withFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const above = await Deno.makeTempDir({ prefix: "net_chunks_" });
  try {
    await action(`${above}/store`);
  } finally {
    await Deno.remove(above, { recursive: true });
  }
}

/** Pack files of a store, by number. */
export async function packFiles(folder: string): Promise<{ path: string; size: number }[]> {
  const files: { path: string; size: number; number: number }[] = [];
  for await (const { name } of Deno.readDir(`${folder}/packs`)) {
    const path = `${folder}/packs/${name}`;
    const number = parseInt(name);
    if (name.endsWith(".pack")) files.push({ path, size: (await Deno.stat(path)).size, number });
  }
  return files.sort((left, right) => left.number - right.number)
    .map(({ path, size }) => ({ path, size }));
}

/** Runs with a small file system of its own; says so and does nothing where none can be mounted. */
export async function withMount(
  options: string,
  run: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "net_chunks_" });
  const args = ["-t", "tmpfs", "-o", options, "tmpfs", folder];
  const mounted = Deno.build.os === "linux" &&
    await new Deno.Command("mount", { args, stdout: "null", stderr: "null" }).output()
      .then(({ success }) => success, () => false);
  if (!mounted) {
    console.log("skipped: cannot mount a file system here");
    await Deno.remove(folder);
    return;
  }
  try {
    await run(folder);
  } finally {
    const { success } = await new Deno.Command("umount", { args: ["-l", folder] }).output();
    assert.ok(success);
    await Deno.remove(folder);
  }
}
