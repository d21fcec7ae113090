/**
 * The pool of workers for hashes and Reed-Solomon codes, so that the event loop has other things to do while
 * large blobs are put and read.
 *
 * Workers start when there is much to do, end when there was nothing for a while, and see the bytes where
 * they are, in shared memory. Until they are there, where they can't be had and for little work the same code
 * runs in line, with a turn of the event loop after every few milliseconds.
 */
import { allocateSharedPages, type Clock, NetError, systemClock } from "../../base/mod.ts";
import { type Blake3, blake3, createBlake3 } from "../../core/crypto/mod.ts";
import type { FilesJob, FilesRead } from "../folder/files_job.ts";
import {
  isSharedJob,
  jobBytes,
  type JobMessage,
  runJob,
  toSentJob,
  type WorkerMessage,
  type WorkJob,
  type WorkResult,
} from "./jobs.ts";
import { startWorkWorker } from "./worker.ts";

/** What a pool counts. */
export interface WorkCounters {
  work_jobs_offloaded_total: number;
  work_jobs_inline_total: number;
  work_workers_started_total: number;
  work_workers_failed_total: number;
}

/** The hash of some bytes. */
export interface HashedBytes {
  readonly hash: Uint8Array<ArrayBuffer>;
  /** What `Blake3.addSubtree` takes; only when asked for. */
  readonly value?: Uint8Array<ArrayBuffer>;
}

/** Does work on bytes, here or elsewhere. */
export interface WorkPool {
  readonly counters: Readonly<WorkCounters>;
  /** A buffer of at least `length` bytes that every worker can see; its content is whatever it is. */
  takeBuffer(length: number): Uint8Array;
  /** Gives a buffer back that no job uses. */
  giveBack(buffer: Uint8Array): void;
  /**
   * Hashes bytes, which must not change meanwhile.
   *
   * @param start Place in a message of which they are a part (`isBlake3Subtree`), to get its value too.
   */
  hash(bytes: Uint8Array, start?: number): Promise<HashedBytes>;
  /** The value of a part of a message alone. */
  subtree(bytes: Uint8Array, start: number): Promise<Uint8Array<ArrayBuffer>>;
  /** As `galoisAddProducts`; neither input nor outputs may be touched meanwhile. */
  addProducts(
    input: Uint8Array,
    constants: Uint8Array,
    outputs: readonly Uint8Array[],
  ): Promise<void>;
  /** Reads and hashes many small files; what does not fit its buffer is left. In line where a pool cannot. */
  readFiles?(files: FilesJob): Promise<FilesRead>;
  /** Says that so many bytes are to come: workers that are worth it start before them. */
  prepare?(bytes: number): void;
  /** Ends the workers; what is under way is done in line. Idempotent. */
  stop(): void;
}

/** What {@linkcode createWorkPool} needs. */
export interface WorkPoolDeps {
  readonly clock: Clock;
  /** Starts a worker; `undefined` where none can be started. */
  readonly startWorker?: () => Worker | undefined;
}

/** Options of {@linkcode createWorkPool}. */
export interface WorkPoolOptions {
  /** Most workers; one less than there are cores, at most two, when left out. None: all is done in line. */
  readonly workersMax?: number;
  /** Work in line after which workers are started. */
  readonly startAfterBytes?: number;
}

/** One hashes 2 GB/s, chunk and whole 1; each takes 5 MB. One core is left for the event loop and the disk. */
const WORKERS_MAX = 2;
/** A worker takes 50 ms to start: as long as 50 MiB take in line. */
const START_AFTER_BYTES = 16 * 1024 * 1024;
/** Jobs below this are done sooner than told. */
const OFFLOAD_BYTES_MIN = 256 * 1024;
/** Jobs a worker has at once: the one it is at, and the next. */
const JOBS_PER_WORKER = 2;
/** Jobs that wait; more are done in line, which slows down whoever has so many. */
const WAITING_MAX = 64;
/** Workers without work for this long end. */
const IDLE_MS = 10_000;
/** In line the event loop gets a turn after so many bytes, about 2 ms. */
const TURN_BYTES = 4 * 1024 * 1024;
/** Buffers that are kept for the next to ask: what one put with parity has. */
const KEPT_BYTES_MAX = 64 * 1024 * 1024;

/** Creates a pool; its workers start when they are needed. */
export function createWorkPool(deps: WorkPoolDeps, options: WorkPoolOptions = {}): WorkPool {
  return new WorkerPool(deps, options);
}

/** Work in line alone, for tests and for small things; has nothing to stop. */
export function inlineWork(): WorkPool {
  return new WorkerPool({ clock: systemClock, startWorker: () => undefined }, { workersMax: 0 });
}

