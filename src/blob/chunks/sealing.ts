/**
 * Chunks encrypted at rest: each with a key of its own, made from the store key and the chunk's hash.
 *
 * | bytes | what |
 * | --- | --- |
 * | 4 | magic `NSC1` |
 * | 8 | which store key: the first bytes of the keyed hash of a constant |
 * | 12 | nonce, random |
 * | n | ChaCha20-Poly1305 of the chunk; the first 12 bytes are authenticated with it |
 * | 16 | its tag |
 *
 * A chunk's key is the keyed BLAKE3 of its hash, so that a sealed chunk under another name does not open. Names
 * (hashes) and sizes are not hidden.
 */
import { type Disk, equalBytes, NetError, type RandomBytes, toHex } from "../../base/mod.ts";
import { blake3Keyed, openAead, sealAead } from "../../core/crypto/mod.ts";

const MAGIC = new Uint8Array([0x4e, 0x53, 0x43, 0x31]);
const KEY_ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const NONCE_AT = MAGIC.length + KEY_ID_BYTES;
const BODY_AT = NONCE_AT + NONCE_BYTES;
const KEY_ID_INPUT = new TextEncoder().encode("net store key id v1");

/** Bytes that a sealed chunk has more than its plain form. */
export const SEAL_BYTES = BODY_AT + TAG_BYTES;

/** Seals and opens chunks with one store key. */
export class ChunkSealer {
  /** Names the key without telling it; 8 bytes. */
  readonly keyId: Uint8Array<ArrayBuffer>;
  readonly #key: Uint8Array;
  readonly #random: RandomBytes;

  /** @param key 32 bytes. */
  constructor(key: Uint8Array, random: RandomBytes) {
    this.#key = key.slice();
    this.#random = random;
    this.keyId = blake3Keyed(key, KEY_ID_INPUT).slice(0, KEY_ID_BYTES);
  }

  /** The sealed form of a chunk. */
  seal(hash: Uint8Array, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    const sealed = new Uint8Array(bytes.length + SEAL_BYTES);
    sealed.set(MAGIC);
    sealed.set(this.keyId, MAGIC.length);
    sealed.set(this.#random(NONCE_BYTES), NONCE_AT);
    const nonce = sealed.subarray(NONCE_AT, BODY_AT);
    const body = sealAead(this.#chunkKey(hash), nonce, sealed.subarray(0, NONCE_AT), bytes);
    sealed.set(body, BODY_AT);
    return sealed;
  }

  /**
   * The chunk in a sealed form, or `undefined` when it is damaged; any bytes are safe. The store has one key
   * only (`missingStoreKey`), so that another key's name is damage too.
   */
  open(hash: Uint8Array, sealed: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    const isOurs = sealed.length >= SEAL_BYTES &&
      equalBytes(sealed.subarray(0, MAGIC.length), MAGIC) &&
      equalBytes(sealed.subarray(MAGIC.length, NONCE_AT), this.keyId);
    if (!isOurs) return undefined;
    const nonce = sealed.subarray(NONCE_AT, BODY_AT);
    const aad = sealed.subarray(0, NONCE_AT);
    return openAead(this.#chunkKey(hash), nonce, aad, sealed.subarray(BODY_AT));
  }

  #chunkKey(hash: Uint8Array): Uint8Array {
    return blake3Keyed(this.#key, hash);
  }
}

/** Where a store says with which key its chunks are sealed: 16 hex digits of the key's name. */
const KEY_NOTE = "sealed-with";

/**
 * Checks that the key at hand is the one that chunks of a store are sealed with; from the first time on that a
 * store seals, it says so in a file.
 *
 * @returns False when no chunk of the store is sealed, or will be.
 * @throws NetError `config_invalid` when it is another one, or there is none.
 */
export function requireStoreKey(
  disk: Disk,
  folder: string,
  sealer: ChunkSealer | undefined,
  isSealing: boolean,
): boolean {
  const path = `${folder}/${KEY_NOTE}`;
  const ours = sealer && toHex(sealer.keyId);
  const noted = readKeyNote(disk, path);
  if (noted === undefined && isSealing && ours !== undefined) {
    writeKeyNote(disk, folder, path, ours);
    return true;
  }
  if (noted === undefined || noted === ours) return noted !== undefined;
  const found = ours === undefined ? "store.key is missing" : `store.key is the one named ${ours}`;
  throw new NetError(
    "config_invalid",
    `Cannot open chunk store "${folder}": chunks are sealed with the store key named ${noted}, ${found}`,
    {
      next: "restore store.key from a backup into the data folder; without it move the folder " +
        "blobs away, and put or get the blobs again",
    },
  );
}

function readKeyNote(disk: Disk, path: string): string | undefined {
  const length = 2 * KEY_ID_BYTES;
  if (disk.sizeOf(path) === undefined) return undefined;
  const file = disk.open(path, { readOnly: true });
  try {
    const bytes = new Uint8Array(length);
    const text = new TextDecoder().decode(bytes.subarray(0, file.readAt(0, bytes)));
    // Shorter: a crash came before any chunk was sealed.
    return text.length === length ? text : undefined;
  } finally {
    file.close();
  }
}

function writeKeyNote(disk: Disk, folder: string, path: string, keyId: string): void {
  disk.makeFolder(folder);
  const file = disk.open(path, { create: true });
  try {
    file.writeAt(0, new TextEncoder().encode(`${keyId}\n`));
    file.syncNow();
  } finally {
    file.close();
  }
  disk.syncFolder(folder);
}
