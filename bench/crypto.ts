/**
 * Measures packet sealing and BLAKE3 against noble, node:crypto and hash-wasm, in alternation within
 * one run: rounds over all candidates, median and spread of each. Times are ours/theirs, so lower is
 * better for us; rates are ours/theirs too, so higher is.
 *
 * Run: `deno run -A bench/crypto.ts`
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { blake3 as nobleBlake3 } from "@noble/hashes/blake3.js";
import { createBLAKE3 } from "hash-wasm";
import { blake3 } from "../src/core/crypto/blake3.ts";
import { createPacketCipher } from "../src/core/crypto/packet_cipher.ts";

const ROUNDS = 9;
/** Rounds before the first that counts: the slower candidates need 0.2 s to be compiled fully. */
const ROUNDS_WARM_UP = 20;
/** How long one candidate runs in one round, in milliseconds. */
const SLICE_MS = 12;

/** One implementation of one operation. */
interface Candidate {
  readonly name: string;
  readonly run: () => void;
}

/** Nanoseconds per operation over the rounds. */
interface Figure {
  readonly median: number;
  readonly spread: number;
}

/** Runs the candidates in turns and returns a figure for each. */
function compare(candidates: readonly Candidate[]): Record<string, Figure> {
  const samples = new Map<string, number[]>(candidates.map(({ name }) => [name, []]));
  for (let round = -ROUNDS_WARM_UP; round < ROUNDS; round++) {
    for (const { name, run } of candidates) {
      const sample = measure(run);
      if (round >= 0) samples.get(name)?.push(sample);
    }
  }
  return Object.fromEntries(Array.from(samples, ([name, values]) => [name, figureOf(values)]));
}

function measure(run: () => void): number {
  const start = performance.now();
  let count = 0;
  let batch = 1;
  let elapsed = 0;
  while (elapsed < SLICE_MS) {
    for (let i = 0; i < batch; i++) run();
    count += batch;
    elapsed = performance.now() - start;
    if (elapsed < SLICE_MS / 8) batch *= 2;
  }
  return elapsed * 1e6 / count;
}

function figureOf(values: readonly number[]): Figure {
  const sorted = values.toSorted((left, right) => left - right);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? NaN;
  return { median: at(0.5), spread: (at(0.9) - at(0.1)) / at(0.5) };
}

function sealCandidates(length: number): readonly Candidate[] {
  const key = crypto.getRandomValues(new Uint8Array(32));
  const nonce = crypto.getRandomValues(new Uint8Array(12));
  const aad = crypto.getRandomValues(new Uint8Array(56));
  const payload = crypto.getRandomValues(new Uint8Array(length));
  const cipher = createPacketCipher({ memoryBytes: 1 << 18, keySlots: 16 });
  const slot = cipher.createKey(key);
  const at = cipher.allocate(68 + length + 16);
  const expect = (isAuthentic: boolean) => {
    if (!isAuthentic) throw new Error("Cannot open packet: not authentic");
  };
  return [
    {
      name: "ours",
      run: () => {
        cipher.sealPacket(slot, at, length);
        expect(cipher.openPacket(slot, at, length, 0));
      },
    },
    { name: "ours seal only", run: () => cipher.sealPacket(slot, at, length) },
    {
      name: "noble",
      run: () => {
        const sealed = chacha20poly1305(key, nonce, aad).encrypt(payload);
        expect(chacha20poly1305(key, nonce, aad).decrypt(sealed).length === length);
      },
    },
    {
      name: "node:crypto",
      run: () => {
        const options = { authTagLength: 16 } as const;
        const seal = createCipheriv("chacha20-poly1305", key, nonce, options);
        seal.setAAD(aad, { plaintextLength: length });
        const sealed = seal.update(payload);
        seal.final();
        const open = createDecipheriv("chacha20-poly1305", key, nonce, options);
        open.setAAD(aad, { plaintextLength: length });
        open.setAuthTag(seal.getAuthTag());
        expect(open.update(sealed).length === length);
        open.final();
      },
    },
  ];
}

async function hashCandidates(length: number): Promise<readonly Candidate[]> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = i % 251;
  const wasm = await createBLAKE3();
  return [
    { name: "ours", run: () => void blake3(bytes) },
    { name: "hash-wasm", run: () => void wasm.init().update(bytes).digest("binary") },
    { name: "noble", run: () => void nobleBlake3(bytes) },
  ];
}

function print(title: string, figures: Record<string, Figure>, length?: number): void {
  console.log(`\n${title}`);
  const ours = figures["ours"]?.median ?? NaN;
  for (const [name, { median, spread }] of Object.entries(figures)) {
    const rate = length === undefined
      ? ""
      : `${(length * 1e3 / median).toFixed(0)} MB/s`.padStart(12);
    console.log(
      `  ${name.padEnd(16)}${median.toFixed(0).padStart(10)} ns ±${(spread * 50).toFixed(0)} %`
        .padEnd(40) + rate + `  x${(median / ours).toFixed(2)}`,
    );
  }
}

const result: Record<string, number> = {};
for (const length of [64, 1024, 8104]) {
  const figures = compare(sealCandidates(length));
  print(`seal + open, ${length} bytes`, figures);
  for (const [name, { median }] of Object.entries(figures)) {
    const key = name.replaceAll(/\W/g, "_");
    result[`aead_${length}_${key}_ns`] = Math.round(median);
    if (name.startsWith("ours")) continue;
    result[`aead_${length}_${key}_ratio`] = round(figures["ours"]?.median ?? NaN, median);
  }
}
for (const length of [64, 1024, 4096, 65536, 4 * 1024 * 1024]) {
  const figures = compare(await hashCandidates(length));
  print(`BLAKE3, ${length} bytes`, figures, length);
  for (const [name, { median }] of Object.entries(figures)) {
    const key = name.replaceAll(/\W/g, "_");
    result[`blake3_${length}_${key}_mb_s`] = Math.round(length * 1e3 / median);
    if (name.startsWith("ours")) continue;
    result[`blake3_${length}_${key}_ratio`] = round(median, figures["ours"]?.median ?? NaN);
  }
}
console.log(`\nRESULT ${JSON.stringify(result)}`);

function round(numerator: number, denominator: number): number {
  return Math.round(numerator / denominator * 1000) / 1000;
}
