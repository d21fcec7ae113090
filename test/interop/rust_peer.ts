/**
 * Client of a Rust peer process: starts `rust_peer_process.ts`, calls its operations, ends it.
 *
 * One process can host several nodes; a test that measures something wants one process per node.
 */
import { type LineProcess, startLineProcess } from "./line_process.ts";
import { isRustPlatform, RUST_PACKAGE } from "./rust_addon.ts";
import type {
  ReceivedEvent,
  RustArguments,
  RustNodeInfo,
  RustNodeOptions,
  RustOperation,
  RustOperations,
  RustResult,
} from "./rust_protocol.ts";

const POLL_PAUSE_MS = 2;
const POLL_EVENTS_MAX = 4096;

/** Options of {@linkcode startRustPeer}. */
export interface RustPeerOptions {
  /** Longest time a call may take, default 60000. */
  readonly callTimeoutMs?: number;
}

/** Operations that act on one node. */
export type RustNodeOperation = {
  [Name in RustOperation]: RustOperations[Name][0] extends { node: number } ? Name : never;
}[RustOperation];

/** A node inside a Rust peer process. */
export interface RustNode extends RustNodeInfo {
  /** Calls an operation with this node's handle filled in. */
  call<Name extends RustNodeOperation>(
    name: Name,
    args: Omit<RustArguments<Name>, "node">,
  ): Promise<RustResult<Name>>;
  /**
   * Takes events until there are at least `count`, or fewer when `timeoutMs` ran out.
   *
   * @param count Wanted number of events.
   * @param timeoutMs Longest wait, default 5000.
   */
  receive(count: number, timeoutMs?: number): Promise<ReceivedEvent[]>;
}

/** A running Rust peer process. */
export interface RustPeer extends LineProcess<RustOperations> {
  createNode(options: RustNodeOptions): Promise<RustNode>;
}

/** Why live peer tests can't run here; `undefined` when they can. */
export function rustPeerSkipReason(): string | undefined {
  if (!isRustPlatform()) {
    return `the Rust peer exists for x86_64-unknown-linux-gnu, this is ${Deno.build.target}`;
  }
  try {
    Deno.statSync(new URL(`../../node_modules/${RUST_PACKAGE}`, import.meta.url));
    return undefined;
  } catch {
    return `${RUST_PACKAGE} is not installed in node_modules`;
  }
}

/**
 * Registers a test that needs a Rust peer; where there is none the test is ignored and says why.
 *
 * @param name Test name, `symbol() behaviour`.
 */
export function rustPeerTest(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  const reason = rustPeerSkipReason();
  if (reason !== undefined) console.log(`ignored: ${name}: ${reason}`);
  Deno.test({ name, ignore: reason !== undefined, fn });
}

/**
 * Starts a Rust peer process.
 *
 * @throws {Error} When the addon can't run here, with the reason of {@linkcode rustPeerSkipReason}.
 */
export function startRustPeer(options: RustPeerOptions = {}): Promise<RustPeer> {
  const reason = rustPeerSkipReason();
  if (reason !== undefined) return Promise.reject(new Error(`Cannot start Rust peer: ${reason}`));
  const program = new URL("./rust_peer_process.ts", import.meta.url);
  const process = startLineProcess<RustOperations>(program, { name: "Rust peer", ...options });
  return Promise.resolve({
    ...process,
    createNode: async (node) => createNode(process.call, await process.call("create", node)),
  });
}

function createNode(call: RustPeer["call"], info: RustNodeInfo): RustNode {
  return {
    ...info,
    call: (name, args) => call(name, { ...args, node: info.node } as RustArguments<typeof name>),
    async receive(count, timeoutMs = 5000) {
      const deadlineMs = performance.now() + timeoutMs;
      const events: ReceivedEvent[] = [];
      while (events.length < count) {
        const batch = await call("poll", { node: info.node, limit: POLL_EVENTS_MAX });
        events.push(...batch);
        if (performance.now() > deadlineMs) break;
        if (batch.length === 0) await new Promise((done) => setTimeout(done, POLL_PAUSE_MS));
      }
      return events;
    },
  };
}