interface WaitingJob {
  readonly job: WorkJob;
  readonly resolve: (result: WorkResult) => void;
  readonly reject: (error: unknown) => void;
}

interface PoolWorker {
  readonly worker: Worker;
  readonly jobs: Map<number, WaitingJob>;
  isReady: boolean;
}

class WorkerPool implements WorkPool {
  readonly counters: WorkCounters = {
    work_jobs_offloaded_total: 0,
    work_jobs_inline_total: 0,
    work_workers_started_total: 0,
    work_workers_failed_total: 0,
  };
  readonly #deps: WorkPoolDeps;
  readonly #workersMax: number;
  readonly #startAfterBytes: number;
  readonly #workers: PoolWorker[] = [];
  readonly #waiting: WaitingJob[] = [];
  readonly #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #inlineBytes = 0;
  #lastId = 0;
  /** False once a worker failed, for good. */
  #isHopeful = true;
  #cancelIdle = () => {};

  constructor(deps: WorkPoolDeps, options: WorkPoolOptions) {
    this.#deps = deps;
    const cores = navigator.hardwareConcurrency;
    // On one core a worker only takes turns with the event loop.
    this.#workersMax = options.workersMax ?? Math.min(Math.max(cores, 1) - 1, WORKERS_MAX);
    this.#startAfterBytes = options.startAfterBytes ?? START_AFTER_BYTES;
  }

  takeBuffer(length: number): Uint8Array {
    const at = this.#kept.findIndex((buffer) =>
      buffer.length >= length && buffer.length <= 2 * length
    );
    const [found] = at < 0 ? [] : this.#kept.splice(at, 1);
    if (found !== undefined) {
      this.#keptBytes -= found.length;
      return found;
    }
    const isShared = this.#workersMax > 0 && this.#isHopeful && length >= OFFLOAD_BYTES_MIN;
    return isShared ? allocateSharedPages(length) : new Uint8Array(length);
  }

  giveBack(buffer: Uint8Array): void {
    if (this.#workersMax === 0) return;
    if (this.#keptBytes + buffer.length > KEPT_BYTES_MAX) return;
    this.#kept.push(buffer);
    this.#keptBytes += buffer.length;
    this.#restartIdle();
  }

  async hash(bytes: Uint8Array, start?: number): Promise<HashedBytes> {
    const { hash, value } = await this.#run({ kind: "hash", bytes, start });
    if (hash === undefined) throw new NetError("internal", "Cannot hash: there is no result");
    return { hash, value };
  }

  async subtree(bytes: Uint8Array, start: number): Promise<Uint8Array<ArrayBuffer>> {
    const { value } = await this.#run({ kind: "subtree", bytes, start });
    if (value === undefined) throw new NetError("internal", "Cannot hash: there is no result");
    return value;
  }

  async addProducts(
    input: Uint8Array,
    constants: Uint8Array,
    outputs: readonly Uint8Array[],
  ): Promise<void> {
    await this.#run({ kind: "products", input, constants, outputs });
  }

  async readFiles(files: FilesJob): Promise<FilesRead> {
    const { files: read } = await this.#run({ kind: "files", files });
    if (read === undefined) throw new NetError("internal", "Cannot read files: there is no result");
    return read;
  }

  prepare(bytes: number): void {
    if (this.#workersMax === 0 || bytes < 2 * this.#startAfterBytes) return;
    this.#restartIdle();
    this.#start();
  }

  stop(): void {
    this.#cancelIdle();
    this.#kept.length = 0;
    this.#keptBytes = 0;
    for (const worker of this.#workers.splice(0)) this.#end(worker, "the pool was stopped");
    for (const waiting of this.#waiting.splice(0)) this.#settleInline(waiting);
  }

  #run(job: WorkJob): Promise<WorkResult> {
    const bytes = jobBytes(job);
    if (this.#workersMax === 0 || bytes < OFFLOAD_BYTES_MIN || !isSharedJob(job)) {
      return this.#runInline(job);
    }
    this.#restartIdle();
    if (this.#workers.length === 0) {
      this.#inlineBytes += bytes;
      if (this.#inlineBytes >= this.#startAfterBytes) this.#start();
    }
    const isAnyReady = this.#workers.some(({ isReady }) => isReady);
    if (!isAnyReady || this.#waiting.length >= WAITING_MAX) return this.#runInline(job);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject });
      this.#dispatch();
    });
  }

  #dispatch(): void {
    for (;;) {
      const idlest = this.#workers
        .filter(({ isReady, jobs }) => isReady && jobs.size < JOBS_PER_WORKER)
        .sort((a, b) => a.jobs.size - b.jobs.size)[0];
      if (idlest === undefined) return;
      const waiting = this.#waiting.shift();
      if (waiting === undefined) return;
      const message: JobMessage = { id: ++this.#lastId, job: toSentJob(waiting.job) };
      idlest.jobs.set(message.id, waiting);
      idlest.worker.postMessage(message);
      this.counters.work_jobs_offloaded_total += 1;
    }
  }

  #start(): void {
    const { startWorker = startWorkWorker } = this.#deps;
    while (this.#isHopeful && this.#workers.length < this.#workersMax) {
      const worker = startWorker();
      if (worker === undefined) {
        this.#isHopeful = false;
        return;
      }
      this.counters.work_workers_started_total += 1;
      const entry: PoolWorker = { worker, jobs: new Map(), isReady: false };
      this.#workers.push(entry);
      worker.onmessage = ({ data }: MessageEvent<WorkerMessage>) => this.#take(entry, data);
      worker.onerror = (event) => {
        // Else it would end the program with a trace of its own.
        event.preventDefault();
        this.counters.work_workers_failed_total += 1;
        this.#isHopeful = false;
        const at = this.#workers.indexOf(entry);
        if (at >= 0) this.#workers.splice(at, 1);
        this.#end(entry, event.message);
        if (this.#workers.length > 0) return;
        for (const waiting of this.#waiting.splice(0)) this.#settleInline(waiting);
      };
    }
  }

  #take(entry: PoolWorker, message: WorkerMessage): void {
    if (message.kind === "ready") {
      entry.isReady = true;
    } else {
      const waiting = entry.jobs.get(message.id);
      entry.jobs.delete(message.id);
      if (message.kind === "done") waiting?.resolve(message.result);
      else waiting?.reject(new NetError("internal", `Cannot work on bytes: ${message.message}`));
    }
    this.#dispatch();
  }

  #end({ worker, jobs }: PoolWorker, reason: string): void {
    worker.terminate();
    for (const waiting of jobs.values()) {
      // Products may be half added; everything else can be done again.
      if (waiting.job.kind !== "products") this.#settleInline(waiting);
      else waiting.reject(new NetError("failed", `Cannot compute parity: ${reason}`));
    }
    jobs.clear();
  }

  #settleInline({ job, resolve, reject }: WaitingJob): void {
    this.#runInline(job).then(resolve, reject);
  }

  #runInline(job: WorkJob): Promise<WorkResult> {
    this.counters.work_jobs_inline_total += 1;
    return runInTurns(job);
  }

  #restartIdle(): void {
    this.#cancelIdle();
    this.#cancelIdle = this.#deps.clock.after(IDLE_MS, () => {
      const isBusy = this.#waiting.length > 0 || this.#workers.some(({ jobs }) => jobs.size > 0);
      if (isBusy) return this.#restartIdle();
      this.#inlineBytes = 0;
      this.stop();
    });
  }
}

