/**
 * Runs tests as several processes side by side, because one `deno test` uses one core.
 *
 * Each shard is a process of its own: tests look at memory, file modes and leaks of their process. What a shard
 * prints comes in one piece when it ends, and the last line adds all of them up.
 */

/** Some tests that run in one process. */
export interface Shard {
  readonly name: string;
  /** What follows `deno test`. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

interface ShardResult {
  readonly code: number;
  readonly output: string;
  readonly seconds: number;
}

/** A process of the tests may itself start two busy ones, so that more would only disturb each other. */
const AT_ONCE_MAX = 4;

/** Runs shards, as many at once as there are cores, in the order given; returns the exit code. */
export async function runShards(shards: readonly Shard[]): Promise<number> {
  const startMs = performance.now();
  const queue = [...shards];
  const failed: string[] = [];
  const sum = { passed: 0, failed: 0, ignored: 0 };
  const takeTurns = async () => {
    for (let shard = queue.shift(); shard !== undefined; shard = queue.shift()) {
      const { code, output, seconds } = await runShard(shard);
      console.log(`== ${shard.name} (${seconds.toFixed(0)} s)\n${output.trim()}\n`);
      const counts = countTests(output);
      if (code !== 0 || counts === undefined) failed.push(shard.name);
      sum.passed += counts?.passed ?? 0;
      sum.failed += counts?.failed ?? 0;
      sum.ignored += counts?.ignored ?? 0;
    }
  };
  const cores = Math.min(navigator.hardwareConcurrency, AT_ONCE_MAX);
  await Promise.all(Array.from({ length: Math.max(1, cores) }, takeTurns));
  const verdict = failed.length === 0 ? "ok" : "FAILED";
  const ignored = sum.ignored === 0 ? "" : ` | ${sum.ignored} ignored`;
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  console.log(`${verdict} | ${sum.passed} passed | ${sum.failed} failed${ignored} (${seconds} s)`);
  for (const name of failed) console.log(`failed: ${name}`);
  return failed.length === 0 ? 0 : 1;
}

/** Test files below a folder, those with the longest text first: that comes close to the longest run. */
export async function testFiles(folder: string): Promise<string[]> {
  const files: { readonly path: string; readonly size: number }[] = [];
  const walk = async (at: string) => {
    for await (const entry of Deno.readDir(at)) {
      const path = `${at}/${entry.name}`;
      if (entry.isDirectory) await walk(path);
      else if (path.endsWith("_test.ts")) files.push({ path, size: (await Deno.stat(path)).size });
    }
  };
  await walk(folder);
  return files.sort((a, b) => b.size - a.size).map(({ path }) => path);
}

async function runShard({ args, env }: Shard): Promise<ShardResult> {
  const startMs = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", ...args],
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const pieces: Uint8Array[] = [];
  const keep = async (stream: ReadableStream<Uint8Array>) => {
    for await (const piece of stream) pieces.push(piece);
  };
  const [{ code }] = await Promise.all([child.status, keep(child.stdout), keep(child.stderr)]);
  const output = await new Blob(pieces as BlobPart[]).text();
  return { code, output, seconds: (performance.now() - startMs) / 1000 };
}

/** What the last line of `deno test` says; `undefined` where there is none, after a crash. */
function countTests(output: string) {
  // deno-lint-ignore no-control-regex
  const plain = output.replace(/\x1b\[[0-9;]*m/g, "");
  const lines = plain.match(/^(?:ok|FAILED) \| \d+ passed.*$/gm);
  const last = lines?.at(-1);
  if (last === undefined) return undefined;
  const count = (word: string) => Number(new RegExp(`(\\d+) ${word}`).exec(last)?.[1] ?? 0);
  return { passed: count("passed"), failed: count("failed"), ignored: count("ignored") };
}
