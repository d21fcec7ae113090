/** What a regular expression is made of, as a tree. */

/** Tests a code point. */
export type CharacterTest = (point: number) => boolean;

/** A place in the text. */
export type Anchor = "start" | "end" | "line_start" | "line_end" | "boundary" | "no_boundary";

/** A regular expression. */
export type Syntax =
  | { readonly kind: "character"; readonly test: CharacterTest }
  | { readonly kind: "anchor"; readonly anchor: Anchor }
  | { readonly kind: "sequence"; readonly items: readonly Syntax[] }
  | { readonly kind: "choice"; readonly items: readonly Syntax[] }
  | {
    readonly kind: "repeat";
    readonly item: Syntax;
    readonly min: number;
    /** Infinite when there is no end. */
    readonly max: number;
  };

/** Matches the empty text. */
export const NOTHING: Syntax = { kind: "sequence", items: [] };
