/**
 * Runs every known vector file of a folder and prints what happened; `deno task test:vectors`.
 *
 * The folder comes from `NET_VECTORS`. Files nobody knows are ignored, known ones that are not there are
 * skipped. The last line is `N passed, N failed`; the exit code is 1 when something failed.
 */

import { isFolder, readVectorFile, vectorFolder } from "./folder.ts";
import { listCases, type VectorCase, type VectorSuite } from "./suite.ts";
import { SUITES } from "./suites/mod.ts";

/** Outcome of a run. */
export interface VectorRun {
  readonly passed: number;
  readonly failed: number;
}

/**
 * Runs all suites over a folder.
 *
 * @param print Takes one line at a time.
 */
export async function runVectors(
  folder: string,
  suites: Readonly<Record<string, VectorSuite>>,
  print: (line: string) => void,
): Promise<VectorRun> {
  let passed = 0;
  let failed = 0;
  if (!isFolder(folder)) print(`skipped: there is no folder "${folder}", set NET_VECTORS`);
  for (const [file, suite] of Object.entries(suites)) {
    const text = readVectorFile(folder, file);
    if (text === undefined) {
      print(`${file}: skipped, not in the folder`);
      continue;
    }
    let cases: readonly VectorCase[];
    try {
      cases = listCases(suite, text);
    } catch (error) {
      failed += 1;
      print(`${file}: FAILED ${describe(error)}`);
      continue;
    }
    print(`${file}: ${cases.length} cases`);
    for (const { label, run } of cases) {
      try {
        await run();
        passed += 1;
      } catch (error) {
        failed += 1;
        print(`  FAILED ${label}: ${describe(error)}`);
      }
    }
  }
  print(`${passed} passed, ${failed} failed`);
  return { passed, failed };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message.replaceAll("\n", "\n    ") : String(error);
}

if (import.meta.main) {
  const { failed } = await runVectors(vectorFolder(), SUITES, (line) => console.log(line));
  Deno.exit(failed === 0 ? 0 : 1);
}
