/** Machines: what metadata, checksums and executables call them (`validation.md` 7.1). */
import { NetError } from "../base/mod.ts";
import { quote } from "./names.ts";

/** One kind of machine. */
export interface Platform {
  /** `x86_64`; the folder below `primals/`. */
  readonly arch: string;
  /** `x86_64-linux`; the table below `[builds]`. */
  readonly key: string;
  /** The target that this machine's own programs are built for: `x86_64-unknown-linux-gnu`. */
  readonly triple: string;
  /** Every target that runs here, the usual one of toolkits (musl) first. */
  readonly triples: readonly string[];
  /** What an ELF header says: class (32 or 64 bits) and `e_machine`. */
  readonly elf: { readonly bits: 32 | 64; readonly machine: number };
}

const PLATFORMS: readonly Platform[] = [
  platform("x86_64", "x86_64", "", 64, 62),
  platform("aarch64", "aarch64", "", 64, 183),
  platform("armv7", "armv7", "eabihf", 32, 40),
  platform("riscv64", "riscv64gc", "", 64, 243),
];

const ALIASES: Readonly<Record<string, string>> = {
  amd64: "x86_64",
  x64: "x86_64",
  arm64: "aarch64",
  armv7l: "armv7",
  riscv64gc: "riscv64",
};

/** The names of all machines known here. */
export const ARCHITECTURES: readonly string[] = PLATFORMS.map(({ arch }) => arch);

/**
 * The machine this runs on.
 *
 * @throws NetError `usage` on one that toolkits have no name for.
 */
export function thisPlatform(): Platform {
  const found = platformOf(Deno.build.arch);
  return Deno.build.target.includes("linux") ? { ...found, triple: Deno.build.target } : found;
}

/**
 * The machine that a text names: an architecture, one of its other names, a `[builds]` key or a target.
 *
 * @throws NetError `usage` for a text that names none.
 */
export function platformOf(text: string): Platform {
  const found = PLATFORMS.find(({ arch, key, triples }) =>
    text === arch || text === key || triples.includes(text) ||
    (Object.hasOwn(ALIASES, text) && ALIASES[text] === arch)
  );
  if (found !== undefined) return found;
  throw new NetError("usage", `Cannot use architecture ${quote(text)}: it is not known`, {
    next: `choose one of ${ARCHITECTURES.join(", ")}`,
  });
}

/** True for a key below `[builds]`: `x86_64-linux`, also of machines that are not known here. */
export function isPlatformKey(text: string): boolean {
  return /^[a-z0-9][a-z0-9_]{0,31}-[a-z0-9]{1,16}$/.test(text);
}

function platform(
  arch: string,
  cpu: string,
  suffix: string,
  bits: 32 | 64,
  machine: number,
): Platform {
  const musl = `${cpu}-unknown-linux-musl${suffix}`;
  const triple = `${cpu}-unknown-linux-gnu${suffix}`;
  return { arch, key: `${arch}-linux`, triple, triples: [musl, triple], elf: { bits, machine } };
}
