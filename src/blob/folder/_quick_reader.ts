/**
 * Reading whole small files through the C library: half of what the runtime's own calls cost, which counts when there
 * are a hundred thousand of them. Only for 64-bit Linux, and only where FFI is allowed.
 */

const O_NOFOLLOW = Deno.build.arch === "aarch64" ? 0o100000 : 0o400000;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const O_DIRECTORY = Deno.build.arch === "aarch64" ? 0o40000 : 0o200000;
const AT_EMPTY_PATH = 0x1000;

/** `STATX_TYPE` up to `STATX_SIZE`, without the number of links and blocks. */
const STATX_MASK = 0x3ff;
/** Places in `struct statx`, which is the same on every machine. */
const STATX = {
  bytes: 256,
  mask: 0,
  mode: 28,
  number: 32,
  size: 40,
  changed: 96,
  written: 112,
  deviceMajor: 136,
  deviceMinor: 140,
} as const;
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;

const SYMBOLS = {
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  openat: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  getdents64: { parameters: ["i32", "buffer", "u32"], result: "i32", optional: true },
} as const;

/** Longest path, with the zero at its end. */
const PATH_BYTES_MAX = 4_096;

/** What became of a file. */
export type QuickRead =
  /** It is in the reader's bytes, and was the same before and behind the reading. */
  | "read"
  /** It is longer than the bytes it was to be put in. */
  | "long"
  /** It is none, cannot be opened, or changed: who needs to know why looks again by other means. */
  | "odd";

/** Reads files, one after the other, and lists folders. */
export interface QuickReader {
  /**
   * Reads a file, as long as `into` at most. It is opened once, does not follow a link at the end of its path, and
   * does not wait for the other end of a pipe; that it is the same before and behind goes to the nanosecond.
   */
  read(path: string, into: Uint8Array): QuickRead;
  /** Lets go of the folder that the last files were in: it stays open, because the way to the next is shorter then. */
  leave(): void;
  /** Lists a folder, part after part; `undefined` when it cannot be opened, or not listed so. */
  list(path: string): Generator<ListedNames, void> | undefined;
  /** Mode of the last file that was read, or is long. */
  readonly mode: number;
  /** Bytes of it. */
  readonly size: number;
}

/** Some of the names in a folder. */
export interface ListedNames {
  /** The names, with a `/` between them; bytes that are no UTF-8 are replaced. */
  readonly text: string;
  /** `KIND_…` of each; any other number is a pipe, a device, and the like. */
  readonly kinds: readonly number[];
  /** It is to be listed by other means. */
  readonly isOdd: boolean;
}

/** Kinds of {@linkcode ListedNames}. */
export const KIND_DIR = 4;
export const KIND_FILE = 8;
export const KIND_SYMLINK = 10;

// A name may begin with what looks like a mark of the byte order.
const NAME_DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** The reader of this thread, open while somebody holds it: to open one takes as long as to read a hundred files. */
let held: LibcReader | undefined;
let holders = 0;

/** Has {@linkcode heldQuickReader} give one, where this can be used, until the result is disposed of. */
export function holdQuickReader(): Disposable {
  if (holders === 0) held = openReader();
  holders += 1;
  let isHeld = true;
  return {
    [Symbol.dispose]() {
      if (!isHeld) return;
      isHeld = false;
      holders -= 1;
      if (holders > 0) return;
      held?.close();
      held = undefined;
    },
  };
}

/** The reader that is held; `undefined` when none is. */
export function heldQuickReader(): QuickReader | undefined {
  return held;
}

function openReader(): LibcReader | undefined {
  if (Deno.build.os !== "linux") return undefined;
  // Asking for it in the middle of a read would stop the program at a prompt.
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return undefined;
  try {
    return new LibcReader(Deno.dlopen("libc.so.6", SYMBOLS));
  } catch {
    return undefined; // Another C library, or an old one.
  }
}

/** Names of a folder as the kernel tells them. */
const LIST_BYTES = 32 * 1024;
const DIRENT = { length: 16, kind: 18, name: 19 } as const;
const SLASH = 47;
const DOT = 46;

class LibcReader implements QuickReader {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #path = new Uint8Array(PATH_BYTES_MAX);
  readonly #noPath = new Uint8Array(1);
  readonly #before = new Uint8Array(STATX.bytes);
  readonly #after = new Uint8Array(STATX.bytes);
  readonly #viewBefore = new DataView(this.#before.buffer);
  readonly #viewAfter = new DataView(this.#after.buffer);
  readonly #encoder = new TextEncoder();
  /** The folder of the last file, with a `/` at its end, and its descriptor. */
  #folder = "";
  #folderDescriptor = -1;
  mode = 0;
  size = 0;

  constructor(library: Deno.DynamicLibrary<typeof SYMBOLS>) {
    this.#library = library;
  }

