/**
 * Writes the units of `scripts/service`: the text of `net node unit` for a program in `/usr/local/bin`. With
 * `--check` it only says which of them differ.
 */

import { serviceUnit, socketUnit } from "../src/deploy/mod.ts";

const FOLDER = new URL("service/", import.meta.url);
const COMMAND = ["/usr/local/bin/net", "node", "start", "--foreground"] as const;

/** The units by file name. */
export function serviceFiles(): ReadonlyMap<string, string> {
  return new Map([
    ["net.service", serviceUnit({ scope: "system", command: COMMAND })],
    ["net@.service", serviceUnit({ scope: "system", command: COMMAND, isTemplate: true })],
    ["net.socket", socketUnit({ scope: "system" })],
    ["user/net.service", serviceUnit({ scope: "user", command: COMMAND })],
    ["user/net.socket", socketUnit({ scope: "user" })],
  ]);
}

if (import.meta.main) {
  let differing = 0;
  for (const [name, text] of serviceFiles()) {
    const url = new URL(name, FOLDER);
    if (!Deno.args.includes("--check")) {
      await Deno.mkdir(new URL(".", url), { recursive: true });
      await Deno.writeTextFile(url, text);
    } else if (await Deno.readTextFile(url).catch(() => "") !== text) {
      console.error(`${name} is not what net node unit prints: run deno run -A scripts/service.ts`);
      differing++;
    }
  }
  Deno.exit(differing === 0 ? 0 : 1);
}
