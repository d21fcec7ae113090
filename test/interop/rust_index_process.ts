/**
 * A node of the Rust core whose capability index answers questions; its client is in `rust_index_test.ts`.
 */
import { loadRustAddon, type RustMesh } from "./rust_addon.ts";
import { serveLines } from "./serve_lines.ts";

/** A question to the core's index: a method of the addon's node and its arguments. */
export interface RustIndexQuestion {
  readonly method:
    | "findNodes"
    | "findNodesScoped"
    | "findBestNode"
    | "findBestNodeScoped"
    /** Matcher or null, grouping and aggregation, as JSON texts. */
    | "capabilityAggregate"
    /** A query as JSON text. */
    | "capabilityCapacityRanking";
  readonly args: readonly unknown[];
}

/** Operations of this process. */
export interface IndexOperations {
  open: [
    { readonly psk: Uint8Array },
    { readonly nodeId: bigint; readonly address: string; readonly publicKey: Uint8Array },
  ];
  ask: [{ readonly questions: readonly RustIndexQuestion[] }, readonly unknown[]];
}

type AskedMesh =
  & RustMesh
  & Readonly<Record<RustIndexQuestion["method"], (...args: readonly unknown[]) => unknown>>;

let mesh: AskedMesh | undefined;

async function open({ psk }: IndexOperations["open"][0]): Promise<IndexOperations["open"][1]> {
  const created = await loadRustAddon().NetMesh.create({
    bindAddr: "127.0.0.1:0",
    psk: psk.toHex(),
  });
  mesh = created as AskedMesh;
  await mesh.start();
  return {
    nodeId: mesh.nodeId(),
    address: mesh.localAddr(),
    publicKey: Uint8Array.fromHex(mesh.publicKey()),
  };
}

function ask({ questions }: IndexOperations["ask"][0]): IndexOperations["ask"][1] {
  return questions.map(({ method, args }) => mesh?.[method](...args) ?? null);
}

if (import.meta.main) await serveLines({ open, ask });