  read(path: string, into: Uint8Array): QuickRead {
    const nameAt = path.lastIndexOf("/") + 1;
    if (nameAt !== this.#folder.length || !path.startsWith(this.#folder)) {
      this.#enter(path.slice(0, nameAt));
    }
    if (this.#folderDescriptor < 0 || !this.#encode(path.slice(nameAt))) return "odd";
    const { symbols } = this.#library;
    const flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    const descriptor = symbols.openat(this.#folderDescriptor, this.#path, flags, 0);
    if (descriptor < 0) return "odd";
    try {
      if (!this.#look(descriptor, this.#before)) return "odd";
      const view = this.#viewBefore;
      this.mode = view.getUint16(STATX.mode, true);
      if ((this.mode & S_IFMT) !== S_IFREG) return "odd";
      this.size = view.getUint32(STATX.size, true) + view.getUint32(STATX.size + 4, true) * 2 ** 32;
      if (this.size > into.length) return "long";
      let length = 0;
      while (length < this.size) {
        // The library takes shared memory just as well.
        const place = into.subarray(length) as Uint8Array<ArrayBuffer>;
        const count = symbols.read(descriptor, place, this.size - length);
        if (count <= 0) return "odd";
        length += count;
      }
      return this.#look(descriptor, this.#after) && this.#isSame() ? "read" : "odd";
    } finally {
      symbols.close(descriptor);
    }
  }

  leave(): void {
    if (this.#folderDescriptor >= 0) this.#library.symbols.close(this.#folderDescriptor);
    this.#folder = "";
    this.#folderDescriptor = -1;
  }

  list(path: string): Generator<ListedNames, void> | undefined {
    const { symbols } = this.#library;
    if (symbols.getdents64 === null || !this.#encode(path)) return undefined;
    const flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const descriptor = symbols.open(this.#path, flags, 0);
    return descriptor < 0 ? undefined : this.#list(descriptor);
  }

  *#list(descriptor: number): Generator<ListedNames, void> {
    const { symbols } = this.#library;
    try {
      const bytes = new Uint8Array(LIST_BYTES);
      for (;;) {
        const length = symbols.getdents64?.(descriptor, bytes, bytes.length) ?? -1;
        if (length === 0) return;
        if (length < 0) {
          yield { text: "", kinds: [], isOdd: true };
          return;
        }
        yield toNames(bytes.subarray(0, length));
      }
    } finally {
      symbols.close(descriptor);
    }
  }

  close(): void {
    this.leave();
    this.#library.close();
  }

  #enter(folder: string): void {
    this.leave();
    if (folder === "" || !this.#encode(folder)) return;
    this.#folder = folder;
    this.#folderDescriptor = this.#library.symbols.open(this.#path, O_DIRECTORY | O_CLOEXEC, 0);
  }

  /** Puts a text with a zero at its end where the library reads it; false when it is too long. */
  #encode(text: string): boolean {
    const { read, written } = this.#encoder.encodeInto(text, this.#path);
    if (read < text.length || written >= PATH_BYTES_MAX) return false;
    this.#path[written] = 0;
    return true;
  }

  #look(descriptor: number, into: Uint8Array<ArrayBuffer>): boolean {
    const { symbols } = this.#library;
    return symbols.statx(descriptor, this.#noPath, AT_EMPTY_PATH, STATX_MASK, into) === 0;
  }

  /** A file that grew has another size; nothing else need be read to see it. */
  #isSame(): boolean {
    const [before, after] = [this.#viewBefore, this.#viewAfter];
    return before.getUint16(STATX.mode, true) === after.getUint16(STATX.mode, true) &&
      isSame(before, after, STATX.size, 2) && isSame(before, after, STATX.changed, 3) &&
      isSame(before, after, STATX.written, 3);
  }
}

/** The names in what the kernel tells of a folder, without those of itself and the one above. */
function toNames(entries: Uint8Array): ListedNames {
  const view = new DataView(entries.buffer, entries.byteOffset, entries.length);
  const names = new Uint8Array(entries.length);
  const kinds: number[] = [];
  let [end, isOdd] = [0, false];
  for (let at = 0; at < entries.length;) {
    const next = at + view.getUint16(at + DIRENT.length, true);
    const kind = entries[at + DIRENT.kind] ?? 0;
    let from = at + DIRENT.name;
    at = next;
    const isDot = entries[from] === DOT;
    if (isDot && entries[from + 1] === 0) continue;
    if (isDot && entries[from + 1] === DOT && entries[from + 2] === 0) continue;
    if (end > 0) names[end++] = SLASH;
    for (let byte = entries[from++]; byte !== 0 && from <= next; byte = entries[from++]) {
      names[end++] = byte ?? 0;
    }
    // Some file systems leave it to a look at each.
    isOdd ||= kind === 0;
    kinds.push(kind);
  }
  return { text: NAME_DECODER.decode(names.subarray(0, end)), kinds, isOdd };
}

/** True when so many 32-bit words are the same. */
function isSame(left: DataView, right: DataView, at: number, words: number): boolean {
  for (let word = 0; word < words; word++) {
    if (left.getUint32(at + 4 * word, true) !== right.getUint32(at + 4 * word, true)) return false;
  }
  return true;
}
