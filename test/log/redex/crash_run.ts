/**
 * One seeded life of a channel on a simulated disk: appends of every kind, syncs, retention, compaction,
 * failing operations, and crashes at any of the disk's operations, recovery included.
 */
import {
  type FsyncPolicy,
  openRedex,
  type RedexConfig,
  RedexError,
  type RedexFile,
  type RedexTail,
  type TailItem,
} from "../../../src/log/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { seededRandom } from "../../sim/memory_network.ts";
import { type DiskOperation, SimDisk, type SimFault } from "../../sim/sim_disk.ts";
import { simErrors } from "../../sim/sim_inode.ts";
import { CrashModel } from "./crash_model.ts";

/** What a run did. */
export interface CrashReport {
  crashes: number;
  kills: number;
  appended: number;
  acknowledged: number;
  recovered: number;
  damaged: number;
  faulted: number;
  readonly faults: string[];
}

const NAME = "a/b";
const FOLDER = "data/log";
const ROUNDS_MAX = 4;
const STEPS_MAX = 60;

/** Runs a seed. */
export async function runCrashSeed(seed: number): Promise<CrashReport> {
  return await new CrashRun(seed).run();
}

/** Reports of many seeds added up. */
export async function runCrashSeeds(seeds: Iterable<number>): Promise<CrashReport> {
  const total = emptyCrashReport();
  for (const seed of seeds) {
    const report = await runCrashSeed(seed).catch((error: unknown) => {
      throw new Error(`NET_CRASH_SEED=${seed}`, { cause: error });
    });
    addCrashReport(total, { ...report, faults: describeFaults(seed, report.faults) });
  }
  return total;
}

/** A report of nothing. */
export function emptyCrashReport(): CrashReport {
  return {
    crashes: 0,
    kills: 0,
    appended: 0,
    acknowledged: 0,
    recovered: 0,
    damaged: 0,
    faulted: 0,
    faults: [],
  };
}

/** Adds a report to a total. */
export function addCrashReport(total: CrashReport, report: CrashReport): void {
  total.crashes += report.crashes;
  total.kills += report.kills;
  total.appended += report.appended;
  total.acknowledged += report.acknowledged;
  total.recovered += report.recovered;
  total.damaged += report.damaged;
  total.faulted += report.faulted;
  total.faults.push(...report.faults);
}

function describeFaults(seed: number, faults: readonly string[]): string[] {
  return faults.length === 0 ? [] : [`NET_CRASH_SEED=${seed}: ${faults.slice(0, 5).join("; ")}`];
}

class CrashRun {
  readonly #chance: () => number;
  readonly #clock = new ManualClock();
  readonly #model = new CrashModel();
  readonly #report = emptyCrashReport();
  readonly #config: RedexConfig;
  readonly #segmentBytesMax: number | undefined;
  readonly #faultRate: number;
  #disk = new SimDisk();
  /** The machine has crashed since the log was looked at: what was not acknowledged may be lost. */
  #mayLose = false;
  /** Sweeps that were asked for and have not ended. */
  #sweeps = 0;
  /** Appends so far; every payload is another one. */
  #payloads = 0;

  constructor(seed: number) {
    this.#chance = seededRandom(seed);
    this.#config = {
      isPersistent: true,
      fsync: this.#policy(),
      retention: this.#oneOf([
        {},
        {},
        { eventsMax: this.#between(5, 60) },
        { bytesMax: this.#between(300, 5_000) },
        { ageMaxMs: this.#between(20, 500), eventsMax: 80 },
      ]),
      sweepMs: this.#oneOf([0, 15, 60]),
    };
    this.#segmentBytesMax = this.#oneOf([undefined, 1_024, 4_096]);
    this.#faultRate = this.#chance() < 0.35 ? 0.04 : 0;
    this.#model.hasAllNotes = this.#faultRate === 0;
    // The data folder of the node is there before its log.
    this.#disk.makeFolder("data");
    this.#disk.syncFolder("");
  }

