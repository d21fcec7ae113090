/** Vectors of this project's own extensions, in `docs/vectors`. */
import { join } from "node:path";
import { listCases, type VectorSuite } from "./suite.ts";
import { BLOB_COPIES_SUITE } from "./suites/blob_copies.ts";
import { BLOB_PROMISES_SUITE } from "./suites/blob_promises.ts";
import { BUS_FEED_SUITE } from "./suites/bus_feed.ts";
import { CHUNK_STORE_SUITE } from "./suites/chunk_store.ts";
import { NETDB_OWN_SUITE } from "./suites/netdb_own.ts";
import { REDEX_OWN_FILES_SUITE } from "./suites/redex_own_files.ts";
import { RPC_BODIES_SUITE } from "./suites/rpc_bodies.ts";

const FOLDER = join(import.meta.dirname ?? ".", "../../docs/vectors");
const SUITES: Readonly<Record<string, VectorSuite>> = {
  "blob_copies.json": BLOB_COPIES_SUITE,
  "blob_promises.json": BLOB_PROMISES_SUITE,
  "bus_feed.json": BUS_FEED_SUITE,
  "chunk_store.json": CHUNK_STORE_SUITE,
  "netdb.json": NETDB_OWN_SUITE,
  "redex_files.json": REDEX_OWN_FILES_SUITE,
  "rpc_bodies.json": RPC_BODIES_SUITE,
};

for (const [file, suite] of Object.entries(SUITES)) {
  Deno.test(`own vectors of ${file} hold`, async (t) => {
    const text = Deno.readTextFileSync(join(FOLDER, file));
    for (const { label, run } of listCases(suite, text)) await t.step(label, run);
  });
}
