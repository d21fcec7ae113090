/**
 * Asks the Rust core's own evaluation of predicates. The addon exposes it as the filter of a query over the
 * rows of a chain: a field of a row plays the part of a tag (`spec/meshdb.md` 3.2).
 *
 * Its client is in `rust_predicates_test.ts`.
 */
import { Buffer } from "node:buffer";
import { loadRustAddon } from "./rust_addon.ts";
import { serveLines } from "./serve_lines.ts";

/** A predicate as the addon takes it. */
export interface RustPredicate {
  readonly kind: string;
  readonly field?: string;
  readonly children?: readonly RustPredicate[];
  readonly [constant: string]: unknown;
}

/** Operations of this process. */
export interface PredicateOperations {
  /** For each predicate which of the rows, by their index, satisfy it. Rows are JSON texts. */
  filterRows: [
    { readonly rows: readonly string[]; readonly predicates: readonly RustPredicate[] },
    readonly (readonly number[])[],
  ];
}

interface Row {
  readonly seq: bigint;
}

interface Reader {
  append(origin: bigint, sequence: bigint, payload: Buffer): void;
}

interface QueryAddon {
  readonly InMemoryChainReader: new () => Reader;
  readonly MeshQuery: {
    between(origin: bigint, start: bigint, end: bigint): unknown;
    filter(query: unknown, predicate: RustPredicate): unknown;
  };
  readonly MeshQueryRunner: new (reader: Reader, hasCache: boolean) => {
    execute(query: unknown, options: object): Promise<{ toArray(): Promise<readonly Row[]> }>;
  };
}

const ORIGIN = 1n;

async function filterRows(
  { rows, predicates }: PredicateOperations["filterRows"][0],
): Promise<PredicateOperations["filterRows"][1]> {
  const { InMemoryChainReader, MeshQuery, MeshQueryRunner } =
    loadRustAddon() as unknown as QueryAddon;
  const reader = new InMemoryChainReader();
  for (const [at, row] of rows.entries()) reader.append(ORIGIN, BigInt(at), Buffer.from(row));
  const runner = new MeshQueryRunner(reader, false);
  const results: number[][] = [];
  for (const predicate of predicates) {
    const all = MeshQuery.between(ORIGIN, 0n, BigInt(rows.length));
    const stream = await runner.execute(MeshQuery.filter(all, predicate), {});
    results.push((await stream.toArray()).map(({ seq }) => Number(seq)));
  }
  return results;
}

if (import.meta.main) await serveLines({ filterRows });
