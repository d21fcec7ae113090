/** The head of an executable: which machine it is for. Nothing else of ELF is read. */
import { NetError } from "../base/mod.ts";
import type { Platform } from "./platform.ts";

/** Bytes that {@linkcode readExecutableHead} needs. */
export const EXECUTABLE_HEAD_BYTES = 20;

/** What the first bytes of a file say. */
export type ExecutableHead =
  | {
    readonly kind: "elf";
    readonly bits: 32 | 64;
    readonly isLittleEndian: boolean;
    /** `e_type`: 2 is an executable, 3 one that may lie anywhere. */
    readonly type: number;
    /** `e_machine`: 62 is x86-64, 183 AArch64. */
    readonly machine: number;
  }
  /** A script, which runs on every machine that has its interpreter. */
  | { readonly kind: "script" }
  | { readonly kind: "other" };

/** Reads the first bytes of a file; fewer than {@linkcode EXECUTABLE_HEAD_BYTES} make no ELF. */
export function readExecutableHead(bytes: Uint8Array): ExecutableHead {
  if (bytes[0] === 0x23 && bytes[1] === 0x21) return { kind: "script" };
  const [b0, b1, b2, b3, elfClass, data] = bytes;
  if (bytes.length < EXECUTABLE_HEAD_BYTES) return { kind: "other" };
  if (b0 !== 0x7f || b1 !== 0x45 || b2 !== 0x4c || b3 !== 0x46) return { kind: "other" };
  if ((elfClass !== 1 && elfClass !== 2) || (data !== 1 && data !== 2)) return { kind: "other" };
  const isLittleEndian = data === 1;
  const view = new DataView(bytes.buffer, bytes.byteOffset, EXECUTABLE_HEAD_BYTES);
  return {
    kind: "elf",
    bits: elfClass === 1 ? 32 : 64,
    isLittleEndian,
    type: view.getUint16(16, isLittleEndian),
    machine: view.getUint16(18, isLittleEndian),
  };
}

/** True for ELF of the platform's machine, and for scripts. */
export function isExecutableFor({ elf }: Platform, head: ExecutableHead): boolean {
  if (head.kind !== "elf") return head.kind === "script";
  return head.bits === elf.bits && head.machine === elf.machine && head.isLittleEndian;
}

/**
 * Refuses a file that cannot run on a platform (`promises-standards.md` V-g).
 *
 * @param name What the file is, for the error.
 * @throws NetError `integrity`.
 */
export function requireExecutableFor(platform: Platform, head: ExecutableHead, name: string): void {
  if (isExecutableFor(platform, head)) return;
  if (head.kind !== "elf") {
    throw new NetError(
      "integrity",
      `${name} is no executable: it begins neither as ELF nor with #!`,
      {
        next: "check what the source holds there",
      },
    );
  }
  const { bits, machine } = platform.elf;
  throw new NetError(
    "integrity",
    `${name} is for another machine: ELF ${head.bits} bits machine ${head.machine}, must be ` +
      `${bits} bits machine ${machine} for ${platform.arch}`,
    { next: "choose the machine with --arch, or mend the source" },
  );
}
