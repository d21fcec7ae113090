/**
 * Makes a release: `build/net`, its toolkit in `build/release/toolkit`, and the same as assets of a
 * release in `build/release/assets`.
 *
 * Everything that is said about the executable comes from the executable: it is searched for traces of
 * this machine and for symbols, run with an empty PATH, asked what it can do, and hashed.
 */
import { blake3 } from "../src/core/crypto/mod.ts";
import { BUNDLE, bundle } from "./bundle.ts";
import { pack, PACKED } from "./pack.ts";
import { hasSymbols } from "./pack/symbols.ts";
import { findTraces, thisPlace, traceNeedles } from "./pack/traces.ts";
import { inspect } from "./release/inspect.ts";
import {
  assetName,
  checksumsText,
  manifestText,
  metadataText,
  portsText,
  type ReleaseFacts,
} from "./release/texts.ts";
import { readSource } from "./source.ts";

const RELEASE = "build/release";
/** A release is made by, and for, one kind of machine: it has to run there. */
const { arch: ARCH } = Deno.build;
const ET_DYN = 3;

if (import.meta.main) Deno.exit(await main());

async function main(): Promise<number> {
  const bundled = await bundle();
  if (bundled !== 0) return bundled;
  const runtime = await Deno.readFile(Deno.execPath());
  await Deno.writeFile(PACKED, pack(runtime, await Deno.readFile(BUNDLE)), { mode: 0o755 });
  await Deno.chmod(PACKED, 0o755);
  const facts = await makeRelease(PACKED, RELEASE, await readSource());
  console.log(`${RELEASE}: ${facts.name} ${facts.version} for ${facts.target}`);
  console.log(`  sha256 ${facts.sha256}\n  blake3 ${facts.blake3}`);
  console.log(`  ${facts.capabilities.length} methods, no symbols, no trace of this machine`);
  return 0;
}

/**
 * Writes the toolkit and the assets of an executable.
 *
 * @throws Error when the executable has symbols or traces of this machine, or does not run.
 */
export async function makeRelease(
  executable: string,
  folder: string,
  source: Pick<ReleaseFacts, "builtFrom" | "builtAt">,
): Promise<ReleaseFacts> {
  const bytes = await Deno.readFile(executable);
  const [trace] = findTraces(bytes, traceNeedles(thisPlace(Deno.cwd())));
  if (trace !== undefined) {
    throw new Error(`${executable} names ${trace.what} at ${trace.offset}: ${trace.text}`);
  }
  if (hasSymbols(bytes)) throw new Error(`${executable} has symbols: strip the runtime`);
  const facts: ReleaseFacts = {
    ...await inspect(executable),
    ...source,
    description: "Encrypted mesh node: finds peers, moves blobs, calls services",
    key: `${ARCH}-linux`,
    target: `${ARCH}-unknown-linux-gnu`,
    isPie: new DataView(bytes.buffer).getUint16(16, true) === ET_DYN,
    sha256: new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex(),
    blake3: blake3(bytes).toHex(),
  };
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  const { name } = facts;
  const texts = new Map([
    ["manifest.lock", manifestText(facts)],
    ["checksums.toml", checksumsText(facts)],
    ["ports.env", portsText(facts)],
    [`${name}/metadata.toml`, metadataText(facts)],
  ]);
  await Deno.mkdir(`${folder}/assets`, { recursive: true });
  await Deno.mkdir(`${folder}/toolkit/${name}`, { recursive: true });
  await Deno.mkdir(`${folder}/toolkit/primals/${ARCH}`, { recursive: true });
  for (const [path, text] of texts) {
    await Deno.writeTextFile(`${folder}/toolkit/${path}`, text);
    // Assets have no folders.
    await Deno.writeTextFile(`${folder}/assets/${path.replaceAll("/", ".")}`, text);
  }
  await Deno.copyFile("LICENSE", `${folder}/assets/LICENSE`);
  const asset = assetName(facts);
  const sums = `${facts.sha256}  ${asset}\n`;
  await Deno.writeTextFile(`${folder}/assets/SHA256SUMS`, sums);
  const target = `${folder}/toolkit/primals/${ARCH}/${name}`;
  await Deno.writeFile(target, bytes, { mode: 0o755 });
  await Deno.chmod(target, 0o755);
  await Deno.link(target, `${folder}/assets/${asset}`);
  return facts;
}
