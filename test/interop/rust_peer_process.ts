/**
 * A process that hosts nodes of the Rust core and does what the lines on its stdin say; see
 * `rust_protocol.ts`. It ends when stdin ends, so it never outlives its parent.
 *
 * Run with `deno run -A test/interop/rust_peer_process.ts`; `rust_peer.ts` is its client.
 */
import {
  loadRustAddon,
  type RustAddon,
  type RustMesh,
  type RustRpc,
  type RustStream,
} from "./rust_addon.ts";
import { toBuffer } from "./rust_addon.ts";
import { fetchBlob, makeBlobStores } from "./rust_blobs.ts";
import { receiveStream, sendPattern } from "./rust_streams.ts";
import {
  decodeLine,
  encodeLine,
  readLines,
  type RustArguments,
  type RustOperation,
  type RustRequest,
  type RustResult,
  type SendMode,
  type StreamName,
} from "./rust_protocol.ts";

type Handlers = {
  readonly [Name in RustOperation]: (
    args: RustArguments<Name>,
  ) => RustResult<Name> | Promise<RustResult<Name>>;
};

const POLL_EVENTS_MAX = 4096;
/** A receiver that nobody polls grants no more credit; a batch gives up then. */
const SPIN_TIMEOUT_MS = 10_000;

/** The operations over one addon; handles are positions in the tables inside. */
export function createHandlers(addon: RustAddon): Handlers {
  const nodes: RustMesh[] = [];
  const streams = new Map<string, RustStream>();
  const stores = makeBlobStores(addon);

  const nodeOf = (handle: number): RustMesh => {
    const node = nodes[handle];
    if (node === undefined) throw new RangeError(`No node has the handle ${handle}`);
    return node;
  };
  const rpcs = new Map<number, RustRpc>();
  const handles: unknown[] = [];
  const rpcOf = (handle: number): RustRpc => {
    const known = rpcs.get(handle);
    if (known !== undefined) return known;
    const rpc = addon.MeshRpc.fromMesh(nodeOf(handle));
    rpcs.set(handle, rpc);
    return rpc;
  };
  const streamOf = (name: StreamName): RustStream => {
    const stream = streams.get(streamKey(name));
    if (stream === undefined) throw new RangeError(`Stream ${name.streamId} is not open`);
    return stream;
  };
  const describe = (node: RustMesh, handle: number) => ({
    node: handle,
    nodeId: node.nodeId(),
    address: node.localAddr(),
    publicKey: Uint8Array.fromHex(node.publicKey()),
    entityId: new Uint8Array(node.entityId()),
  });

  return {
    create: async (args) => {
      const node = await addon.NetMesh.create({
        bindAddr: args.bind ?? "127.0.0.1:0",
        psk: args.psk.toHex(),
        heartbeatIntervalMs: args.heartbeatIntervalMs,
        sessionTimeoutMs: args.sessionTimeoutMs,
        numShards: args.numShards,
        identitySeed: args.seed === undefined ? undefined : toBuffer(args.seed),
        requireSignedCapabilities: args.requireSignedCapabilities,
      });
      return describe(node, nodes.push(node) - 1);
    },
    accept: (args) => nodeOf(args.node).accept(args.peer),
    connect: async (args) => {
      await nodeOf(args.node).connect(args.address, args.publicKey.toHex(), args.peer);
      return null;
    },
    connectVia: async (args) => {
      const key = toBuffer(args.publicKey);
      await nodeOf(args.node).connectDirect(args.peer, key, args.coordinator);
      return null;
    },
    addRoute: (args) => {
      nodeOf(args.node).addRoute(args.peer, args.address);
      return null;
    },
    setReflex: (args) => {
      nodeOf(args.node).setReflexOverride(args.address);
      return null;
    },
    classify: async (args) => {
      await nodeOf(args.node).reclassifyNat();
      return nodeOf(args.node).natType();
    },
    peerClass: (args) => nodeOf(args.node).peerNatType(args.peer),
    traversal: (args) => {
      const { punchesAttempted, punchesSucceeded, relayFallbacks } = nodeOf(args.node)
        .traversalStats();
      return { punchesAttempted, punchesSucceeded, relayFallbacks };
    },
    start: async (args) => {
      await nodeOf(args.node).start();
      return null;
    },
    shutdown: async (args) => {
      await nodeOf(args.node).shutdown();
      return null;
    },
    counts: (args) => ({
      peers: nodeOf(args.node).peerCount(),
      discovered: nodeOf(args.node).discoveredNodes(),
      rssBytes: Deno.memoryUsage().rss,
    }),
    push: (args) => nodeOf(args.node).pushTo(args.address, toBuffer(args.event)),
    openStream: (args) => {
      const stream = nodeOf(args.node).openStream(args.peer, {
        streamId: args.streamId,
        reliability: args.isReliable ? "reliable" : "fire_and_forget",
        windowBytes: args.windowBytes,
      });
      streams.set(streamKey(args), stream);
      return null;
    },
    send: async (args) => {
      const events = args.events.map(toBuffer);
      await sendBatch(nodeOf(args.node), streamOf(args), events, args.mode ?? "retry");
      return null;
    },
    closeStream: (args) => {
      nodeOf(args.node).closeStream(args.peer, args.streamId);
      streams.delete(streamKey(args));
      return null;
    },
    streamStats: (args) => nodeOf(args.node).streamStats(args.peer, args.streamId),
    poll: async (args) => {
      const events = await nodeOf(args.node).poll(args.limit);
      return events.map((event) => {
        const [sequence, index] = event.id.split(":");
        return {
          sequence: Number(sequence),
          index: Number(index),
          shard: event.shardId,
          bytes: new Uint8Array(event.rawBytes),
        };
      });
    },
    sendMany: async (args) => {
      const node = nodeOf(args.node);
      const stream = streamOf(args);
      const event = toBuffer(new Uint8Array(args.eventBytes));
      const full = new Array(args.perCall).fill(event);
      let refused = 0;
      const startMs = performance.now();
      for (let left = args.eventCount; left > 0; left -= args.perCall) {
        const batch = left >= args.perCall ? full : full.slice(0, left);
        refused += await sendBatch(node, stream, batch, args.mode ?? "spin");
      }
      return { seconds: (performance.now() - startMs) / 1000, refused };
    },
    receiveMany: (args) => receiveMany(nodeOf(args.node), args.eventCount, args.timeoutMs),
    sendPattern: (args) => {
      const node = nodeOf(args.node);
      const stream = streamOf(args);
      return sendPattern(args, (events) => sendBatch(node, stream, events, args.mode ?? "spin"));
    },
    receiveStream: (args) => receiveStream(nodeOf(args.node), args),
    probeReflex: (args) => nodeOf(args.node).probeReflex(args.peer),
    serveEcho: (args) => {
      // The handle keeps serving for as long as it lives.
      handles.push(rpcOf(args.node).serve(args.service, (body) => Promise.resolve(body)));
      return null;
    },
    callMany: async ({ node, peer, service, count, bodyBytes }) => {
      const rpc = rpcOf(node);
      const body = toBuffer(new Uint8Array(bodyBytes));
      const microseconds: number[] = [];
      for (let i = 0; i < count; i++) {
        const startMs = performance.now();
        await rpc.call(peer, service, body, {});
        microseconds.push(1000 * (performance.now() - startMs));
      }
      return { microseconds: microseconds.sort((a, b) => a - b) };
    },
    announce: async (args) => {
      await nodeOf(args.node).announceCapabilities(args.capabilities);
      return null;
    },
    openStore: (args) => stores.open(args.folder),
    serve: (args) => {
      nodeOf(args.node).serveBlobTransfer(stores.adapter(args.store));
      return null;
    },
    putFolder: async (args) => {
      const ref = await nodeOf(args.node).storeDir(stores.adapter(args.store), args.folder);
      return { ref: new Uint8Array(ref.encode()) };
    },
    fetchFolder: async (args) => {
      const ref = addon.BlobRef.fromEncoded(toBuffer(args.ref));
      return await nodeOf(args.node).fetchDir(args.peer, ref, args.output);
    },
    put: (args) => stores.put(args.store, args.source),
    putTree: (args) => stores.putTree(args.store, args.source, args.code),
    has: (args) => stores.has(args.store, args.ref),
    get: (args) => stores.get(args.store, args.ref, args.wantBytes === true),
    fetch: (args) => fetchBlob(addon, nodeOf(args.node), args),
  };
}

