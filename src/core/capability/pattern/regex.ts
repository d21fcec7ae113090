/**
 * Regular expressions that match in one pass over the text, whatever the pattern: patterns come from
 * strangers, and the engine's own expressions can take longer than the age of the universe.
 *
 * The pattern becomes a list of steps; all ways through it are followed at once, so that every character
 * costs at most one visit of each step. There are no captures: a text matches or it does not.
 */
import { isWord } from "./character_class.ts";
import { PATTERN_CHARACTERS_MAX, PATTERN_STEPS_MAX } from "./limits.ts";
import { parsePattern } from "./parser.ts";
import type { Anchor, CharacterTest, Syntax } from "./syntax.ts";

/** Why a pattern is not used. */
export type RegexFault = "too_long" | "too_large" | "syntax";

/** What {@linkcode compileRegex} made of a pattern. */
export type CompiledRegex =
  | {
    readonly ok: true;
    /** True when the pattern matches somewhere in the text. */
    readonly test: (text: string) => boolean;
  }
  | { readonly ok: false; readonly fault: RegexFault };

type Step =
  | { readonly kind: "character"; readonly test: CharacterTest }
  | { readonly kind: "anchor"; readonly anchor: Anchor }
  /** Goes on at both. */
  | { readonly kind: "split"; readonly left: number; right: number }
  | { readonly kind: "jump"; to: number }
  | { readonly kind: "end" };

/**
 * Compiles a pattern; never throws.
 *
 * @example
 * ```ts
 * import { compileRegex } from "./regex.ts";
 * const regex = compileRegex("^hardware\\.gpu\\.(a|h)100$");
 * console.assert(regex.ok && regex.test("hardware.gpu.h100"));
 * console.assert(!compileRegex("(a)\\1").ok);
 * ```
 */
export function compileRegex(pattern: string): CompiledRegex {
  if (pattern.length > PATTERN_CHARACTERS_MAX) return { ok: false, fault: "too_long" };
  const syntax = parsePattern(pattern);
  if (syntax === undefined) return { ok: false, fault: "syntax" };
  const steps: Step[] = [];
  if (!write(syntax, steps)) return { ok: false, fault: "too_large" };
  steps.push({ kind: "end" });
  const run = new Run(steps);
  return { ok: true, test: (text) => run.test(text) };
}

/** Appends the steps of a tree; false when there are too many. */
function write(syntax: Syntax, steps: Step[]): boolean {
  if (steps.length > PATTERN_STEPS_MAX) return false;
  switch (syntax.kind) {
    case "character":
    case "anchor":
      steps.push(syntax);
      return true;
    case "sequence":
      return syntax.items.every((item) => write(item, steps));
    case "choice":
      return writeChoice(syntax.items, steps);
    case "repeat":
      return writeRepeat(syntax, steps);
  }
}

function writeChoice(items: readonly Syntax[], steps: Step[]): boolean {
  const jumps: Extract<Step, { kind: "jump" }>[] = [];
  for (const [i, item] of items.entries()) {
    const isLast = i === items.length - 1;
    const split: Step = { kind: "split", left: steps.length + 1, right: 0 };
    if (!isLast) steps.push(split);
    if (!write(item, steps)) return false;
    if (isLast) break;
    const jump: Step = { kind: "jump", to: 0 };
    jumps.push(jump);
    steps.push(jump);
    split.right = steps.length;
  }
  for (const jump of jumps) jump.to = steps.length;
  return true;
}

function writeRepeat(
  { item, min, max }: Extract<Syntax, { kind: "repeat" }>,
  steps: Step[],
): boolean {
  const start = steps.length;
  for (let i = 0; i < min; i++) {
    if (!write(item, steps)) return false;
    // What needs no step is not repeated: a thousand times nothing is nothing.
    if (steps.length === start) return true;
  }
  if (max === Infinity) {
    const split: Step = { kind: "split", left: steps.length + 1, right: 0 };
    const at = steps.push(split) - 1;
    if (!write(item, steps)) return false;
    steps.push({ kind: "jump", to: at });
    split.right = steps.length;
    return true;
  }
  const splits: Extract<Step, { kind: "split" }>[] = [];
  for (let i = min; i < max; i++) {
    const split: Step = { kind: "split", left: steps.length + 1, right: 0 };
    splits.push(split);
    steps.push(split);
    if (!write(item, steps)) return false;
  }
  for (const split of splits) split.right = steps.length;
  return true;
}

/** Follows all ways through the steps at once. */
class Run {
  readonly #steps: readonly Step[];
  /** Text position, plus one, at which a step was last reached. */
  readonly #reachedAt: Float64Array;
  readonly #pending: number[] = [];
  #position = 0;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
    this.#reachedAt = new Float64Array(steps.length);
  }

  test(text: string): boolean {
    const points = Array.from(text, (character) => character.codePointAt(0) ?? 0);
    // Positions keep growing from text to text, so that nothing has to be cleared.
    const offset = this.#position + 1;
    this.#position += points.length + 2;
    let current: number[] = [];
    let next: number[] = [];
    for (let at = 0;; at++) {
      if (this.#reach(0, points, at, offset, current)) return true;
      if (at === points.length) return false;
      const point = points[at] ?? 0;
      for (const index of current) {
        const step = this.#steps[index];
        if (step?.kind !== "character" || !step.test(point)) continue;
        if (this.#reach(index + 1, points, at + 1, offset, next)) return true;
      }
      [current, next] = [next, current];
      next.length = 0;
    }
  }

  /** Adds the characters that can be read next from a step; true when the end is among them. */
  #reach(
    from: number,
    points: readonly number[],
    at: number,
    offset: number,
    found: number[],
  ): boolean {
    const pending = this.#pending;
    pending.length = 0;
    pending.push(from);
    for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
      if (this.#reachedAt[index] === offset + at) continue;
      this.#reachedAt[index] = offset + at;
      const step = this.#steps[index];
      if (step === undefined || step.kind === "end") return true;
      if (step.kind === "character") found.push(index);
      else if (step.kind === "jump") pending.push(step.to);
      else if (step.kind === "split") pending.push(step.right, step.left);
      else if (holds(step.anchor, points, at)) pending.push(index + 1);
    }
    return false;
  }
}

const NEWLINE = 0x0a;

function holds(anchor: Anchor, points: readonly number[], at: number): boolean {
  const [before, after] = [points[at - 1], points[at]];
  switch (anchor) {
    case "start":
      return before === undefined;
    case "end":
      return after === undefined;
    case "line_start":
      return before === undefined || before === NEWLINE;
    case "line_end":
      return after === undefined || after === NEWLINE;
    case "boundary":
      return isWordPoint(before) !== isWordPoint(after);
    case "no_boundary":
      return isWordPoint(before) === isWordPoint(after);
  }
}

function isWordPoint(point: number | undefined): boolean {
  return point !== undefined && isWord(point);
}
