/** Real folders for tests: made from a plain description, and described again. */
import { dirname } from "node:path";

/** What is at each relative path: the text of a file with its mode, a folder, or where a link leads. */
export type FolderContent = Readonly<
  Record<
    string,
    | string
    | Uint8Array
    | { readonly text: string; readonly mode: number }
    | { readonly link: string }
    | "DIR"
  >
>;

/** Makes what `content` says below `root`. */
export function makeFolder(root: string, content: FolderContent): void {
  Deno.mkdirSync(root, { recursive: true });
  for (const [path, entry] of Object.entries(content)) {
    const at = `${root}/${path}`;
    Deno.mkdirSync(dirname(at), { recursive: true });
    if (entry === "DIR") Deno.mkdirSync(at, { recursive: true });
    else if (typeof entry === "string") Deno.writeTextFileSync(at, entry);
    else if (entry instanceof Uint8Array) Deno.writeFileSync(at, entry);
    else if ("link" in entry) Deno.symlinkSync(entry.link, at);
    else {
      Deno.writeTextFileSync(at, entry.text);
      Deno.chmodSync(at, entry.mode);
    }
  }
}

/** Everything below a folder: path, kind, permissions, and content or target; links are not followed. */
export function describeFolder(root: string): string[] {
  const lines: string[] = [];
  const visit = (prefix: string) => {
    for (const { name } of Deno.readDirSync(`${root}/${prefix}`)) {
      const path = `${prefix}${name}`;
      const at = `${root}/${path}`;
      const info = Deno.lstatSync(at);
      const mode = ((info.mode ?? 0) & 0o7777).toString(8);
      if (info.isSymlink) lines.push(`${path} link ${Deno.readLinkSync(at)}`);
      else if (info.isFile) lines.push(`${path} file ${mode} ${Deno.readFileSync(at).toHex()}`);
      else if (info.isDirectory) {
        lines.push(`${path} dir ${mode}`);
        visit(`${path}/`);
      } else lines.push(`${path} other`);
    }
  };
  visit("");
  return lines.sort();
}

/** A folder that is removed at the end. */
export async function withFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "net-folder-" });
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
