/**
 * A Rust peer process that also answers `findNodes` and `listTools`; everything else is
 * `rust_peer_process.ts`.
 *
 * Run with `deno run -A test/interop/announcement_peer_process.ts`; its client is in
 * `announcement_test.ts`.
 */
import { loadRustAddon, type RustMesh } from "./rust_addon.ts";
import { createHandlers } from "./rust_peer_process.ts";
import {
  decodeLine,
  encodeLine,
  readLines,
  type RustOperations,
  type RustRequest,
} from "./rust_protocol.ts";

/** A tool as the core lists it; what is not told is left out. */
export interface RustTool {
  readonly toolId: string;
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly inputSchema?: string;
  readonly outputSchema?: string;
  readonly requires: readonly string[];
  readonly estimatedTimeMs: number;
  readonly stateless: boolean;
  readonly streaming: boolean;
  readonly tags: readonly string[];
  readonly pricingTerms?: string;
  readonly nodeCount: number;
}

/** Operations of this process. */
export interface AnnouncementOperations extends RustOperations {
  /** Nodes that announced the tag, as the core's capability index has it. */
  findNodes: [{ node: number; tag: string }, bigint[]];
  /** Nodes that pass the filter, whose members are the addon's. */
  findByFilter: [{ node: number; filter: Readonly<Record<string, unknown>> }, bigint[]];
  /** Tools of all nodes, as the core lists them. */
  listTools: [{ node: number }, RustTool[]];
}

interface FindingMesh extends RustMesh {
  findNodes(filter: Readonly<Record<string, unknown>>): bigint[];
  listTools(): RustTool[];
}

type Handler = (args: unknown) => unknown;

async function main(): Promise<void> {
  const addon = loadRustAddon();
  const nodes: FindingMesh[] = [];
  const handlers: Record<string, unknown> = {
    ...createHandlers({
      ...addon,
      NetMesh: {
        create: async (options) => {
          const node = await addon.NetMesh.create(options) as FindingMesh;
          nodes.push(node);
          return node;
        },
      },
    }),
    findNodes: ({ node, tag }: AnnouncementOperations["findNodes"][0]) =>
      nodes[node]?.findNodes({ requireTags: [tag] }) ?? [],
    listTools: ({ node }: AnnouncementOperations["listTools"][0]) => nodes[node]?.listTools() ?? [],
    findByFilter: ({ node, filter }: AnnouncementOperations["findByFilter"][0]) =>
      nodes[node]?.findNodes(filter) ?? [],
  };
  let writing = Promise.resolve();
  const answer = (value: unknown) => {
    writing = writing.then(async () => {
      let rest = encodeLine(value);
      while (rest.length > 0) rest = rest.subarray(await Deno.stdout.write(rest));
    }).catch(() => Deno.exit(0));
  };
  for await (const line of readLines(Deno.stdin.readable)) {
    const { id, op, args } = decodeLine(line) as RustRequest;
    Promise.resolve()
      .then(() => (handlers[op] as Handler)(args))
      .then((result) => answer({ id, result: result ?? null }))
      .catch((error) => answer({ id, error: String(error?.message ?? error) }));
  }
  // Native threads of the core would keep the process alive.
  Deno.exit(0);
}

if (import.meta.main) await main();