  async run(): Promise<CrashReport> {
    const rounds = this.#between(1, ROUNDS_MAX);
    for (let round = 0; round < rounds; round++) {
      // Early ones too, so that making and recovering the files is hit.
      this.#disk.crashAt = this.#disk.operations + 1 + Math.floor(this.#chance() ** 2 * 300);
      this.#disk.fault = this.#faultRate > 0 ? (operation) => this.#fault(operation) : undefined;
      await this.#live();
      this.#endRound();
    }
    await this.#live(3);
    const { faults } = this.#model;
    return { ...this.#report, faults: [...new Set(faults)] };
  }

  /** The program ended, by a crash of the machine or only its own. */
  #endRound(): void {
    if (!this.#disk.isCrashed && this.#chance() < 0.3) {
      this.#report.kills += 1;
      this.#disk.kill();
      this.#disk.fault = undefined;
    } else {
      this.#report.crashes += 1;
      this.#disk = this.#disk.afterCrash(this.#chance);
      this.#mayLose = true;
    }
  }

  /** Opens the log, checks what is there, and works until the crash or the last step. */
  async #live(stepsMax = this.#between(1, STEPS_MAX)): Promise<void> {
    const redex = openRedex({ clock: this.#clock, disk: this.#disk }, {
      folder: FOLDER,
      segmentBytesMax: this.#segmentBytesMax,
    });
    let steps = 0;
    try {
      while (!this.#disk.isCrashed && steps < stepsMax) {
        this.#model.openTimes.add(BigInt(this.#clock.wallMs()) * 1_000_000n);
        const file = await this.#until(redex.open(NAME, this.#config)).catch(() => undefined);
        if (file === undefined) {
          // A fault: the next try may do better.
          steps += 5;
          continue;
        }
        this.#checkRecovered(file);
        using tail = file.tail();
        for (; steps < stepsMax && !this.#disk.isCrashed; steps++) {
          if (!await this.#step(file, tail)) break;
        }
        if (this.#disk.isCrashed) break;
        this.#claim(file);
        await this.#until(file.close()).catch(() => {});
        if (!this.#disk.isCrashed) this.#claim(file);
      }
    } finally {
      await this.#until(redex.close()).catch(() => {});
    }
  }

  #checkRecovered(file: RedexFile): void {
    using tail = file.tail({ from: 0n });
    const items: TailItem[] = [];
    try {
      for (let more = tail.takeNow(50); more.length > 0; more = tail.takeNow(50)) {
        items.push(...more);
      }
    } catch (error) {
      // A fault in the middle of a check; there will be others.
      if (this.#disk.isCrashed || this.#faultRate > 0) return;
      throw error;
    }
    this.#report.recovered += items.length;
    for (const item of items) {
      if (item.kind === "lag" && item.reason === "damage") {
        this.#report.damaged += Number(item.to - item.from) + 1;
      }
    }
    this.#model.recovered(items, Number(file.nextSeq), this.#mayLose);
    this.#mayLose = false;
  }

  /** One step; false when the file is to be opened again. */
  async #step(file: RedexFile, tail: RedexTail): Promise<boolean> {
    const { retention = {} } = this.#config;
    const model = this.#model;
    try {
      const kind = this.#chance();
      if (kind < 0.3) this.#append(file, 1, (payloads) => file.append(payloads[0] as Uint8Array));
      else if (kind < 0.42) {
        this.#append(file, this.#between(2, 12), (payloads) => file.appendBatch(payloads));
      } else if (kind < 0.47) {
        this.#append(
          file,
          this.#between(1, 3),
          (payloads) => file.appendBatchIfNext(file.nextSeq, payloads),
        );
      } else if (kind < 0.55) {
        this.#append(file, 1, (payloads) => file.appendInline(payloads[0] as Uint8Array), true);
      } else if (kind < 0.7) {
        const durable = this.#appendDurable(file);
        if (this.#chance() < 0.5) await this.#until(durable);
        else durable.catch(() => {});
      } else if (kind < 0.77) {
        const upTo = model.next;
        const sync = file.sync().then(() => model.acknowledge(upTo));
        if (this.#chance() < 0.5) await this.#until(sync);
        else sync.catch(() => {});
      } else if (kind < 0.82) {
        model.sweeping(retention, this.#clock.wallMs());
        this.#sweeps += 1;
        const sweep = file.sweep().finally(() => this.#sweeps -= 1);
        if (this.#chance() < 0.5) await this.#until(sweep);
        else sweep.catch(() => {});
      } else if (kind < 0.86) {
        const compact = file.compact();
        if (this.#chance() < 0.5) await this.#until(compact);
        else compact.catch(() => {});
      } else if (kind < 0.95) {
        const ms = this.#between(1, 30);
        model.sweeping(retention, this.#clock.wallMs() + ms);
        await this.#clock.advance(ms);
      } else if (kind < 0.96) {
        const next = model.next + this.#between(1, 5);
        file.skipTo(BigInt(next));
        model.skipped(next);
      } else if (kind < 0.975) return false;
      else {
        const from = Number(tail.position);
        const items = tail.takeNow(1_000);
        model.checkItems(items, from, Number(tail.position), model.next);
      }
    } catch (error) {
      if (!(error instanceof RedexError)) throw error;
      this.#report.faulted += 1;
      if (this.#disk.isCrashed) return false;
      // A segment that is full takes no more until it is shorter.
      if (error.kind === "payload_too_large" || error.kind === "segment_offset_overflow") {
        return true;
      }
      if (this.#faultRate === 0) model.faults.push(`without a fault: ${error.message}`);
      // Poisoned: opened again it goes on.
      if (file.stat().failure !== undefined) return false;
    }
    // One that waits for its turn goes by what was appended meanwhile.
    if (this.#sweeps > 0 || this.#config.sweepMs !== 0) {
      model.sweeping(retention, this.#clock.wallMs());
    }
    if (!this.#disk.isCrashed) this.#claim(file);
    return true;
  }

  /** What the file says is on the device. */
  #claim(file: RedexFile): void {
    this.#model.acknowledge(Number(file.persistedSeq));
  }

  #append(
    file: RedexFile,
    count: number,
    append: (payloads: Uint8Array[]) => bigint | undefined,
    isInline = false,
  ): void {
    const texts = Array.from({ length: count }, () => this.#payload(isInline));
    this.#model.try(texts);
    const timeNs = BigInt(this.#clock.wallMs()) * 1_000_000n;
    const first = append(texts.map((text) => new TextEncoder().encode(text)));
    this.#model.appended(Number(first ?? file.nextSeq), texts, timeNs, isInline);
    this.#report.appended += count;
  }

  async #appendDurable(file: RedexFile): Promise<void> {
    const before = file.nextSeq;
    let durable: Promise<unknown> = Promise.resolve();
    try {
      this.#append(file, this.#between(1, 4), (payloads) => {
        durable = file.appendDurable(payloads);
        durable.catch(() => {});
        // It appends at once, or not at all.
        if (file.nextSeq === before) throw new NotAppended();
        return before;
      });
    } catch (error) {
      if (!(error instanceof NotAppended)) throw error;
    }
    const upTo = this.#model.next;
    await durable;
    this.#model.acknowledge(upTo);
    this.#report.acknowledged += 1;
  }

  #payload(isInline: boolean): string {
    const number = String(this.#payloads++);
    if (isInline) return number.padStart(8, ".");
    const kind = this.#chance();
    const length = kind < 0.7 ? this.#between(1, 40) : kind < 0.95 ? this.#between(40, 400) : 3_000;
    return number.padEnd(length, "x");
  }

  #fault({ kind, bytes }: DiskOperation): SimFault | undefined {
    if (this.#chance() >= this.#faultRate) return undefined;
    // Reads fail less often than writes; what cannot be read is not to be taken for damaged, but is tested elsewhere.
    if (kind === "read") return undefined;
    const error = kind === "sync" || kind === "syncFolder" || this.#chance() < 0.3
      ? simErrors.io()
      : simErrors.noSpace();
    return { error, keep: Math.floor(this.#chance() * (bytes + 1)) };
  }

  /** Waits while time goes on. */
  async #until<Result>(promise: Promise<Result>): Promise<Result> {
    let isDone = false;
    const done = () => void (isDone = true);
    promise.then(done, done);
    for (let i = 0; i < 50 && !isDone; i++) await Promise.resolve();
    for (let ms = 0; ms < 2_000 && !isDone; ms++) {
      this.#model.sweeping(this.#config.retention ?? {}, this.#clock.wallMs() + 1);
      await this.#clock.advance(1);
    }
    if (!isDone) throw new Error("it never ends");
    return await promise;
  }

  #policy(): FsyncPolicy {
    return this.#oneOf<FsyncPolicy>([
      { kind: "never" },
      { kind: "every-n", records: this.#between(1, 12) },
      { kind: "interval", ms: this.#between(2, 50) },
      { kind: "interval-or-bytes", ms: this.#between(0, 50), bytes: this.#between(1, 800) },
    ]);
  }

  #between(from: number, to: number): number {
    return from + Math.floor(this.#chance() * (to - from + 1));
  }

  #oneOf<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.#chance() * items.length)] as Item;
  }
}

/** An append threw inside of a promise. */
class NotAppended extends Error {}
