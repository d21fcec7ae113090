/** A disk that is full soon. */
import type { Workspace } from "./harness.ts";

/** A tmpfs of its own, or why there can't be one. */
export async function mountSmallDisk(
  workspace: Workspace,
  sizeMib: number,
): Promise<string | { readonly reason: string }> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) {
    return { reason: "a small tmpfs can be mounted by root on Linux only" };
  }
  const folder = `${workspace.dir}/disk`;
  await Deno.mkdir(folder);
  const options = `size=${sizeMib}m,mode=700`;
  const mount = await run("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder]);
  if (mount !== "") return { reason: `mount failed: ${mount}` };
  workspace.defer(async () => {
    const failure = await run("umount", [folder]);
    if (failure !== "") throw new Error(failure);
  });
  return folder;
}

/** Runs a system tool; its error text, empty on success. */
async function run(command: string, args: readonly string[]): Promise<string> {
  try {
    const { success, stderr } = await new Deno.Command(command, { args: [...args] }).output();
    return success ? "" : new TextDecoder().decode(stderr) || "unknown failure";
  } catch (error) {
    return String(error);
  }
}
