/**
 * One put or get of a folder in a process of its own, as a node with a data folder does it:
 * `_blob_folder_process.ts put|get DATA FOLDER [ADDRESS]`. One line of JSON says what it took.
 */
import process from "node:process";
import { systemClock } from "../src/base/mod.ts";
import { parseBlobTarget } from "../src/blob/mod.ts";
import { createMetricRegistry, silentLog } from "../src/observe/mod.ts";
import { BlobService, FolderService, openStorage } from "../src/services/mod.ts";

const [verb, data = "", folder = "", address = ""] = Deno.args;
const deps = { clock: systemClock, log: silentLog, metrics: createMetricRegistry() };
Deno.mkdirSync(data, { recursive: true });
const storage = await openStorage(deps, data);
const blobs = new BlobService({ ...deps, storage, mesh: undefined });
const folders = new FolderService({ ...deps, storage, blobs });
let longestMs = 0;
let lastMs = performance.now();
const heartbeat = setInterval(() => {
  const nowMs = performance.now();
  longestMs = Math.max(longestMs, nowMs - lastMs);
  lastMs = nowMs;
}, 1);
const startMs = performance.now();
let result: object = {};
if (verb === "put") {
  const { stored, files } = await folders.put(folder);
  result = { address: stored.address, files };
} else {
  const { files } = await folders.get(parseBlobTarget(address), { output: folder });
  result = { files };
}
const seconds = (performance.now() - startMs) / 1000;
clearInterval(heartbeat);
const rssMb = process.resourceUsage().maxRSS * 1024 / 1e6;
console.log(JSON.stringify({ ...result, seconds, rssMb, longestMs }));
await storage.stop();
Deno.exit(0);
