/** One executable out of a runtime and a program, and what it must not say about who built it. */
import assert from "node:assert/strict";
import { overwrite, pack } from "../../scripts/pack.ts";
import { placeSegment } from "../../scripts/pack/elf_segment.ts";
import { ENTRY_FIELDS, PACK_ENTRIES } from "../../scripts/pack/entry.ts";
import { hasSymbols } from "../../scripts/pack/symbols.ts";
import { findTraces, traceNeedles } from "../../scripts/pack/traces.ts";

const FOLDER = new URL("../../scripts/pack/", import.meta.url).pathname;
/** The tools for each machine's own code; those of another machine are called by its name. */
const TOOLS = PACK_ENTRIES.map((entry) => ({
  entry,
  prefix: entry.arch === Deno.build.arch ? "" : `${entry.arch}-linux-gnu-`,
}));
const PT_LOAD = 1;
const PT_NOTE = 4;

/** A runtime of one page: a segment, notes behind it, and a text. */
function tinyRuntime(types: readonly number[] = [PT_LOAD, PT_NOTE]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4_096);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 3, true);
  view.setUint16(18, 62, true);
  view.setBigUint64(24, 0x1234n, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, types.length, true);
  for (const [index, type] of types.entries()) {
    view.setUint32(64 + 56 * index, type, true);
    view.setBigUint64(64 + 56 * index + 16, 0x1000n, true);
    view.setBigUint64(64 + 56 * index + 40, 0x20000n, true);
  }
  bytes.set(new TextEncoder().encode("/home/runner/.cargo/x.rs"), 2_000);
  return bytes;
}

Deno.test("pack() puts the program into a segment behind all others, whose code runs first", () => {
  const runtime = tinyRuntime();
  const program = new TextEncoder().encode("console.log(1);\n");
  const packed = pack(runtime, program);
  const view = new DataView(packed.buffer);
  const slot = 64 + 56;
  assert.equal(view.getUint32(slot, true), PT_LOAD);
  assert.equal(view.getUint32(slot + 4, true), 5);
  const [offset, address] = [8, 16].map((at) => Number(view.getBigUint64(slot + at, true)));
  assert.deepEqual([offset, address], [0x10000, 0x30000]);
  assert.equal(view.getBigUint64(24, true), BigInt(address ?? 0));
  assert.equal(packed.length, (offset ?? 0) + Number(view.getBigUint64(slot + 32, true)));

  const code = PACK_ENTRIES[0]?.code.length ?? 0;
  const field = (name: keyof typeof ENTRY_FIELDS) =>
    Number(view.getBigInt64((offset ?? 0) + code + ENTRY_FIELDS[name], true));
  assert.equal((address ?? 0) + field("entryOffset"), 0x1234);
  const start = (offset ?? 0) + field("programOffset");
  assert.deepEqual(packed.subarray(start, start + field("programBytes")), program);
  const texts = new TextDecoder().decode(
    packed.subarray((offset ?? 0) + code, start),
  ).split("\0");
  assert.equal(texts[0], "run");
  assert.equal(texts[field("argumentCount")], "DENO_NO_UPDATE_CHECK=1");
  // The runtime is as it was, apart from the head and the folder of those who built it.
  assert.deepEqual(packed.subarray(176, 2_000), runtime.subarray(176, 2_000));
  assert.equal(new TextDecoder().decode(packed.subarray(2_000, 2_013)), "/deno-source/");
});

Deno.test("pack() refuses runtimes that it cannot change", () => {
  const changed = (change: (view: DataView) => void) => {
    const bytes = tinyRuntime();
    change(new DataView(bytes.buffer));
    return bytes;
  };
  for (
    const runtime of [
      new Uint8Array(10),
      new Uint8Array(4_096),
      changed((view) => view.setUint8(4, 1)),
      changed((view) => view.setUint16(16, 2, true)),
      changed((view) => view.setUint16(18, 40, true)),
      changed((view) => view.setBigUint64(32, 1n << 60n, true)),
      changed((view) => view.setUint16(56, 60_000, true)),
      tinyRuntime([PT_LOAD]),
      tinyRuntime([PT_NOTE, PT_LOAD]),
    ]
  ) {
    assert.throws(() => pack(runtime, new Uint8Array(1)), TypeError);
  }
  assert.equal(placeSegment(tinyRuntime()).entry, 0x1234);
});

