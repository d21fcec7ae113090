import { deepStrictEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { readElfFacts, StringScan } from "../../../src/validate/mod.ts";
import { makeElf } from "./elf_files.ts";

function scan(text: string, forbidden: readonly string[] = [], pieces: readonly number[] = []) {
  const bytes = new TextEncoder().encode(text);
  const scan = new StringScan(forbidden);
  let offset = 0;
  for (const length of pieces) {
    scan.push(bytes.slice(offset, offset + length));
    offset += length;
  }
  scan.push(bytes.slice(offset));
  return scan.finish();
}

const found = (text: string) => scan(text).findings.map((finding) => finding.text);

Deno.test("StringScan finds private addresses of hosts, and nothing that only looks like one", () => {
  deepStrictEqual(found("a 10.1.2.3 b 172.16.0.9, 172.31.255.254 192.168.0.1"), [
    "10.1.2.3",
    "172.16.0.9",
    "172.31.255.254",
    "192.168.0.1",
  ]);
  for (
    const text of [
      "10.0.0.0/8",
      "192.168.255.255",
      "172.32.0.1",
      "172.15.0.1",
      "8.8.8.8",
      "10.300.1.1",
      "1.10.1.2.3",
      "10.1.2.3.4",
      "10.1.2.3456",
      "110.1.2.3",
      "version 10.0.22621.1",
    ]
  ) {
    deepStrictEqual(found(text), [], text);
  }
});

Deno.test("StringScan finds folders of people, not the folder of all homes", () => {
  deepStrictEqual(found("x/home/ann/src/main.ts\0/home/ /home/\n"), ["/home/ann/src/main.ts"]);
});

Deno.test("StringScan counts all and keeps some", () => {
  const { findings, counts } = scan("/home/a ".repeat(1000));
  deepStrictEqual([findings.length, counts.home_path], [10, 1000]);
});

Deno.test("StringScan finds the same in a file however it is cut", () => {
  const words = fc.constantFrom("/home/ann/x ", "10.1.2.3", " ", "1", ".", "secret", "é", "\0");
  fc.assert(fc.property(
    fc.array(words, { maxLength: 300 }),
    fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 12 }),
    (parts, pieces) => {
      const text = parts.join("");
      const whole = scan(text, ["secret", "é"]);
      const cut = scan(text, ["secret", "é"], pieces);
      deepStrictEqual(cut.counts, whole.counts);
      const key = (list: typeof whole.findings) =>
        list.map(({ rule, offset, text }) => `${rule} ${offset} ${text}`);
      if (Object.values(whole.counts).every((count) => count <= 10)) {
        deepStrictEqual(key(cut.findings).sort(), key(whole.findings).sort());
      }
    },
  ));
});

Deno.test("readElfFacts() never throws on damaged files", () => {
  const whole = makeElf({ machine: 62, interpreter: "/lib64/ld.so", hasSymbols: true });
  fc.assert(fc.property(
    fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 20 }),
    fc.nat(whole.length),
    (changes, length) => {
      const bytes = whole.slice(0, length);
      for (const [at, value] of changes) if (at < length) bytes[at] = value;
      const facts = readElfFacts({
        size: bytes.length,
        read: (offset, count) => bytes.subarray(offset, offset + count),
      });
      equal((facts?.interpreter?.length ?? 0) <= 4096, true);
    },
  ));
});
