/** Opens a folded log (`storage.md` 9). */
import type { Clock } from "../../base/mod.ts";
import type { Redex, RedexConfig, RedexFile } from "../../log/mod.ts";
import { type Log, silentLog } from "../../observe/mod.ts";
import { AppCounter } from "./app_counter.ts";
import { FoldedLog } from "./cortex_adapter.ts";
import { CortexError } from "./cortex_error.ts";
import { CortexMetrics } from "./cortex_metrics.ts";
import { decodeCortexSnapshot } from "./cortex_snapshot.ts";
import { Fold, type FoldErrorPolicy, type FoldStart } from "./fold.ts";
import { SEQ_MAX, TOKEN_WAITERS_MAX } from "./limits.ts";
import type { CortexAdapter, CortexSnapshot, FoldModel } from "./types.ts";
import { WaitBudget } from "./wait_budget.ts";

/** What {@linkcode openCortex} needs. */
export interface OpenCortexDeps {
  /** A file that is closed by others is opened again, as long as its channel is there. */
  readonly redex: Redex;
  readonly clock: Clock;
  readonly log?: Log;
  /** Shared by the folds that are to be counted together. */
  readonly metrics?: CortexMetrics;
  /** Places for waiters of the whole process; without it only each fold has a limit. */
  readonly waits?: WaitBudget;
  /** Told of every fold that is open; the result is called once when it is closed. What it throws ends the opening. */
  readonly onOpen?: (adapter: CortexAdapter<unknown>) => () => void;
}

/** Options of {@linkcode openCortex}. */
export interface OpenCortexOptions {
  /** Who writes: stands in every event, and in tokens. */
  readonly origin: bigint;
  /** The model's when left out. */
  readonly channel?: string;
  /** Of the channel's file, when it is not open yet. */
  readonly config?: RedexConfig;
  /** A state to go on from, with the event behind its last one. */
  readonly snapshot?: CortexSnapshot;
  /** Of a fold without a snapshot: the log's beginning (the default), its end, or an event. */
  readonly start?: "beginning" | "live" | bigint;
  readonly errorPolicy?: FoldErrorPolicy;
  /** Waiters at a time; 0 for as many as come, 1024 when left out. */
  readonly waitersMax?: number;
  /** Ends the opening, not the fold. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a channel and folds it: resolves when what the log has is in the state, or when that has stopped the
 * fold (see `isRunning`); then goes on with what comes. A long log is folded in slices.
 *
 * A snapshot from further on than the log goes moves the log's numbers on behind it, so that what is
 * appended next is folded at once and no number stands for two events.
 *
 * @throws RedexError of the log, CortexError `snapshot`, FoldDecodeError for a snapshot that the model cannot read,
 * RangeError for options.
 */
export async function openCortex<State>(
  deps: OpenCortexDeps,
  model: FoldModel<State>,
  options: OpenCortexOptions,
): Promise<CortexAdapter<State>> {
  checkOptions(options);
  const { clock, metrics = new CortexMetrics() } = deps;
  const { origin, snapshot, signal, channel = model.channel } = options;
  const restored = snapshot === undefined ? undefined : restore(model, snapshot);
  const waitersMax = new WaitBudget(options.waitersMax ?? TOKEN_WAITERS_MAX);
  const log = (deps.log ?? silentLog).child({ channel });
  const file = await deps.redex.open(channel, options.config);
  signal?.throwIfAborted();
  const logEnd = file.nextSeq;
  const start = restored === undefined
    ? startAt(file, model.create(), options.start)
    : goOnBehind(file, restored, log);
  const counter = new AppCounter(origin, restored?.appSeq);
  const fold = new Fold(
    { clock, log, metrics, counter },
    model,
    options.errorPolicy ?? "stop",
    start,
  );
  const budgets = deps.waits === undefined ? [waitersMax] : [deps.waits, waitersMax];
  const reopen = async () => {
    // What was removed must not come into being again.
    const again = await deps.redex.openExisting(channel, options.config);
    // That numbers were moved on is written with the next event, so that it may have been forgotten.
    const isAsFound = fold.next === start.next && again?.nextSeq === logEnd;
    if (again !== undefined && isAsFound) moveOn(again, BigInt(fold.next), log);
    return again;
  };
  const adapter = new FoldedLog({
    file,
    model,
    fold,
    origin,
    counter,
    metrics,
    log,
    waits: { clock, budgets },
    reopen,
  });
  const follower = adapter.follower(file);
  try {
    await follower.catchUp(file.nextSeq, signal);
    adapter.onClosed = deps.onOpen?.(adapter);
  } catch (error) {
    follower.close();
    await adapter.close();
    throw error;
  }
  adapter.start(follower);
  return adapter;
}

interface RestoredState<State> {
  readonly state: State;
  readonly appSeq: bigint;
  readonly lastSeq: bigint | undefined;
}

function restore<State>(
  model: FoldModel<State>,
  { bytes, lastSeq }: CortexSnapshot,
): RestoredState<State> {
  // One less than the largest, because the next number must be one too.
  if (lastSeq !== undefined && (lastSeq < 0n || lastSeq >= SEQ_MAX)) {
    throw new CortexError(
      "snapshot",
      `Cannot restore snapshot: last_seq is ${lastSeq}, must be below ${SEQ_MAX}`,
    );
  }
  const { appSeq, inner } = decodeCortexSnapshot(bytes);
  return { state: model.decode(inner), appSeq, lastSeq };
}

function goOnBehind<State>(
  file: RedexFile,
  { state, lastSeq }: RestoredState<State>,
  log: Log,
): FoldStart<State> {
  if (lastSeq === undefined) return startAt(file, state);
  const next = lastSeq + 1n;
  moveOn(file, next, log);
  return { state, next: Number(next), applied: Number(lastSeq) };
}

/** A log that ends before what the state has of it must not give those numbers again. */
function moveOn(file: RedexFile, next: bigint, log: Log): void {
  if (next <= file.nextSeq) return;
  log.info("cortex_log_moved_on", { from: file.nextSeq, to: next });
  file.skipTo(next);
}

function startAt<State>(
  file: RedexFile,
  state: State,
  start: OpenCortexOptions["start"] = "beginning",
): FoldStart<State> {
  // What retention took before is not missed: a log with limits is a window.
  const wanted = start === "beginning" ? file.firstSeq : start === "live" ? file.nextSeq : start;
  const next = Number(wanted);
  return { state, next, applied: next === 0 ? undefined : next - 1 };
}

function checkOptions({ origin, start, snapshot }: OpenCortexOptions): void {
  if (origin < 0n || origin >= 1n << 64n) {
    throw new RangeError(`Cannot open fold: origin is ${origin}, must be 0..2^64-1`);
  }
  if (start !== undefined && snapshot !== undefined) {
    throw new RangeError("Cannot open fold: a start is given, and a snapshot that has its own");
  }
  if (typeof start === "bigint" && (start < 0n || start > SEQ_MAX)) {
    throw new RangeError(`Cannot open fold: start is ${start}, must be 0..${SEQ_MAX}`);
  }
}
