/**
 * Objects over HTTP: long ones up and down, and many short ones, from a client in a process of its own. The
 * yardstick is the runtime's own server, which gives the same bytes out of memory and checks nothing.
 *
 * Run: `deno run -A bench/http.ts`. `NET_BENCH_ROUNDS` changes the number of rounds. Rates are 10^6 bytes a second,
 * or requests a second; `_ratio` is ours to the yardstick's.
 */
import { systemClock, systemRandom } from "../src/base/mod.ts";
import { createGatewayApp } from "../src/gateway/app.ts";
import { GatewayCounters } from "../src/gateway/gateway_counters.ts";
import { HttpServer } from "../src/gateway/http/http_server.ts";
import { createNodeObjects } from "../src/gateway/objects/node_objects.ts";
import { objectRoutes } from "../src/gateway/objects/object_routes.ts";
import { createWriteGuard } from "../src/gateway/objects/write_guard.ts";
import { problemResponse } from "../src/gateway/problem.ts";
import { createMetricRegistry, silentLog } from "../src/observe/mod.ts";
import { BlobService, openStorage } from "../src/services/mod.ts";
import { summarize } from "./_summary.ts";

const ROUNDS = Number(Deno.env.get("NET_BENCH_ROUNDS") ?? "5");
const LONG_BYTES = 256 * 1024 * 1024;
const SHORT_BYTES = 10_000;
const SECRET = "a-secret-of-the-benchmark-0123456";
const CLIENT = new URL("./_http_client.ts", import.meta.url).pathname;

if (import.meta.main) console.log(`RESULT ${JSON.stringify(await measureHttp(ROUNDS))}`);

/** Medians over `rounds` rounds, all candidates in turn. */
export async function measureHttp(rounds: number): Promise<Record<string, number>> {
  const folder = await Deno.makeTempDir();
  const deps = { clock: systemClock, log: silentLog, metrics: createMetricRegistry() };
  const storage = await openStorage(deps, folder);
  const blobs = new BlobService({ ...deps, storage, mesh: undefined });
  const counters = new GatewayCounters();
  const source = createNodeObjects({ blobs, store: storage.blobs });
  const guard = createWriteGuard("token", SECRET);
  const limits = { requestsPerSecond: 1_000_000 };
  const app = createGatewayApp(
    { ...deps, random: systemRandom, counters, isLocal: true, limits },
    objectRoutes({ source, guard, counters }),
  );
  const server = new HttpServer({
    clock: systemClock,
    handle: app,
    refuse: ({ status, message }) => problemResponse({ status, code: "bad_request", message }),
  });
  const { port } = server.listen({ host: "127.0.0.1", port: 0 });
  const ours = `http://127.0.0.1:${port}/o`;
  const bytes = new Uint8Array(LONG_BYTES);
  const plain = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) =>
      new Response(bytes.subarray(0, request.url.endsWith("long") ? LONG_BYTES : SHORT_BYTES)),
  );
  const theirs = `http://127.0.0.1:${plain.addr.port}`;
  try {
    const addressOf = async (length: number) =>
      (await blobs.put({ read: fillOnce(length) })).address;
    const long = await addressOf(LONG_BYTES);
    const short = await addressOf(SHORT_BYTES);
    const candidates: Readonly<Record<string, () => Promise<number>>> = {
      http_get_mb_s: () => ask("get", `${ours}/${long}`),
      plain_get_mb_s: () => ask("get", `${theirs}/long`),
      http_put_mb_s: () => ask("put", ours, SECRET, String(LONG_BYTES)),
      http_small_per_s: () => ask("small", `${ours}/${short}`),
      plain_small_per_s: () => ask("small", `${theirs}/short`),
    };
    const samples = new Map<string, number[]>();
    for (let round = 0; round < rounds; round++) {
      for (const [name, measure] of Object.entries(candidates)) {
        samples.set(name, [...samples.get(name) ?? [], await measure()]);
      }
    }
    const results: Record<string, number> = {};
    for (const [name, rates] of samples) {
      const { median, low, high } = summarize(rates);
      results[name] = Math.round(median);
      console.log(
        `${name.padEnd(20)} ${median.toFixed(0)} (${low.toFixed(0)}..${high.toFixed(0)})`,
      );
    }
    const ratio = (own: string, yardstick: string) =>
      Number(((results[own] ?? 0) / (results[yardstick] ?? 1)).toFixed(2));
    return {
      ...results,
      http_get_ratio: ratio("http_get_mb_s", "plain_get_mb_s"),
      http_small_ratio: ratio("http_small_per_s", "plain_small_per_s"),
    };
  } finally {
    await server.stop();
    await plain.shutdown();
    await storage.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

async function ask(...args: readonly string[]): Promise<number> {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", CLIENT, ...args],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`the client failed: ${args[0]}`);
  return Number(new TextDecoder().decode(stdout).trim());
}

/** Reads of a blob of random bytes. */
function fillOnce(length: number): (into: Uint8Array) => Promise<number | null> {
  let left = length;
  return (into) => {
    const count = Math.min(left, into.length, 65_536);
    if (count === 0) return Promise.resolve(null);
    crypto.getRandomValues(into.subarray(0, count));
    left -= count;
    return Promise.resolve(count);
  };
}