/** Sends one batch; returns how often backpressure refused it (`spin` only). */
async function sendBatch(
  node: RustMesh,
  stream: RustStream,
  events: ReturnType<typeof toBuffer>[],
  mode: SendMode,
): Promise<number> {
  if (mode === "once") await node.sendOnStream(stream, events);
  else if (mode === "retry") await node.sendWithRetry(stream, events);
  else if (mode === "blocking") await node.sendBlocking(stream, events);
  else return await spin(node, stream, events);
  return 0;
}

async function spin(
  node: RustMesh,
  stream: RustStream,
  events: ReturnType<typeof toBuffer>[],
): Promise<number> {
  const deadlineMs = performance.now() + SPIN_TIMEOUT_MS;
  for (let refused = 0;; refused++) {
    try {
      await node.sendOnStream(stream, events);
      return refused;
    } catch (error) {
      if (!(error instanceof Error) || !/would block/.test(error.message)) throw error;
      if (performance.now() > deadlineMs) throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** Takes events until there were `eventCount` or nothing more came in time; timed from the first. */
async function receiveMany(
  node: RustMesh,
  eventCount: number,
  timeoutMs: number,
): Promise<{ events: number; bytes: number; seconds: number }> {
  const deadlineMs = performance.now() + timeoutMs;
  let firstMs = 0;
  let lastMs = 0;
  let events = 0;
  let bytes = 0;
  while (events < eventCount) {
    const batch = await node.poll(POLL_EVENTS_MAX);
    const nowMs = performance.now();
    if (batch.length === 0) {
      if (nowMs > deadlineMs) break;
      await new Promise((resolve) => setImmediate(resolve));
      continue;
    }
    if (events === 0) firstMs = nowMs;
    lastMs = nowMs;
    events += batch.length;
    for (const event of batch) bytes += event.rawBytes.length;
  }
  return { events, bytes, seconds: (lastMs - firstMs) / 1000 };
}

function streamKey(name: StreamName): string {
  return `${name.node}/${name.peer}/${name.streamId}`;
}

async function main(): Promise<void> {
  const handlers = createHandlers(loadRustAddon());
  const output = createOutput();
  for await (const line of readLines(Deno.stdin.readable)) {
    const request = decodeLine(line) as RustRequest;
    const handler = handlers[request.op as RustOperation] as (args: unknown) => unknown;
    Promise.resolve()
      .then(() => handler(request.args))
      .then((result) => output({ id: request.id, result: result ?? null }))
      .catch((error) => output({ id: request.id, error: String(error?.message ?? error) }));
  }
  // Native threads of the core would keep the process alive.
  Deno.exit(0);
}

/** Writes whole lines one after the other. */
function createOutput(): (value: unknown) => void {
  let last = Promise.resolve();
  return (value) => {
    last = last.then(async () => {
      let rest = encodeLine(value);
      while (rest.length > 0) rest = rest.subarray(await Deno.stdout.write(rest));
    }).catch(() => Deno.exit(0));
  };
}

if (import.meta.main) await main();
