/**
 * The log service: the channel files of one data folder, or of memory, for everything else that a node runs
 * (`storage.md` 3 to 5).
 *
 * Files are opened when they are first used and closed when too many are open. A file that can't be appended
 * to any more, as after a full disk, is opened anew with the next append.
 */
import { type Clock, NetError, STOPPING_NEXT, systemDisk } from "../../base/mod.ts";
import {
  openRedex,
  type Redex,
  type RedexConfig,
  RedexError,
  type RedexEvent,
  type RedexFile,
  type RedexStat,
  repairFolder,
  type RepairReport,
} from "../../log/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import type { CounterSet, Log, MetricRegistry } from "../../observe/mod.ts";
import { ChannelLocks } from "./channel_locks.ts";
import { closeOrTell } from "./close_file.ts";
import { FileUses } from "./file_uses.ts";
import { watchGrowth } from "./growth.ts";
import { type Appended, appendEvents, type AppendOptions } from "./log_append.ts";
import { LogReader, type LogReadOptions } from "./log_reader.ts";
import {
  type LogVerdict,
  type OnLogProgress,
  statUnlessDamaged,
  verifyFile,
  type VerifyFileOptions,
} from "./log_verify.ts";
import { type LogDefaults, type LogMemory, type LogRules, toRedexConfig } from "./rules.ts";

/** What {@linkcode LogService} needs. */
export interface LogServiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  /** Folder of the channel files; `undefined` for memory. */
  readonly redexFolder: string | undefined;
  readonly memory: LogMemory;
  /** Origin of this node, for tokens of what it appends. */
  readonly origin: bigint;
  /** Throws NetError `not_allowed` where the rules of a channel keep this node from writing it. */
  readonly guard?: (channel: string) => void;
  /** Aborted when the node begins to stop, before its services do. */
  readonly stopSignal?: AbortSignal;
}

/** The logs of a node. */
export class LogService implements Service {
  readonly name = "log";
  readonly counters = {
    reader_events_total: 0,
    reader_gone_events_total: 0,
    files_evicted_total: 0,
    files_reopened_total: 0,
    drop_open_refused_total: 0,
  };
  readonly #deps: LogServiceDeps;
  readonly #defaults: LogDefaults;
  readonly #locks = new ChannelLocks();
  readonly #uses = new FileUses();
  readonly #users = new Set<(channel: string) => Promise<void>>();
  #redex: Redex | undefined;
  #ending = new AbortController();

  constructor(deps: LogServiceDeps, defaults: LogDefaults) {
    this.#deps = deps;
    this.#defaults = defaults;
  }

  /** Origin of this node. */
  get origin(): bigint {
    return this.#deps.origin;
  }

  /** True when the channel files are on disk. */
  get isOnDisk(): boolean {
    return this.#deps.redexFolder !== undefined;
  }

  /** The channel files, for what folds them. */
  get redex(): Redex {
    if (this.#redex !== undefined) return this.#redex;
    throw new NetError("not_ready", "Cannot use logs: the node has not started them");
  }

  /** Aborted when the service, or the node, begins to stop. */
  get stopSignal(): AbortSignal {
    const { stopSignal } = this.#deps;
    const own = this.#ending.signal;
    return stopSignal === undefined ? own : AbortSignal.any([own, stopSignal]);
  }

  start(): Promise<void> {
    const { clock, log, metrics, redexFolder: folder } = this.#deps;
    this.#ending = new AbortController();
    this.#redex = openRedex({ clock, log, metrics, disk: systemDisk }, {
      folder,
      segmentBytesMax: this.#defaults.segmentBytesMax,
      guard: (channel) => this.#isAllowed(channel),
    });
    metrics.register("log_service", () => this.#counters());
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#ending.abort(new NetError("draining", "The node stops", { next: STOPPING_NEXT }));
    const redex = this.#redex;
    this.#redex = undefined;
    this.#uses.clear();
    await redex?.close();
  }

  health(): ServiceHealth {
    const failed = this.#uses.failed().find(({ file }) => this.#redex?.get(file.name) === file);
    if (failed === undefined) return { state: "healthy" };
    const { file, failure } = failed;
    return { state: "degraded", detail: `Nothing can be appended to ${file.name}: ${failure}` };
  }

  // --- Files -----------------------------------------------------------------------------------

