/**
 * Makes `build/net`, one executable that needs neither Deno nor Node: the runtime that runs this script,
 * with the bundle in a segment of its own.
 *
 * `deno compile` wants another base runtime, which it downloads (see `compile.ts`). Here the ordinary one
 * is used as it is: a few hundred bytes of code run before its own entry, put the bundle into a sealed
 * file in memory and start it with the arguments to run that (`pack/entry_*.s`). Nothing is unpacked.
 *
 * Another runtime (of another machine) and another name for the result may be given as arguments.
 *
 * The folders of those who built the runtime are overwritten in its messages, so that the executable
 * names nobody's home.
 */
import { BUNDLE, bundle } from "./bundle.ts";
import { addSegment, placeSegment } from "./pack/elf_segment.ts";
import { ENTRY_FIELDS, PACK_ENTRIES } from "./pack/entry.ts";

/** Where the executable goes. */
export const PACKED = "build/net";

/** What the runtime is started with, before the path of the program. */
const ARGUMENTS: readonly string[] = [
  "run",
  "-A",
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
  "--unstable-net",
  "--ext=js",
];

/** The program is one file of a fixed version: nobody is asked for a newer runtime. */
const VARIABLE = "DENO_NO_UPDATE_CHECK=1";

/** Where the runtime was built, and what stands there instead: of the same length. */
const BUILDER_HOME = ["/home/runner/", "/deno-source/"] as const;

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: readonly string[]): Promise<number> {
  const bundled = await bundle();
  if (bundled !== 0) return bundled;
  const [runtime = Deno.execPath(), output = PACKED] = args;
  await Deno.writeFile(output, pack(await Deno.readFile(runtime), await Deno.readFile(BUNDLE)));
  await Deno.chmod(output, 0o755);
  const { size } = await Deno.stat(output);
  console.log(`${output}: ${(size / 1e6).toFixed(0)} MB, needs neither Deno nor Node`);
  return 0;
}

/**
 * The executable that runs a program.
 *
 * @param runtime The Deno executable for Linux on x86-64 or AArch64.
 * @param program One JavaScript module without imports of other files.
 * @throws TypeError for a runtime that cannot be packed.
 */
export function pack(runtime: Uint8Array, program: Uint8Array): Uint8Array<ArrayBuffer> {
  const place = placeSegment(runtime);
  const entry = PACK_ENTRIES.find(({ machine }) => machine === place.machine);
  if (entry === undefined) {
    const known = PACK_ENTRIES.map(({ arch }) => arch).join(" or ");
    throw new TypeError(
      `Cannot pack: the runtime is for machine ${place.machine}, must be ${known}`,
    );
  }
  const { code } = entry;
  const texts = new TextEncoder().encode([...ARGUMENTS, VARIABLE, ""].join("\0"));
  const programOffset = Math.ceil((code.length + texts.length) / 16) * 16;
  const segment = new Uint8Array(programOffset + program.length);
  segment.set(code);
  segment.set(texts, code.length);
  segment.set(program, programOffset);
  const view = new DataView(segment.buffer);
  view.setBigInt64(
    code.length + ENTRY_FIELDS.entryOffset,
    BigInt(place.entry - place.address),
    true,
  );
  view.setBigUint64(code.length + ENTRY_FIELDS.programOffset, BigInt(programOffset), true);
  view.setBigUint64(code.length + ENTRY_FIELDS.programBytes, BigInt(program.length), true);
  view.setBigUint64(code.length + ENTRY_FIELDS.argumentCount, BigInt(ARGUMENTS.length), true);
  const packed = addSegment(runtime, place, segment);
  overwrite(packed.subarray(0, runtime.length), ...BUILDER_HOME);
  return packed;
}

/** Puts a text in every place of another of the same length; returns how many. */
export function overwrite(bytes: Uint8Array, from: string, to: string): number {
  const wanted = new TextEncoder().encode(from);
  const instead = new TextEncoder().encode(to);
  if (wanted.length !== instead.length) throw new RangeError("both texts must be of one length");
  const [first = 0] = wanted;
  let count = 0;
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (!wanted.every((byte, index) => bytes[at + index] === byte)) continue;
    bytes.set(instead, at);
    count += 1;
  }
  return count;
}
