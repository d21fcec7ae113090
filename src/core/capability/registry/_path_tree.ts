/**
 * Templates as a tree, segment by segment: a look-up follows the text it has and the parameters there are,
 * also where the very first segment is one (promise C14).
 */
import { API_VISITS_MAX } from "./limits.ts";
import type { PathTemplate } from "./path_template.ts";

interface Place<T> {
  readonly texts: Map<string, Place<T>>;
  parameter: Place<T> | undefined;
  readonly items: Set<T>;
}

/** Items by template. */
export class PathTree<T> {
  readonly #root: Place<T> = createPlace();

  /** Adds an item under a template. */
  add({ segments }: PathTemplate, item: T): void {
    let place = this.#root;
    for (const segment of segments) {
      let next = segment.kind === "text" ? place.texts.get(segment.text) : place.parameter;
      if (next === undefined) {
        next = createPlace();
        if (segment.kind === "text") place.texts.set(segment.text, next);
        else place.parameter = next;
      }
      place = next;
    }
    place.items.add(item);
  }

  /** Takes an item away, and what is empty without it. */
  remove({ segments }: PathTemplate, item: T): void {
    const way: Place<T>[] = [this.#root];
    for (const segment of segments) {
      const place = way[way.length - 1];
      const next = segment.kind === "text" ? place?.texts.get(segment.text) : place?.parameter;
      if (next === undefined) return;
      way.push(next);
    }
    way[way.length - 1]?.items.delete(item);
    for (let depth = segments.length; depth > 0; depth--) {
      const place = way[depth];
      const segment = segments[depth - 1];
      const parent = way[depth - 1];
      if (place === undefined || segment === undefined || parent === undefined) return;
      if (place.items.size > 0 || place.texts.size > 0 || place.parameter !== undefined) return;
      if (segment.kind === "text") parent.texts.delete(segment.text);
      else parent.parameter = undefined;
    }
  }

  /**
   * Items whose template fits the path, those with the earliest text first.
   *
   * @returns Nothing more once a bounded number of places was visited.
   */
  *find(parts: readonly string[]): Generator<T, void, undefined> {
    const stack: { readonly place: Place<T>; readonly depth: number }[] = [
      { place: this.#root, depth: 0 },
    ];
    for (let visits = 0; visits < API_VISITS_MAX; visits++) {
      const top = stack.pop();
      if (top === undefined) return;
      const { place, depth } = top;
      if (depth === parts.length) {
        yield* place.items;
        continue;
      }
      const text = place.texts.get(parts[depth] ?? "");
      // Text is looked at before a parameter, which therefore waits below it.
      if (place.parameter !== undefined) stack.push({ place: place.parameter, depth: depth + 1 });
      if (text !== undefined) stack.push({ place: text, depth: depth + 1 });
    }
  }
}

function createPlace<T>(): Place<T> {
  return { texts: new Map(), parameter: undefined, items: new Set() };
}