  /**
   * The file of a channel, made when there is none.
   *
   * @throws RedexError `channel` for a bad name, `io`, `no_space`; NetError `not_allowed` by the channel's rules.
   */
  async open(channel: string): Promise<RedexFile> {
    return await this.#open(channel, (config) => this.redex.open(channel, config));
  }

  /**
   * The file of a channel that is there.
   *
   * @throws NetError `not_found`, and as {@linkcode LogService.open}.
   */
  async openExisting(channel: string): Promise<RedexFile> {
    const file = await this.#open(
      channel,
      (config) => this.redex.openExisting(channel, config),
    );
    if (file !== undefined) return file;
    throw new NetError("not_found", `Cannot find log "${channel}": nothing was ever appended`, {
      next: `append to it with net log append ${channel}, or see net log ls`,
    });
  }

  /** Channels that are open or kept, by name. */
  names(): Promise<string[]> {
    return this.redex.names();
  }

  /** What an operator said of a channel. */
  rulesOf(channel: string): Promise<LogRules | undefined> {
    return this.#deps.memory.read(channel);
  }

  /** Makes a log, or changes how it is kept. Readers go on. */
  async configure(channel: string, rules: LogRules): Promise<RedexFile> {
    const before = await this.#deps.memory.read(channel);
    const after = { ...before, ...rules };
    const isKnown = (await this.names()).includes(channel);
    if (isKnown) {
      const file = await this.open(channel);
      const isVolatile = !file.stat().isPersistent;
      if (this.isOnDisk && isVolatile !== (after.isVolatile ?? false)) {
        throw new NetError(
          "conflict",
          `Cannot change log "${channel}": it is kept ${isVolatile ? "in memory" : "on disk"}`,
          { next: `remove it first with net log rm ${channel}` },
        );
      }
      const { fsync, retention, sweepMs } = toRedexConfig(
        channel,
        after,
        this.#defaults,
        this.isOnDisk,
      );
      file.configure({ fsync, retention, sweepMs });
    }
    await this.#deps.memory.write(channel, after);
    return await this.open(channel);
  }

  /** Removes a log and all of it; false when there was none. */
  async remove(channel: string): Promise<boolean> {
    const isRemoved = await this.withClosed(channel, () => this.redex.remove(channel));
    await this.#deps.memory.write(channel, undefined);
    return isRemoved;
  }

  /**
   * Called before a channel's file is closed to be changed, so that whoever holds it lets go.
   *
   * @returns Ends that.
   */
  onRelease(release: (channel: string) => Promise<void>): () => void {
    this.#users.add(release);
    return () => void this.#users.delete(release);
  }

  /** Keeps a channel's file from being closed for others, until the result is called. */
  hold(channel: string): () => void {
    return this.#uses.hold(channel);
  }

  // --- Events ----------------------------------------------------------------------------------

  /**
   * Appends all events or none.
   *
   * @throws RedexError `seq_mismatch` when `expected` is not the next number, and others of its kinds.
   */
  async append(
    channel: string,
    payloads: readonly Uint8Array[],
    options: AppendOptions = {},
  ): Promise<Appended> {
    return await this.#withFile(
      channel,
      (file) => appendEvents(file, this.origin, payloads, options),
    );
  }

  /** A reader of a log that is there; see {@linkcode LogReader}. */
  async reader(channel: string, options: LogReadOptions): Promise<LogReader> {
    await this.openExisting(channel);
    const reader = new LogReader({
      channel,
      open: () => this.open(channel),
      isThere: async () => {
        await this.#locks.whenFree(channel);
        return (await this.names()).includes(channel);
      },
      clock: this.#deps.clock,
      stopSignal: this.stopSignal,
      onEnd: this.#uses.hold(channel),
      counters: this.counters,
    }, options);
    try {
      await reader.start();
    } catch (error) {
      reader.close();
      throw error;
    }
    return reader;
  }

  /** The event of this number; `undefined` when there is none. */
  async read(channel: string, seq: bigint): Promise<RedexEvent | undefined> {
    return (await this.openExisting(channel)).read(seq);
  }

  // --- Care ------------------------------------------------------------------------------------

  /** Reads all of a log that is there, and says what of it can't be read. */
  async verify(
    channel: string,
    options: VerifyFileOptions = {},
  ): Promise<LogVerdict> {
    return await verifyFile(await this.openExisting(channel), this.#deps.clock, options);
  }

  /** Runs retention and writes a log anew without what is gone; what it was before and after. */
  async compact(
    channel: string,
    onProgress: OnLogProgress = () => {},
  ): Promise<{ readonly swept: number; readonly before: RedexStat; readonly after: RedexStat }> {
    const file = await this.openExisting(channel);
    const before = file.stat();
    using _ = this.#watchGrowth(before, onProgress);
    const swept = await file.sweep();
    await file.compact();
    return { swept, before, after: file.stat() };
  }

  /**
   * Takes what is damaged or torn out of a log on disk; readers go on.
   *
   * @throws NetError `not_found`, `usage` for a log in memory; RedexError `io`, `no_space`.
   */
  async repair(
    channel: string,
    { onProgress = () => {}, ...options }: {
      readonly isKeepingTaken: boolean;
      readonly signal?: AbortSignal;
      readonly onProgress?: OnLogProgress;
    },
  ): Promise<RepairReport> {
    const { clock, redexFolder } = this.#deps;
    const before = await statUnlessDamaged(() => this.openExisting(channel));
    if (redexFolder === undefined || before?.isPersistent === false) {
      throw new NetError("usage", `Cannot repair "${channel}": it is kept in memory`, {
        next: "only what is on disk can be damaged",
      });
    }
    using _ = before === undefined ? undefined : this.#watchGrowth(before, onProgress);
    const folder = `${redexFolder}/${channel}`;
    const repair = () => repairFolder(systemDisk, folder, { ...options, clock });
    return await this.withClosed(channel, repair);
  }

  /** Closes a channel's file, does something with its folder, and lets others have it again. */
  async withClosed<T>(channel: string, work: () => Promise<T>): Promise<T> {
    return await this.#locks.run(channel, async () => {
      for (const release of this.#users) await release(channel);
      this.#uses.forget(channel);
      const file = this.redex.get(channel);
      // What is only in memory is gone when it is closed, so it is left to whoever wants that.
      if (file !== undefined && file.stat().isPersistent) await closeOrTell(file, this.#deps.log);
      return await work();
    });
  }

  // --- Inside ----------------------------------------------------------------------------------

  async #open<File extends RedexFile | undefined>(
    channel: string,
    openFile: (config: RedexConfig) => Promise<File>,
  ): Promise<File | RedexFile> {
    // One that is being removed must not come into being again.
    await this.#locks.whenFree(channel);
    this.#guard(channel);
    const known = this.redex.get(channel);
    if (known !== undefined && known.stat().failure === undefined) return await this.#use(known);
    if (known !== undefined) {
      // What could not be written is not known to memory either, so the folder is the truth.
      this.counters.files_reopened_total += 1;
      await known.close().catch(() => {});
    }
    const rules = await this.#deps.memory.read(channel);
    const file = await openFile(toRedexConfig(channel, rules, this.#defaults, this.isOnDisk));
    if (file !== undefined) await this.#use(file);
    return file;
  }

  /** Others are closed where there are too many. */
  async #use(file: RedexFile): Promise<RedexFile> {
    this.#uses.touch(file);
    for (const spare of this.#uses.takeSpare(file.name)) {
      this.counters.files_evicted_total += 1;
      await closeOrTell(spare, this.#deps.log);
    }
    return file;
  }

  #isAllowed(channel: string): boolean {
    try {
      this.#deps.guard?.(channel);
      return true;
    } catch {
      return false;
    }
  }

  /** As the folder's own guard, with the reason. */
  #guard(channel: string): void {
    try {
      this.#deps.guard?.(channel);
    } catch (error) {
      this.counters.drop_open_refused_total += 1;
      throw error;
    }
  }

  /** Once more when the file was closed in between. */
  async #withFile<T>(channel: string, work: (file: RedexFile) => Promise<T>): Promise<T> {
    for (let isSecond = false;; isSecond = true) {
      const file = await this.open(channel);
      try {
        return await work(file);
      } catch (error) {
        const isClosed = error instanceof RedexError && error.kind === "closed";
        if (!isClosed || isSecond || this.#redex === undefined) throw error;
      }
    }
  }

  #watchGrowth({ name, generation, bytes }: RedexStat, onProgress: OnLogProgress): Disposable {
    const { clock, redexFolder = "" } = this.#deps;
    const place = { folder: `${redexFolder}/${name}`, generation, totalBytes: bytes };
    return watchGrowth({ disk: systemDisk, clock }, place, onProgress);
  }

  #counters(): CounterSet {
    const files_failed = this.#uses.failed().length;
    return { ...this.counters, files_failed, file_holders: this.#uses.holders };
  }
}
