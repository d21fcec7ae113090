/** The secret with which programs write over HTTP: 32 random bytes in a file that only its owner reads. */
import { NetError, type RandomBytes, toNetError } from "../base/mod.ts";

/** Its file in the data folder. */
export const HTTP_SECRET_FILE = "http.secret";

/** As {@linkcode makeHttpSecret} makes them: base64url of 32 bytes. An operator may choose a longer one. */
const SECRET = /^[A-Za-z0-9_~.+/=-]{32,512}$/;

/**
 * The secret of a data folder, made when there is none; one for this run without a folder.
 *
 * @throws NetError `data_dir_unusable`, `config_invalid`; never with the secret in it.
 */
export async function openHttpSecret(
  folder: string | undefined,
  random: RandomBytes,
): Promise<string> {
  if (folder === undefined) return makeHttpSecret(random);
  const path = `${folder}/${HTTP_SECRET_FILE}`;
  try {
    const text = (await Deno.readTextFile(path)).trim();
    if (SECRET.test(text)) return text;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      throw toNetError(error, `Cannot read "${path}"`);
    }
    return await writeSecret(path, makeHttpSecret(random));
  }
  throw new NetError("config_invalid", `Cannot use "${path}": it holds no secret`, {
    next: "remove it to have a new one made, or write 32 to 512 plain characters into it",
  });
}

function makeHttpSecret(random: RandomBytes): string {
  return random(32).toBase64({ alphabet: "base64url", omitPadding: true });
}

/** All of it under its name, or nothing: a start that is killed here makes another one the next time. */
async function writeSecret(path: string, secret: string): Promise<string> {
  try {
    const temporary = `${path}.new`;
    await Deno.remove(temporary).catch(() => {});
    using file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
    await file.write(new TextEncoder().encode(`${secret}\n`));
    await file.sync();
    await Deno.rename(temporary, path);
    return secret;
  } catch (error) {
    throw new NetError("data_dir_unusable", `Cannot write "${path}"`, {
      cause: error,
      next: "make the data folder writable, or choose another --data-dir",
    });
  }
}
