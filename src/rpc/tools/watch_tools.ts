/**
 * Changes of the tools of a mesh, as they happen (`capabilities.md` 15).
 *
 * The watcher compares lists when it is asked for the next change, so a slow reader holds nobody up:
 * what comes and goes in between is never seen. At most 256 changes lie ready; more are worked out
 * once those were taken.
 */
import type { Clock } from "../../base/mod.ts";
import type { ToolDescriptor } from "./descriptor.ts";
import { WATCH_BUFFER_MAX } from "./limits.ts";
import { type ListedTool, matchesTool, type ToolFilter, toolKey } from "./list_tools.ts";

/** What became of a tool. */
export type ToolChange =
  | { readonly kind: "added" | "removed"; readonly descriptor: ToolDescriptor }
  | {
    readonly kind: "node_count_changed";
    readonly descriptor: ToolDescriptor;
    readonly previousNodeCount: number;
  };

/** What {@linkcode watchTools} needs. */
export interface WatchToolsDeps {
  readonly clock: Clock;
  /** The tools as they are now. */
  readonly list: () => Iterable<ListedTool>;
  /** Calls the handler whenever the tools may have changed; the result ends that. */
  readonly onChange: (handler: () => void) => () => void;
}

/** Options of {@linkcode watchTools}. */
export interface WatchToolsOptions extends ToolFilter {
  /** Least time between two lists; 0 when left out. */
  readonly intervalMs?: number;
  /** Ends the watch without an error. */
  readonly signal?: AbortSignal;
}

/** Yields every change, those up to the tools that are there at the start first. */
export async function* watchTools(
  deps: WatchToolsDeps,
  options: WatchToolsOptions = {},
): AsyncGenerator<ToolChange, void, undefined> {
  const { clock, list, onChange } = deps;
  const { signal, intervalMs = 0 } = options;
  const known = new Map<string, ToolDescriptor>();
  const bell = createBell(signal);
  const stop = onChange(() => bell.ring());
  try {
    let listedAt = -Infinity;
    while (!bell.isOver) {
      const waitMs = listedAt + intervalMs - clock.now();
      if (waitMs > 0) await bell.orAfter(clock, waitMs);
      if (bell.isOver) return;
      listedAt = clock.now();
      bell.quiet();
      const changes = nextChanges(known, list(), options);
      for (const change of changes) {
        yield change;
        if (bell.isOver) return;
      }
      if (changes.length < WATCH_BUFFER_MAX) await bell.rung();
    }
  } finally {
    stop();
    bell.end();
  }
}

/**
 * The next changes from what is known to what there is, at most 256, and `known` brought to what they
 * lead to.
 */
export function nextChanges(
  known: Map<string, ToolDescriptor>,
  tools: Iterable<ListedTool>,
  filter: ToolFilter,
): readonly ToolChange[] {
  const changes: ToolChange[] = [];
  const isFull = () => changes.length >= WATCH_BUFFER_MAX;
  const seen = new Set<string>();
  for (const { descriptor } of tools) {
    if (!matchesTool(descriptor, filter)) continue;
    const key = toolKey(descriptor);
    seen.add(key);
    if (isFull()) continue;
    const before = known.get(key);
    if (before === undefined) changes.push({ kind: "added", descriptor });
    else if (before.nodeCount !== descriptor.nodeCount) {
      const previousNodeCount = before.nodeCount;
      changes.push({ kind: "node_count_changed", descriptor, previousNodeCount });
    } else continue;
    known.set(key, descriptor);
  }
  for (const [key, descriptor] of known) {
    if (isFull()) break;
    if (seen.has(key)) continue;
    known.delete(key);
    changes.push({ kind: "removed", descriptor });
  }
  return changes;
}

/** Wakes one waiter; remembers a ring that nobody waited for. */
function createBell(signal: AbortSignal | undefined) {
  let isRung = false;
  let isOver = signal?.aborted ?? false;
  let wake = () => {};
  const end = () => {
    isOver = true;
    wake();
  };
  signal?.addEventListener("abort", end, { once: true });
  return {
    get isOver() {
      return isOver;
    },
    ring: () => {
      isRung = true;
      wake();
    },
    quiet: () => {
      isRung = false;
    },
    rung: (): Promise<void> => {
      if (isRung || isOver) return Promise.resolve();
      return new Promise((resolve) => void (wake = resolve));
    },
    /** A ring is no reason to wake earlier. */
    orAfter: (clock: Clock, waitMs: number): Promise<void> =>
      new Promise((resolve) => {
        const cancel = clock.after(waitMs, resolve);
        wake = () => {
          if (!isOver) return;
          cancel();
          resolve();
        };
      }),
    end: () => signal?.removeEventListener("abort", end),
  };
}
