/**
 * The channels of one folder, or of memory (`storage.md` 4): opened once, shared by all who ask, counted
 * together.
 */
import type { Clock, Disk } from "../../base/mod.ts";
import { type Log, type MetricRegistry, silentLog } from "../../observe/mod.ts";
import { ChannelFile } from "./channel_file.ts";
import {
  channelFolder,
  isChannelKept,
  listChannels,
  makeChannelFolder,
  removeChannel,
  requireChannelName,
} from "./channel_folder.ts";
import { createLogCounters, type LogCounters } from "./counters.ts";
import { diskFailure, openDiskRecordStore } from "./disk/mod.ts";
import { RedexError, toRedexError } from "./error.ts";
import { FolderLock } from "./folder_lock.ts";
import { FILES_OPEN_MAX } from "./limits.ts";
import { MemoryRecordStore } from "./memory_record_store.ts";
import type { OpenGuard } from "./open_guard.ts";
import type { RecordStore } from "./record_store.ts";
import { fillRedexConfig, type FullRedexConfig } from "./redex_config.ts";
import type { Redex, RedexConfig, RedexFile } from "./types.ts";

/** What a {@linkcode Redex} stands on. */
export interface RedexDeps {
  readonly clock: Clock;
  /** Only needed with a folder. */
  readonly disk?: Disk;
  readonly log?: Log;
  /** Gets the counters as `net_log_…`. */
  readonly metrics?: Pick<MetricRegistry, "register">;
}

/** Options of {@linkcode openRedex}. */
export interface RedexOptions {
  /** Folder of the channels on disk; without one all are in memory. */
  readonly folder?: string;
  /** Says who may open and remove a channel; everybody when left out. */
  readonly guard?: OpenGuard;
  /** Taken where a channel's own configuration says nothing. */
  readonly defaults?: RedexConfig;
  /** Most files open at once. */
  readonly filesMax?: number;
  /** Payload bytes of a segment of a channel on disk; {@linkcode SEGMENT_BYTES_MAX} when left out. */
  readonly segmentBytesMax?: number;
}

/**
 * Opens a log.
 *
 * @throws RedexError `config`.
 *
 * @example
 * ```ts
 * import { systemClock } from "../../base/mod.ts";
 * import { openRedex } from "./redex.ts";
 * await using redex = openRedex({ clock: systemClock });
 * const file = await redex.open("room/lobby");
 * const seq = file.append(new TextEncoder().encode("hello"));
 * console.assert(file.read(seq)?.payload.length === 5);
 * ```
 */
export function openRedex(deps: RedexDeps, options: RedexOptions = {}): Redex {
  return new FileManager(deps, options);
}

class FileManager implements Redex {
  readonly #deps: RedexDeps;
  readonly #options: RedexOptions;
  readonly #log: Log;
  readonly #filesMax: number;
  readonly #counters: LogCounters = createLogCounters();
  readonly #files = new Map<string, ChannelFile>();
  /** What happens to a name now: opening, closing, removing. Whoever comes next waits for it. */
  readonly #busy = new Map<string, Promise<unknown>>();
  #lock: FolderLock | undefined;
  /** Files that are being opened. */
  #opening = 0;
  #isClosed = false;

