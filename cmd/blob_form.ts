/** The flags of a put that say which form its blob has. */
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
