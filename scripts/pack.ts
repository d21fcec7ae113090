/**
 * Makes `build/net`, one executable that needs neither Deno nor Node: the runtime that runs this script,
 * with the bundle in a segment of its own.
 *
 * `deno compile` wants another base runtime, which it downloads (see `compile.ts`). Here the ordinary one
 * is used as it is: a few hundred bytes of code run before its own entry, put the bundle into a sealed
 * file in memory and start it with the arguments to run that (`pack/entry_x86_64.s`). Nothing is unpacked.
 *
 * The folders of those who built the runtime are overwritten in its messages, so that the executable
 * names nobody's home.
 */
import { BUNDLE, bundle } from "./bundle.ts";
import { addSegment, placeSegment } from "./pack/elf_segment.ts";
import { ENTRY_FIELDS, ENTRY_X86_64 } from "./pack/entry_x86_64.ts";

/** Where the executable goes. */
export const PACKED = "build/net";

const MACHINE_X86_64 = 62;

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
  const runtime = args[0] ?? Deno.execPath();
  await Deno.writeFile(PACKED, pack(await Deno.readFile(runtime), await Deno.readFile(BUNDLE)));
  await Deno.chmod(PACKED, 0o755);
  const { size } = await Deno.stat(PACKED);
  console.log(`${PACKED}: ${(size / 1e6).toFixed(0)} MB, needs neither Deno nor Node`);
  return 0;
}

/**
 * The executable that runs a program.
 *
 * @param runtime The Deno executable for x86-64 Linux.
 * @param program One JavaScript module without imports of other files.
 * @throws TypeError for a runtime that cannot be packed.
 */
export function pack(runtime: Uint8Array, program: Uint8Array): Uint8Array<ArrayBuffer> {
  const place = placeSegment(runtime);
  if (place.machine !== MACHINE_X86_64) {
    throw new TypeError(`Cannot pack: the runtime is for machine ${place.machine}, must be x86-64`);
  }
  const texts = new TextEncoder().encode([...ARGUMENTS, VARIABLE, ""].join("\0"));
  const programOffset = Math.ceil((ENTRY_X86_64.length + texts.length) / 16) * 16;
  const segment = new Uint8Array(programOffset + program.length);
  segment.set(ENTRY_X86_64);
  segment.set(texts, ENTRY_X86_64.length);
  segment.set(program, programOffset);
  const view = new DataView(segment.buffer);
  view.setBigInt64(ENTRY_FIELDS.entryOffset, BigInt(place.entry - place.address), true);
  view.setBigUint64(ENTRY_FIELDS.programOffset, BigInt(programOffset), true);
  view.setBigUint64(ENTRY_FIELDS.programBytes, BigInt(program.length), true);
  view.setBigUint64(ENTRY_FIELDS.argumentCount, BigInt(ARGUMENTS.length), true);
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