/** Does a job in this thread; a long one in parts. */
async function runInTurns(job: WorkJob): Promise<WorkResult> {
  if (jobBytes(job) <= TURN_BYTES) return runJob(job);
  if (job.kind === "products") {
    const partBytes = Math.max(Math.floor(TURN_BYTES / job.outputs.length), 65_536);
    for (let at = 0; at < job.input.length; at += partBytes) {
      const input = job.input.subarray(at, at + partBytes);
      runJob({ ...job, input, outputs: job.outputs.map((output) => output.subarray(at)) });
      await nextTurn();
    }
    return {};
  }
  if (job.kind === "subtree" || job.kind === "files") return runJob(job);
  const { bytes } = job;
  if (job.start !== undefined) {
    const value = runJob({ kind: "subtree", bytes, start: job.start }).value;
    await nextTurn();
    return { hash: await hashInTurns(bytes), value };
  }
  return { hash: await hashInTurns(bytes) };
}

/** BLAKE3 of bytes that are in no shared memory, with a turn of the event loop every 2 ms or so. */
export async function hashInTurns(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  if (bytes.length <= TURN_BYTES) return blake3(bytes);
  const hash = createBlake3();
  await updateInTurns(hash, bytes);
  return hash.digest();
}

/** Adds bytes to a hash, with a turn of the event loop every 2 ms or so. */
export async function updateInTurns(hash: Blake3, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; at += TURN_BYTES) {
    if (at > 0) await nextTurn();
    hash.update(bytes.subarray(at, at + TURN_BYTES));
  }
}

/** Steps of a loop that may never wait for anything, between two turns of the event loop. */
const STEPS_PER_TURN = 32;

/** Gives the event loop a turn now and then in a loop over chunks, which may be tiny and all in memory. */
export class StepTurns {
  #steps = 0;

  /** Counts a step; waits when it is time for a turn. */
  step(): Promise<void> | undefined {
    this.#steps += 1;
    return this.#steps % STEPS_PER_TURN === 0 ? nextTurn() : undefined;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => systemClock.soon(resolve));
}
