/**
 * A get of one large file from node to node, as a user has it: chunks read from files, verified, kept, and written
 * to a file; against one stream of the transport between the same processes, in alternation.
 *
 * `get_vs_stream` is the rate of the get over that of the stream. The file is written and verified when the time ends,
 * and, as with `cp` or `curl`, not waited for on the disk; the stream touches no disk at all. What the store of who gets
 * takes over behind that is waited for before the next stream, and told apart (`get_keep_cpu_ns_byte`). The get is by
 * reference, which proves each chunk; one by address (`get_address_vs_stream`) hashes every byte once more, to prove the
 * whole.
 */
import { measureMeshStream, openMeshPair } from "./_mesh_pair.ts";
import { summarize } from "./_summary.ts";

const MIB = 1024 * 1024;
const EVENT_BYTES = 8_000;

/** Options of {@linkcode measureBlobGets}. */
export interface MeasureBlobGetsOptions {
  readonly sizeBytes: number;
  readonly rounds: number;
}

/** What was measured; keys as in the report. */
export type BlobGetFigures = Readonly<
  Record<
    | "get_mb_s"
    | "get_stream_mb_s"
    | "get_vs_stream"
    | "get_address_vs_stream"
    | "get_peak_mb"
    | "get_serve_cpu_ns_byte"
    | "get_fetch_cpu_ns_byte"
    | "get_keep_cpu_ns_byte"
    | "get_stream_cpu_ns_byte",
    number
  >
>;

/** Measures gets and streams, in turns. */
export async function measureBlobGets(options: MeasureBlobGetsOptions): Promise<BlobGetFigures> {
  const { sizeBytes, rounds } = options;
  const folder = await Deno.makeTempDir({ prefix: "net-bench-get-" });
  const gets: number[] = [];
  const byAddress: number[] = [];
  const streams: number[] = [];
  const cpu = {
    serve: <number[]> [],
    fetch: <number[]> [],
    keep: <number[]> [],
    stream: <number[]> [],
  };
  let peakBytes = 0;
  try {
    const path = `${folder}/file`;
    await writePattern(path, sizeBytes);
    for (let round = 0; round < rounds; round++) {
      await using pair = await openMeshPair();
      const { source, target } = pair;
      await target.call("openFolder", { folder: `${folder}/target-${round}` });
      await source.call("openFolder", { folder: `${folder}/source-${round}` });
      const { blobRef, address } = await target.call("putFile", { path });
      const eventCount = Math.ceil(sizeBytes / EVENT_BYTES);
      const load = { eventCount, eventBytes: EVENT_BYTES };
      const look = async () => {
        const usages = [await target.call("usage", {}), await source.call("usage", {})];
        return usages.map(({ cpuSeconds }) => cpuSeconds * 1e9 / sizeBytes);
      };
      const since = async (before: readonly number[], side: number) =>
        ((await look())[side] ?? 0) - (before[side] ?? 0);
      const measureStream = async () => {
        const before = await look();
        streams.push((await measureMeshStream(pair, load)).megabytesPerSecond);
        cpu.stream.push(await since(before, 0) + await since(before, 1));
      };
      const measureGet = async (what: Uint8Array | string, into: number[]) => {
        const output = `${folder}/out-${round}`;
        const got = await source.call("getFile", { target: what, output });
        into.push(got.sizeBytes / got.seconds / 1e6);
        peakBytes = Math.max(peakBytes, got.peakBytes);
      };
      await measureMeshStream(pair, { ...load, eventCount: eventCount >> 3 });
      await measureStream();
      const before = await look();
      await measureGet(blobRef, gets);
      const after = await look();
      cpu.serve.push((after[0] ?? 0) - (before[0] ?? 0));
      cpu.fetch.push((after[1] ?? 0) - (before[1] ?? 0));
      await source.call("settleFolder", {});
      cpu.keep.push(await since(after, 1));
      await measureStream();
      await source.call("emptyFolder", {});
      await Deno.remove(`${folder}/out-${round}`);
      await measureGet(address, byAddress);
      await source.call("settleFolder", {});
      for (const name of [`target-${round}`, `source-${round}`, `out-${round}`]) {
        await Deno.remove(`${folder}/${name}`, { recursive: true });
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const get = summarize(gets);
  const stream = summarize(streams);
  const round = (value: number) => Math.round(100 * value) / 100;
  return {
    get_mb_s: Math.round(get.median),
    get_stream_mb_s: Math.round(stream.median),
    get_vs_stream: round(get.median / stream.median),
    get_address_vs_stream: round(summarize(byAddress).median / stream.median),
    get_peak_mb: Math.round(peakBytes / 1e6),
    get_serve_cpu_ns_byte: round(summarize(cpu.serve).median),
    get_fetch_cpu_ns_byte: round(summarize(cpu.fetch).median),
    get_keep_cpu_ns_byte: round(summarize(cpu.keep).median),
    get_stream_cpu_ns_byte: round(summarize(cpu.stream).median),
  };
}

/** A file whose chunks all differ. */
async function writePattern(path: string, sizeBytes: number): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  const piece = crypto.getRandomValues(new Uint8Array(65_536));
  const block = new Uint8Array(MIB);
  for (let at = 0; at < block.length; at += piece.length) block.set(piece, at);
  for (let at = 0; at < sizeBytes; at += block.length) {
    new DataView(block.buffer).setUint32(0, at / MIB, true);
    const part = block.subarray(0, Math.min(block.length, sizeBytes - at));
    for (let done = 0; done < part.length;) done += await file.write(part.subarray(done));
  }
}

if (import.meta.main) {
  const sizeBytes = Number(Deno.env.get("NET_BENCH_GET_MIB") ?? "1024") * MIB;
  const rounds = Number(Deno.env.get("NET_BENCH_ROUNDS") ?? "3");
  console.log(`RESULT ${JSON.stringify(await measureBlobGets({ sizeBytes, rounds }))}`);
}
