/**
 * Chunks that events refer to (`promises.md` 58): whoever folds an event with the reference of a blob in it keeps the
 * blob's chunks for as long as the entry is there, over restarts too.
 */
import { NetError, toHex } from "../../base/mod.ts";
import { type BlobRef, type BlobStore, encodeBlobRef, walkTreeNodes } from "../../blob/mod.ts";

/** What begins the names of owners here. */
const PREFIX = "event:";

/** Longest name that a hold takes, less the prefix. */
const OWNER_LENGTH_MAX = 255 - PREFIX.length;

/** Chunks held in one transaction. */
const BATCH = 512;

/** A view that is folded from events, as a `CortexAdapter` is one. */
export interface FoldedView<State> {
  readonly channel: string;
  readonly state: State;
  /** Calls back after the state has changed; the result ends that. */
  onChange(onChange: () => void): () => void;
}

/** Entries of a view by a key of their own, each with the blob it refers to. */
export type ReferencesOf<State> = (state: State) => Iterable<readonly [key: string, ref: BlobRef]>;

/** Holds chunks for events. */
export class EventHolds {
  readonly #blobs: BlobStore;

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /**
   * Keeps the chunks of a blob until the owner lets go. Those that are not here are kept once they come; of a tree it
   * is what its nodes that are here list.
   *
   * @param owner Names the entry, such as `CHANNEL:SEQ`; the same one again holds more. 1 to 249 characters.
   * @returns Chunks that are held.
   * @throws NetError `usage` for a name that is too long.
   */
  async hold(owner: string, ref: BlobRef): Promise<number> {
    const name = ownerName(owner);
    let count = 0;
    let batch: Uint8Array[] = [];
    const flush = async () => {
      await this.#blobs.hold(batch, { reason: "event", owner: name });
      count += batch.length;
      batch = [];
    };
    for await (const hash of this.#chunksOf(ref)) {
      if (batch.push(hash) >= BATCH) await flush();
    }
    if (batch.length > 0) await flush();
    return count;
  }

  /** Lets go everything of an owner; how many chunks that were. */
  release(owner: string): Promise<number> {
    return this.#blobs.release(ownerName(owner));
  }

  /**
   * Keeps the blobs that a view refers to: those of new entries are held, those of entries that went are let go, also
   * of entries that went while nobody followed.
   *
   * @param references Asked after each change; keys and the channel together have at most 248 characters.
   * @returns Ends it; what is held stays held until the view is followed again.
   */
  follow<State>(
    view: FoldedView<State>,
    references: ReferencesOf<State>,
    onError: (error: unknown) => void,
  ): () => Promise<void> {
    const prefix = `${view.channel}:`;
    /** Encoded references by owner; `undefined` before what earlier runs held is known. */
    let held: Map<string, string> | undefined;
    let work: Promise<void> = Promise.resolve();
    let isDue = false;
    const catchUp = async () => {
      isDue = false;
      held ??= new Map(
        (await this.#blobs.holdOwners(ownerName(prefix)))
          .map((owner) => [owner.slice(PREFIX.length), ""]),
      );
      const wanted = new Map<string, BlobRef>();
      for (const [key, ref] of references(view.state)) wanted.set(prefix + key, ref);
      for (const [owner, ref] of wanted) {
        const text = toHex(encodeBlobRef(ref));
        const before = held.get(owner);
        if (before === text) continue;
        if (before !== undefined) await this.release(owner);
        await this.hold(owner, ref);
        held.set(owner, text);
      }
      for (const owner of [...held.keys()]) {
        if (wanted.has(owner)) continue;
        await this.release(owner);
        held.delete(owner);
      }
    };
    const look = () => {
      if (isDue) return;
      isDue = true;
      work = work.then(catchUp).catch(onError);
    };
    const stop = view.onChange(look);
    look();
    return async () => {
      stop();
      await work;
    };
  }

  async *#chunksOf(ref: BlobRef): AsyncGenerator<Uint8Array> {
    if (ref.kind === "small") return yield ref.hash;
    if (ref.kind === "manifest") return yield* ref.chunks.map(({ hash }) => hash);
    yield ref.rootHash;
    try {
      const readNode = (hash: Uint8Array) => this.#blobs.readChunk(hash);
      for await (const { node } of walkTreeNodes(ref, { readNode })) {
        if (node.kind === "internal") yield* node.children.map(({ hash }) => hash);
        else if (node.kind === "leaf") yield* node.chunks.map(({ hash }) => hash);
        else for (const { chunks } of node.stripes) yield* chunks.map(({ hash }) => hash);
      }
    } catch (error) {
      // A tree that is not all here: what is known of it is held.
      if (!(error instanceof NetError) || error.code !== "not_found") throw error;
    }
  }
}

function ownerName(owner: string): string {
  if (owner.length >= 1 && owner.length <= OWNER_LENGTH_MAX) return PREFIX + owner;
  throw new NetError(
    "usage",
    `Cannot hold chunks: the owner has ${owner.length} characters, must be 1 to ${OWNER_LENGTH_MAX}`,
    { next: "name the entry by its channel and number" },
  );
}
