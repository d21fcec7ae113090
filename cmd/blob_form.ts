/** The flags of a put that say which form its blob has. */
import { NetError } from "../src/base/mod.ts";
import { switchFlag, textFlag } from "./flags.ts";

/** Values of the flags. */
export interface FormFlags {
  readonly cdc?: boolean;
  readonly ec?: string;
}

/** Declarations of the flags. */
export const FORM_FLAGS = {
  cdc: switchFlag("Cut where the content says, so that versions share chunks"),
  ec: textFlag("K+M", "Add M parity chunks to every K, such as 10+4; none for copies alone"),
};

/** The same as parameters of a call; what was not given is for the node's policy. */
export function formParams({ cdc, ec }: FormFlags): Readonly<Record<string, unknown>> {
  return { ...(cdc === undefined ? {} : { cdc }), ...(ec === undefined ? {} : { ec }) };
}

/**
 * Refuses these flags for folders.
 *
 * @throws NetError `usage` when one was given: manifests of folders hold no trees (`dataforts.md` 14).
 */
export function requirePlain(params: Readonly<Record<string, unknown>>): void {
  const [given] = Object.keys(params);
  if (given === undefined) return;
  throw new NetError("usage", `Cannot put a folder with --${given}: its files are no trees`, {
    next: "leave the flag out, or pack the folder: tar c FOLDER | net blob put - --cdc",
  });
}
