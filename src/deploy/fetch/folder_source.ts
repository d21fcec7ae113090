/** Members from a folder of this machine: another toolkit, a stick, a share. */
import { isMissing, NetError, toNetError } from "../../base/mod.ts";
import { readTextWithin } from "../toolkit.ts";
import { type FetchSource, type RemoteFile, TEXT_BYTES_MAX, toolkitPaths } from "./source.ts";

/** A source over the folder at an absolute path. */
export function folderSource(folder: string): FetchSource {
  return {
    name: folder,
    readText: async (path) => {
      const text = await readTextWithin(`${folder}/${path}`, TEXT_BYTES_MAX);
      if (text === undefined && !await isFolder(folder)) throw noFolder(folder);
      return text;
    },
    candidates: async (wanted) => {
      if (!await isFolder(folder)) throw noFolder(folder);
      return toolkitPaths(wanted).map((path) => folderFile(`${folder}/${path}`));
    },
  };
}

function folderFile(path: string): RemoteFile {
  return {
    place: path,
    open: async ({ offset, validator }) => {
      let file: Deno.FsFile | undefined;
      try {
        // A pipe would make the opening wait for whoever writes into it.
        const { isFile, isDirectory } = await Deno.stat(path);
        if (isDirectory) throw new NetError("not_found", `${path} is a folder`);
        if (!isFile) throw new NetError("failed", `Cannot read ${path}: it is no plain file`);
        file = await Deno.open(path);
        const { size, mtime, ino } = await file.stat();
        const now = `${size}-${mtime?.getTime() ?? 0}-${ino ?? 0}`;
        const start = validator === now && offset <= size ? offset : 0;
        await file.seek(start, Deno.SeekMode.Start);
        return { start, size, validator: now, body: file.readable };
      } catch (error) {
        file?.close();
        if (isMissing(error)) throw new NetError("not_found", `there is no ${path}`);
        throw toNetError(error, `Cannot read ${path}`);
      }
    },
  };
}

function noFolder(folder: string): NetError {
  return new NetError("not_found", `Cannot read source ${folder}: there is no such folder`, {
    next: "check the path behind --source",
  });
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    if (isMissing(error)) return false;
    throw toNetError(error, `Cannot read source ${path}`);
  }
}