for (const { entry, prefix } of TOOLS) {
  Deno.test({
    name: `the bytes that run first on ${entry.arch} are those of their source`,
    ignore: !await hasTools(prefix),
    fn: async () => {
      const folder = await Deno.makeTempDir();
      const [object, flat] = [`${folder}/entry.o`, `${folder}/entry`];
      try {
        await run(`${prefix}as`, ["-o", object, `${FOLDER}entry_${entry.arch}.s`]);
        await run(`${prefix}objcopy`, ["-O", "binary", "-j", ".text", object, flat]);
        assert.equal((await Deno.readFile(flat)).toHex(), entry.code.toHex());
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

Deno.test("overwrite() changes every place, and nothing but texts of one length", () => {
  const bytes = new TextEncoder().encode("aab aabaab aa");
  assert.equal(overwrite(bytes, "aab", "xyz"), 3);
  assert.equal(new TextDecoder().decode(bytes), "xyz xyzxyz aa");
  assert.throws(() => overwrite(bytes, "a", "bb"), RangeError);
});

Deno.test("V34: traces of the machine that built something are found, also inside module specifiers", () => {
  const needles = traceNeedles({
    folder: "/srv/agent/build.7/",
    home: "/var/lib/agent",
    user: "agent-smith",
    host: "forge-12",
  });
  const found = (text: string) =>
    findTraces(new TextEncoder().encode(text), needles).map(({ what }) => what);
  assert.deepEqual(found('"file:///srv/agent/build.7/src/node.ts"'), [
    "the folder it was built in",
  ]);
  assert.deepEqual(found("\0\u00ff/home/someone/.cargo/registry"), ["a home folder"]);
  assert.deepEqual(found('{"sources":["/Users/someone/x.ts"]}'), ["a home folder"]);
  assert.deepEqual(found("/var/lib/agent/.cache"), ["the builder's home"]);
  assert.deepEqual(found("built by agent-smith on forge-12."), [
    "the builder's name",
    "the builder's host",
  ]);
  for (const address of ["10.0.0.5", "172.16.3.4", "172.31.0.1", "192.168.1.10"]) {
    assert.deepEqual(found(`http://${address}:80/`), ["an address of a private network"], address);
  }
  for (
    const text of [
      "192.0.2.5 172.32.0.1 1.10.0.0.5 110.0.0.5 10.0.0",
      "/home /homes/x agent-smithy my-forge-12",
      "/srv/agent/build17/",
    ]
  ) {
    assert.deepEqual(found(text), [], text);
  }
  // Names that say nothing would be found everywhere.
  const plain = traceNeedles({ folder: "/", home: "/root", user: "root", host: "vm" });
  assert.equal(plain.length, 2);
  assert.equal(findTraces(new TextEncoder().encode("/home/a ".repeat(100)), plain).length, 20);
});

Deno.test("V-i: hasSymbols() sees a table of symbols, and not that of the dynamic linker", () => {
  const elf = (types: readonly number[]) => {
    const bytes = tinyRuntime();
    const view = new DataView(bytes.buffer);
    view.setBigUint64(40, 1_000n, true);
    view.setUint16(58, 64, true);
    view.setUint16(60, types.length, true);
    types.forEach((type, index) => view.setUint32(1_000 + 64 * index + 4, type, true));
    return bytes;
  };
  assert.equal(hasSymbols(elf([0, 1, 11])), false);
  assert.equal(hasSymbols(elf([0, 1, 11, 2])), true);
  assert.equal(hasSymbols(elf([])), false);
  assert.throws(() => hasSymbols(new Uint8Array(64)), TypeError);
  const outside = elf([0]);
  new DataView(outside.buffer).setBigUint64(40, 1n << 40n, true);
  assert.throws(() => hasSymbols(outside), TypeError);
});

async function hasTools(prefix: string): Promise<boolean> {
  try {
    await run(`${prefix}as`, ["--version"]);
    await run(`${prefix}objcopy`, ["--version"]);
    return true;
  } catch {
    return false;
  }
}

async function run(command: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(command, {
    args: [...args],
    stdout: "null",
    stderr: "piped",
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}
