/** A log in memory that loses, damages and refuses what a test says. */
import type {
  Redex,
  RedexEvent,
  RedexFile,
  RedexStat,
  RedexTail,
  TailItem,
  TailOptions,
} from "../../../src/log/mod.ts";
import { RedexError } from "../../../src/log/mod.ts";

/** A file whose events are a list with holes. */
export class FakeFile implements RedexFile {
  readonly name: string;
  firstSeq = 0n;
  nextSeq = 0n;
  persistedSeq = 0n;
  /** Thrown by tails instead of events. */
  readError: Error | undefined;
  isClosed = false;
  readonly #events = new Map<bigint, Uint8Array>();
  readonly #wakes = new Set<() => void>();

  constructor(name: string) {
    this.name = name;
  }

  /** Takes an event away as a bad checksum does. */
  damage(seq: bigint): void {
    this.#events.delete(seq);
  }

  /** Takes events away as retention does. */
  trim(firstSeq: bigint): void {
    this.firstSeq = firstSeq;
  }

  append(payload: Uint8Array): bigint {
    const seq = this.appendBatch([payload]);
    if (seq === undefined) throw new Error("unreachable");
    return seq;
  }

  appendBatch(payloads: readonly Uint8Array[]): bigint | undefined {
    if (this.isClosed) throw new RedexError("closed", "file closed");
    if (payloads.length === 0) return undefined;
    const first = this.nextSeq;
    for (const payload of payloads) {
      this.#events.set(this.nextSeq, payload);
      this.nextSeq += 1n;
    }
    this.#wake();
    return first;
  }

  skipTo(seq: bigint): void {
    if (this.#events.size === 0) this.firstSeq = seq;
    this.nextSeq = seq;
  }

  read(seq: bigint): RedexEvent | undefined {
    const payload = seq < this.firstSeq ? undefined : this.#events.get(seq);
    return payload && { kind: "event", seq, payload, timeNs: 0n };
  }

  tail({ from = this.nextSeq }: TailOptions = {}): RedexTail {
    return new FakeTail(this, from, this.#wakes);
  }

  close(): Promise<void> {
    this.isClosed = true;
    this.#wake();
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  sync(): Promise<void> {
    this.persistedSeq = this.nextSeq;
    return Promise.resolve();
  }

  configure(): void {}

  stat(): RedexStat {
    const { name, firstSeq, nextSeq, persistedSeq } = this;
    return {
      name,
      isPersistent: true,
      events: this.#events.size,
      firstSeq,
      nextSeq,
      persistedSeq,
      bytes: 0,
      generation: 1,
      damaged: 0,
      fsync: { kind: "never" },
      retention: {},
      failure: undefined,
    };
  }
  appendBatchIfNext(): bigint {
    throw new Error("not here");
  }
  appendInline(): bigint {
    throw new Error("not here");
  }
  appendDurable(): Promise<bigint> {
    throw new Error("not here");
  }
  readRange(): RedexEvent[] {
    throw new Error("not here");
  }
  sweep(): Promise<number> {
    throw new Error("not here");
  }
  compact(): Promise<void> {
    throw new Error("not here");
  }

  #wake(): void {
    for (const wake of [...this.#wakes]) wake();
  }
}

class FakeTail implements RedexTail {
  readonly #file: FakeFile;
  readonly #wakes: Set<() => void>;
  position: bigint;
  #isClosed = false;
  #wake = () => {};

  constructor(file: FakeFile, from: bigint, wakes: Set<() => void>) {
    this.#file = file;
    this.#wakes = wakes;
    this.position = from;
  }

  async take(itemsMax: number): Promise<readonly TailItem[] | undefined> {
    for (;;) {
      const items = this.takeNow(itemsMax);
      if (items.length > 0) return items;
      if (this.#isClosed || this.#file.isClosed) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      this.#wakes.add(resolve);
      await promise;
      this.#wakes.delete(resolve);
    }
  }

  takeNow(itemsMax: number): readonly TailItem[] {
    const { readError, firstSeq } = this.#file;
    if (readError !== undefined) throw readError;
    const items: TailItem[] = [];
    if (this.#isClosed) return items;
    if (this.position < firstSeq) {
      items.push({ kind: "lag", from: this.position, to: firstSeq - 1n, reason: "retention" });
      this.position = firstSeq;
    }
    for (; items.length < itemsMax && this.position < this.#file.nextSeq; this.position += 1n) {
      const seq = this.position;
      items.push(
        this.#file.read(seq) ?? { kind: "lag", from: seq, to: seq, reason: "damage" },
      );
    }
    return items;
  }

  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<TailItem> {
    for (let items = await this.take(1); items !== undefined; items = await this.take(1)) {
      yield* items;
    }
  }
}

/** Channels that are made when they are opened. */
export class FakeRedex implements Redex {
  readonly files = new Map<string, FakeFile>();

  /** The file, made if it is not there. */
  file(name: string): FakeFile {
    const file = this.files.get(name) ?? new FakeFile(name);
    this.files.set(name, file);
    return file;
  }

  open(name: string): Promise<RedexFile> {
    return Promise.resolve(this.file(name));
  }

  openExisting(name: string): Promise<RedexFile | undefined> {
    return Promise.resolve(this.files.get(name));
  }

  get(name: string): RedexFile | undefined {
    return this.files.get(name);
  }

  names(): Promise<string[]> {
    return Promise.resolve([...this.files.keys()]);
  }

  remove(name: string): Promise<boolean> {
    return Promise.resolve(this.files.delete(name));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
