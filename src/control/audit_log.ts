/**
 * Who changed what over the control surface: one line of JSON for each call that may change something, in the
 * folder that `NET_AUDIT_DIR` names (`validation.md` 4). No parameters and no results: they may be secret.
 *
 * Lines are written behind the calls. What a slow disk cannot take in time is counted and lost; a file that has
 * grown is set aside once, so that two files are all there ever is.
 */
import { NetError, utf8 } from "../base/mod.ts";
import type { Log } from "../observe/mod.ts";

/** A file of this size is set aside as `.1`; half a year of a busy operator. */
const FILE_BYTES_MAX = 8 * 1024 * 1024;

/** Lines that wait for the disk. */
const WAITING_BYTES_MAX = 1024 * 1024;

/** One call that may have changed something. */
export interface AuditRecord {
  readonly method: string;
  readonly transport: "unix" | "tcp";
  /** User of the caller where it is known. */
  readonly uid: number | undefined;
  /** `ok`, or the code of the error. */
  readonly outcome: string;
  readonly durationMs: number;
}

/** What {@linkcode openAuditLog} needs. */
export interface AuditLogOptions {
  readonly directory: string;
  readonly family: string | undefined;
  readonly log: Log;
  /** Time since the Unix epoch in milliseconds. */
  readonly wallMs: () => number;
  /** Size at which a file is set aside. */
  readonly fileBytesMax?: number;
}

/** Where calls are recorded. */
export interface AuditLog {
  record(record: AuditRecord): void;
  /** Lines that were lost because the disk was too slow or failed. */
  readonly dropped: number;
  /** Waits until everything is written. */
  close(): Promise<void>;
}

/**
 * Opens the file, which is made with mode 0600 in a folder of 0700.
 *
 * @throws NetError `config_invalid` when it cannot be written.
 */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const { directory, family } = options;
  const name = family === undefined ? "net" : `net-${family}`;
  const path = `${directory.replace(/\/+$/, "")}/${name}.audit.jsonl`;
  try {
    await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
    return new FileAuditLog(path, await openFile(path), options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new NetError("config_invalid", `Cannot write audit log "${path}": ${reason}`, {
      cause: error,
      next: "choose a writable folder with --audit-dir",
    });
  }
}

class FileAuditLog implements AuditLog {
  dropped = 0;
  readonly #path: string;
  readonly #options: AuditLogOptions;
  #file: Deno.FsFile;
  #lines: string[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;

  constructor(path: string, file: Deno.FsFile, options: AuditLogOptions) {
    this.#path = path;
    this.#file = file;
    this.#options = options;
  }

  record({ method, transport, uid, outcome, durationMs }: AuditRecord): void {
    const time = new Date(this.#options.wallMs()).toISOString();
    const ms = Math.round(durationMs);
    const line = `${JSON.stringify({ time, method, transport, uid, outcome, ms })}\n`;
    if (this.#waitingBytes + line.length > WAITING_BYTES_MAX) {
      this.dropped++;
      return;
    }
    this.#lines.push(line);
    this.#waitingBytes += line.length;
    this.#writing ??= this.#writeAll();
  }

  async close(): Promise<void> {
    await this.#writing;
    this.#file.close();
  }

  async #writeAll(): Promise<void> {
    // Calls of one turn are written together.
    await Promise.resolve();
    while (this.#lines.length > 0) {
      const lines = this.#lines;
      this.#lines = [];
      this.#waitingBytes = 0;
      try {
        await this.#setAside();
        const bytes = utf8(lines.join(""));
        for (let offset = 0; offset < bytes.length;) {
          offset += await this.#file.write(bytes.subarray(offset));
        }
      } catch (error) {
        if (this.dropped === 0) {
          const reason = error instanceof Error ? error.message : String(error);
          this.#options.log.error("audit_log_failed", { path: this.#path, reason });
        }
        this.dropped += lines.length;
      }
    }
    // At once: a line that comes before the next turn must not wait for another one.
    this.#writing = undefined;
  }

  async #setAside(): Promise<void> {
    const { size } = await this.#file.stat();
    if (size < (this.#options.fileBytesMax ?? FILE_BYTES_MAX)) return;
    await Deno.rename(this.#path, `${this.#path}.1`).catch((error) => {
      // Somebody else has set it aside.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
    // The old one stays open until there is another: then lines go to it as long as there is none.
    const file = await openFile(this.#path);
    this.#file.close();
    this.#file = file;
  }
}

function openFile(path: string): Promise<Deno.FsFile> {
  return Deno.open(path, { create: true, append: true, mode: 0o600 });
}
