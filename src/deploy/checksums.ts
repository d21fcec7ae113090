/** `checksums.toml`: BLAKE3 of each executable by target (`validation.md` 7.2). */
import { parseToml } from "../config/mod.ts";
import { type Table, tableAt, tablesIn, textAt, wrong } from "./_tables.ts";
import { isFileName, isMemberName } from "./names.ts";

/** BLAKE3 by name of the executable and target: 64 lowercase hexadecimal digits. */
export type Checksums = ReadonlyMap<string, ReadonlyMap<string, string>>;

const NAMES_MAX = 1_024;
const TARGETS_MAX = 64;
const TARGET = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/**
 * Reads a `checksums.toml`; `[primals.N]`, `[springs.N]` and `[products.N]` count alike.
 *
 * @throws NetError `usage` naming `table.key`, or line and column of what is no TOML.
 */
export function parseChecksums(text: string, name: string): Checksums {
  const top: Table = { file: name, path: "", values: parseToml(text, name) };
  const checksums = new Map<string, ReadonlyMap<string, string>>();
  for (const section of ["primals", "springs", "products"]) {
    const isName = (key: string) => isMemberName(key) || isFileName(key);
    for (const [binary, table] of tablesIn(tableAt(top, section), NAMES_MAX, isName)) {
      if (!checksums.has(binary)) checksums.set(binary, readTargets(table));
    }
  }
  return checksums;
}

function readTargets(table: Table): ReadonlyMap<string, string> {
  const targets = Object.keys(table.values);
  if (targets.length > TARGETS_MAX) {
    throw wrong({ ...table, path: "" }, table.path, `has more than ${TARGETS_MAX} entries`);
  }
  const byTarget = new Map<string, string>();
  for (const target of targets) {
    if (!TARGET.test(target)) throw wrong(table, target, "is no target");
    const sum = textAt(table, target, {
      lengthMax: 64,
      test: (value) => value === "" || /^[0-9a-fA-F]{64}$/.test(value),
      must: "64 hexadecimal digits",
    });
    if (sum !== undefined && sum !== "") byTarget.set(target, sum.toLowerCase());
  }
  return byTarget;
}
