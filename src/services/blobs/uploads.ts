/**
 * Blobs that arrive piece by piece over the control surface, when there is no file to read.
 *
 * One piece is taken at a time: the next is accepted when the store has consumed the one before, so an
 * upload holds no more memory than a put from a file.
 */
import { type Clock, NetError } from "../../base/mod.ts";
import type { BlobStore, PutForm, StoredBlob } from "../../blob/mod.ts";
import { PieceSource } from "./piece_source.ts";

/** Uploads open at once; each holds a few chunk buffers of 4 MiB. */
export const UPLOADS_MAX = 8;
/** An upload without a new piece for this long is abandoned. */
export const UPLOAD_IDLE_MS = 60_000;

interface Upload {
  readonly source: PieceSource;
  readonly stored: Promise<StoredBlob>;
  cancelTimer: () => void;
}

/** The uploads of a node. */
export class Uploads {
  readonly #blobs: Pick<BlobStore, "put">;
  readonly #clock: Clock;
  readonly #uploads = new Map<string, Upload>();

  constructor(deps: { readonly blobs: Pick<BlobStore, "put">; readonly clock: Clock }) {
    this.#blobs = deps.blobs;
    this.#clock = deps.clock;
  }

  /** Uploads that are open. */
  get open(): number {
    return this.#uploads.size;
  }

  /**
   * Opens an upload.
   *
   * @param form What whoever stores it takes when left out.
   * @throws NetError `limit` when too many are open.
   */
  begin(form?: PutForm): string {
    if (this.#uploads.size >= UPLOADS_MAX) {
      throw new NetError("limit", `Cannot begin upload: ${UPLOADS_MAX} are open already`, {
        next: "finish or abort one of them first",
      });
    }
    const id = crypto.randomUUID();
    const source = new PieceSource();
    const stored = this.#blobs.put(source, { form });
    stored.catch((error) => source.fail(error));
    this.#uploads.set(id, { source, stored, cancelTimer: this.#idleTimer(id) });
    return id;
  }

  /** Adds a piece; resolves when the next may come. Fails as the store fails. */
  async append(id: string, piece: Uint8Array): Promise<void> {
    const upload = this.#get(id);
    upload.cancelTimer();
    try {
      await upload.source.push(piece);
    } finally {
      // A failed upload waits for its end as well, but not for ever: it holds one of few places.
      upload.cancelTimer();
      if (this.#uploads.get(id) === upload) upload.cancelTimer = this.#idleTimer(id);
    }
  }

  /** Ends the upload: the blob is stored when this resolves. */
  async finish(id: string): Promise<StoredBlob> {
    const upload = this.#get(id);
    this.#forget(id);
    upload.source.end();
    return await upload.stored;
  }

  /** Drops the upload and what was stored of it; false when there is none. */
  async abort(id: string): Promise<boolean> {
    const upload = this.#uploads.get(id);
    if (upload === undefined) return false;
    this.#forget(id);
    upload.source.fail(new NetError("failed", "Cannot finish upload: it was aborted"));
    await upload.stored.catch(() => {});
    return true;
  }

  /** Drops every upload. */
  async stop(): Promise<void> {
    await Promise.all([...this.#uploads.keys()].map((id) => this.abort(id)));
  }

  #get(id: string): Upload {
    const upload = this.#uploads.get(id);
    if (upload !== undefined) return upload;
    throw new NetError(
      "not_found",
      "Cannot go on with upload: it does not exist or was abandoned",
      {
        next: "repeat the whole command",
      },
    );
  }

  #forget(id: string): void {
    this.#uploads.get(id)?.cancelTimer();
    this.#uploads.delete(id);
  }

  #idleTimer(id: string): () => void {
    return this.#clock.after(UPLOAD_IDLE_MS, () => void this.abort(id));
  }
}