  constructor(deps: RedexDeps, options: RedexOptions) {
    // Faults of the defaults show when the log is opened, not with the first channel.
    fillRedexConfig(options.defaults ?? {});
    this.#deps = deps;
    this.#options = options;
    this.#log = deps.log ?? silentLog;
    this.#filesMax = options.filesMax ?? FILES_OPEN_MAX;
    deps.metrics?.register("log", () => ({ ...this.#counters }));
  }

  async open(name: string, config: RedexConfig = {}): Promise<RedexFile> {
    requireChannelName(name);
    this.#requireAllowed(name);
    const full = fillRedexConfig(config, this.#options.defaults);
    return await this.#alone(
      name,
      async () => this.#openFile(name, config) ?? await this.#open(name, full),
    );
  }

  async openExisting(name: string, config: RedexConfig = {}): Promise<RedexFile | undefined> {
    requireChannelName(name);
    this.#requireAllowed(name);
    const full = fillRedexConfig(config, this.#options.defaults);
    return await this.#alone(name, async () => {
      const open = this.#openFile(name, config);
      if (open !== undefined) return open;
      return this.#isKept(name) ? await this.#open(name, full) : undefined;
    });
  }

  get(name: string): RedexFile | undefined {
    const file = this.#files.get(name);
    return file?.closing === undefined ? file : undefined;
  }

  // deno-lint-ignore require-await -- what it throws is to be a rejection
  async names(): Promise<string[]> {
    const { folder } = this.#options;
    const names = new Set(this.#files.keys());
    if (folder !== undefined) {
      try {
        for (const name of listChannels(this.#disk(), folder)) names.add(name);
      } catch (error) {
        throw toRedexError(error, `Cannot list the channels of "${folder}"`);
      }
    }
    return [...names].sort();
  }

  async remove(name: string): Promise<boolean> {
    requireChannelName(name);
    this.#requireAllowed(name);
    return await this.#alone(name, async () => {
      const open = this.#files.get(name);
      const { folder } = this.#options;
      try {
        // What goes need not be put on the device before.
        await open?.close().catch(() => {});
        const isKept = folder !== undefined && this.#removeFiles(folder, name);
        return open !== undefined || isKept;
      } catch (error) {
        throw toRedexError(error, `Cannot remove channel "${name}"`);
      }
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#busy.values());
    const closed = await Promise.allSettled([...this.#files.values()].map((file) => file.close()));
    const failed = closed.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #isKept(name: string): boolean {
    const { folder } = this.#options;
    if (folder === undefined) return false;
    try {
      return isChannelKept(this.#disk(), folder, name);
    } catch (error) {
      throw toRedexError(error, `Cannot look for channel "${name}"`);
    }
  }

  #openFile(name: string, config: RedexConfig): ChannelFile | undefined {
    const open = this.#files.get(name);
    if (open === undefined || !config.isPersistent || open.isPersistent) return open;
    throw new RedexError(
      "config",
      `Cannot open channel "${name}" on disk: it is open in memory`,
      { next: "close it first, or open it as persistent from the start" },
    );
  }

  async #open(name: string, config: FullRedexConfig): Promise<ChannelFile> {
    if (this.#files.size + this.#opening >= this.#filesMax) {
      this.#counters.open_limit_total += 1;
      throw new RedexError(
        "limit",
        `Cannot open channel "${name}": ${this.#filesMax} are open, at most so many`,
        { next: "close channels that are not needed" },
      );
    }
    const { clock } = this.#deps;
    this.#opening += 1;
    let store: RecordStore;
    try {
      store = config.isPersistent ? await this.#openStore(name) : new MemoryRecordStore();
    } finally {
      this.#opening -= 1;
    }
    const file = new ChannelFile(name, config, {
      store,
      clock,
      log: this.#log,
      counters: this.#counters,
      onClosed: () => {
        if (config.isPersistent) this.#folderLock().give();
        if (this.#files.get(name) === file) this.#files.delete(name);
        this.#counters.files_open = this.#files.size;
      },
    });
    this.#files.set(name, file);
    this.#counters.files_open = this.#files.size;
    this.#counters.opens_total += 1;
    return file;
  }

  async #openStore(name: string): Promise<RecordStore> {
    const { folder } = this.#options;
    if (folder === undefined) {
      throw new RedexError(
        "config",
        `Cannot keep channel "${name}" on disk: the log has no folder`,
        {
          next: "give the log a folder, or open the channel in memory",
        },
      );
    }
    const [disk, { clock }] = [this.#disk(), this.#deps];
    const path = channelFolder(folder, name);
    this.#folderLock().take();
    try {
      makeChannelFolder(disk, folder, name);
      const { segmentBytesMax } = this.#options;
      return await openDiskRecordStore({ disk, clock, folder: path, segmentBytesMax });
    } catch (error) {
      this.#folderLock().give();
      throw diskFailure(error, `Cannot open channel "${name}"`);
    }
  }

  #folderLock(): FolderLock {
    return this.#lock ??= new FolderLock(this.#disk(), this.#options.folder ?? "");
  }

  #removeFiles(folder: string, name: string): boolean {
    this.#folderLock().take();
    try {
      return removeChannel(this.#disk(), folder, name);
    } finally {
      this.#folderLock().give();
    }
  }

  /** Runs when nothing else happens to this name. */
  async #alone<Result>(name: string, action: () => Promise<Result>): Promise<Result> {
    this.#requireOpen(name);
    const before = this.#busy.get(name);
    const run = (before ?? Promise.resolve()).then(async () => {
      this.#requireOpen(name);
      await this.#files.get(name)?.closing;
      return await action();
    });
    const settled = run.catch(() => {});
    this.#busy.set(name, settled);
    try {
      return await run;
    } finally {
      if (this.#busy.get(name) === settled) this.#busy.delete(name);
    }
  }

  #disk(): Disk {
    const { disk } = this.#deps;
    if (disk !== undefined) return disk;
    throw new RedexError("config", "Cannot use a folder: the log has no disk", {
      next: "give a disk with the folder",
    });
  }

  #requireAllowed(name: string): void {
    if (this.#options.guard === undefined || this.#options.guard(name)) return;
    this.#counters.open_unauthorized_total += 1;
    throw new RedexError("unauthorized", `Cannot open channel "${name}": it is not allowed here`, {
      next: "ask whoever runs the channel for access",
    });
  }

  #requireOpen(name: string): void {
    if (!this.#isClosed) return;
    throw new RedexError("closed", `Cannot use channel "${name}": the log was closed`);
  }
}
