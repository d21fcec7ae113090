/** Announcements for the tests of this folder. */
import fc from "fast-check";
import { type Announcement, localAnnouncement } from "../../../src/core/capability/mod.ts";
import type { LocalAnnouncementOptions } from "../../../src/core/capability/mod.ts";
import { createIdentity, type Identity } from "../../../src/core/crypto/mod.ts";

/** 2026-01-01, the tests' today. */
export const WALL_MS = 1_767_225_600_000;

/** The identity whose seed is this byte, 32 times. */
export function identityOf(seed: number): Identity {
  return createIdentity(new Uint8Array(32).fill(seed));
}

/** A signed announcement of `identityOf(1)`, changed by `options`. */
export function sample(options: Partial<LocalAnnouncementOptions> = {}): Announcement {
  return localAnnouncement({
    identity: identityOf(1),
    tags: ["gpu", "hardware.memory_gb=64"],
    version: 5n,
    wallMs: WALL_MS,
    ...options,
  });
}

/** JSON text as bytes. */
export function bytesOfText(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Bytes as text. */
export function textOfBytes(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

const text = fc.string({ unit: "binary", maxLength: 12 });
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const byteList = (length: number) =>
  fc.array(fc.uint8Array({ minLength: length, maxLength: length }), { maxLength: 3 });

/** Options of any announcement, the identity left out. */
export const anyOptions = fc.record({
  tags: fc.array(text.filter((tag) => tag !== ""), { maxLength: 8 }),
  metadata: fc.array(fc.tuple(text, text), { maxLength: 4 }),
  version: u64,
  wallMs: fc.integer({ min: 0, max: 2 ** 43 }),
  ttlSeconds: fc.nat(0xffff_ffff),
  reflexAddress: fc.option(
    fc.tuple(fc.ipV4(), fc.nat(0xffff)).map(([host, port]) => `${host}:${port}`),
    { nil: undefined },
  ),
  allowedNodes: fc.array(u64, { maxLength: 4 }),
  allowedSubnets: byteList(16),
  allowedGroups: byteList(32),
});
