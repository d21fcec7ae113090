/** What a model takes and gives (`capabilities.md` 3). An unknown kind is an error, never read as text. */
import { NetError } from "../../../base/mod.ts";

/** All kinds, as tags name them. */
export const MODALITIES = [
  "text",
  "image",
  "audio",
  "video",
  "code",
  "embedding",
  "tool_use",
] as const;

/** A kind of input or output. */
export type Modality = (typeof MODALITIES)[number];

/** True for one of {@linkcode MODALITIES}. */
export function isModality(text: string): text is Modality {
  return (MODALITIES as readonly string[]).includes(text);
}

/**
 * Checks a kind that somebody wrote.
 *
 * @throws NetError `usage` when there is no such kind.
 *
 * @example
 * ```ts
 * import { parseModality } from "./modality.ts";
 * console.assert(parseModality("image") === "image");
 * ```
 */
export function parseModality(text: string): Modality {
  if (isModality(text)) return text;
  throw new NetError("usage", `Cannot use modality ${JSON.stringify(text)}: it is unknown`, {
    next: `use one of ${MODALITIES.join(", ")}`,
  });
}
