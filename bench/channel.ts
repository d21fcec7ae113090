/**
 * Publishing on channels against the Rust core driven through its addon: events of 64 bytes to three
 * subscribers; and what it costs to look whether a subscriber may still get them.
 *
 * The publisher is a process of its own, the subscribers are together in another one; both sides run in
 * alternation on the same cores. Deliveries are timed where they reach JavaScript. Ours go over a reliable
 * channel, where nothing may be lost; the core's are flagged so, but not repeated: what did not arrive is
 * told, and its rate is that of what did. The core takes one event a call; ours is shown with one and with 64.
 *
 * Ratios are ours / theirs, above 1 is faster. `NET_BENCH_ROUNDS` changes the number of rounds.
 */
import type { ChannelOperations } from "../test/interop/channel_peer_process.ts";
import { type LineProcess, startLineProcess } from "../test/interop/line_process.ts";
import { rustPeerSkipReason } from "../test/interop/rust_peer.ts";
import { measureEntitlement } from "./_channel_entitlement.ts";
import type { ChannelProcessOperations } from "./_channel_process.ts";
import { summarize, type Summary } from "./_summary.ts";

const ROUNDS = Number(Deno.env.get("NET_BENCH_ROUNDS") ?? "5");
const SUBSCRIBERS = 3;
const EVENT_BYTES = 64;
const RECEIVE_TIMEOUT_MS = 20_000;
const CHANNEL = "bench/a";
/** Each side publishes for about a second. */
const OUR_SINGLE = 60_000;
const OUR_BATCHED = 600_000;
const THEIR_EVENTS = 15_000;

/** What one run gave. */
interface Figures {
  readonly deliveriesPerSecond: number;
  /** Share of the deliveries that never arrived. */
  readonly lost: number;
}

if (import.meta.main) await main();

async function main(): Promise<void> {
  const skip = rustPeerSkipReason();
  if (skip !== undefined) console.log(`without the Rust core: ${skip}`);
  const single: number[] = [];
  const batched: number[] = [];
  const theirs: number[] = [];
  let lost = 0;
  for (let round = 0; round < ROUNDS; round++) {
    {
      await using pair = await openOurs();
      await publishOurs(pair, OUR_SINGLE >> 2, 1);
      single.push((await publishOurs(pair, OUR_SINGLE, 1)).deliveriesPerSecond);
      batched.push((await publishOurs(pair, OUR_BATCHED, 64)).deliveriesPerSecond);
    }
    if (skip !== undefined) continue;
    const figures = await measureTheirs();
    theirs.push(figures.deliveriesPerSecond);
    lost = Math.max(lost, figures.lost);
  }
  const results: Record<string, number> = {
    fan_out_single_per_s: Math.round(summarize(single).median),
    fan_out_batched_per_s: Math.round(summarize(batched).median),
  };
  console.log(`deliveries/s, ${EVENT_BYTES} B to ${SUBSCRIBERS} subscribers (low..high)`);
  console.log(`  ours, 1 event a call     ${describe(summarize(single))}`);
  console.log(`  ours, 64 events a call   ${describe(summarize(batched))}`);
  if (theirs.length > 0) {
    const { median } = summarize(theirs);
    results.fan_out_rust_per_s = Math.round(median);
    results.fan_out_single_ratio = round(summarize(single).median / median);
    results.fan_out_batched_ratio = round(summarize(batched).median / median);
    console.log(
      `  Rust core, 1 event a call ${describe(summarize(theirs))}, at most ` +
        `${(lost * 100).toFixed(1)} % lost`,
    );
    console.log(
      `  ratios ${results.fan_out_single_ratio} and ${results.fan_out_batched_ratio}`,
    );
  }
  const entitlement = measureEntitlement();
  results.entitled_ns = round(entitlement.openNanoseconds);
  results.entitled_by_chain_ns = round(entitlement.chainNanoseconds);
  console.log(
    `whether a subscriber may still get an event: ${results.entitled_ns} ns, ` +
      `${results.entitled_by_chain_ns} ns by a token chain`,
  );
  console.log(`RESULT ${JSON.stringify(results)}`);
}

interface OurPair extends AsyncDisposable {
  readonly publisher: LineProcess<ChannelProcessOperations>;
  readonly subscribers: LineProcess<ChannelProcessOperations>;
  readonly publisherId: bigint;
}

async function openOurs(): Promise<OurPair> {
  await using stack = new AsyncDisposableStack();
  const program = new URL("./_channel_process.ts", import.meta.url);
  const start = (name: string) =>
    stack.use(startLineProcess<ChannelProcessOperations>(program, { name }));
  const publisher = start("publisher");
  const subscribers = start("subscribers");
  const [info] = await publisher.call("start", { count: 1 });
  if (info === undefined) throw new Error("The publisher has not started");
  await subscribers.call("start", { count: SUBSCRIBERS });
  await subscribers.call("connect", info);
  await publisher.call("create", { name: CHANNEL, isReliable: true });
  const owned = stack.move();
  return {
    publisher,
    subscribers,
    publisherId: info.nodeId,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function publishOurs(pair: OurPair, events: number, perCall: number): Promise<Figures> {
  const { publisher, subscribers, publisherId } = pair;
  await subscribers.call("subscribe", { name: CHANNEL, publisher: publisherId });
  const count = Math.floor(events / perCall) * perCall;
  const receiving = subscribers.call("receive", {
    count: count * SUBSCRIBERS,
    timeoutMs: RECEIVE_TIMEOUT_MS,
  });
  const sent = await publisher.call("publishMany", {
    name: CHANNEL,
    eventBytes: EVENT_BYTES,
    count,
    perCall,
  });
  const got = await receiving;
  if (sent.failed > 0 || got.events !== count * SUBSCRIBERS) {
    throw new Error(`Cannot measure ours: ${got.events} of ${count * SUBSCRIBERS} events came`);
  }
  return { deliveriesPerSecond: got.events / got.seconds, lost: 0 };
}

async function measureTheirs(): Promise<Figures> {
  const program = new URL("../test/interop/channel_peer_process.ts", import.meta.url);
  const start = (name: string) => startLineProcess<ChannelOperations>(program, { name });
  await using publisher = start("Rust publisher");
  await using subscribers = start("Rust subscribers");
  const psk = crypto.getRandomValues(new Uint8Array(32));
  const source = await publisher.call("create", { psk });
  const targets = [];
  for (let i = 0; i < SUBSCRIBERS; i++) {
    const target = await subscribers.call("create", { psk });
    const accepted = publisher.call("accept", { node: source.node, peer: target.nodeId });
    const { address, publicKey, nodeId: peer } = source;
    await subscribers.call("connect", { node: target.node, address, publicKey, peer });
    await accepted;
    targets.push(target);
  }
  await publisher.call("start", { node: source.node });
  for (const { node } of targets) await subscribers.call("start", { node });
  await publisher.call("registerChannel", { node: source.node, name: CHANNEL, isReliable: true });
  for (const { node } of targets) {
    const asked = { node, publisher: source.nodeId, name: CHANNEL };
    const answer = await subscribers.call("subscribe", asked);
    if (answer !== true) throw new Error(`The core refused itself: ${answer}`);
  }
  const receiving = targets.map(({ node }) =>
    subscribers.call("receiveMany", { node, eventCount: THEIR_EVENTS, timeoutMs: 3_000 })
  );
  await publisher.call("publishMany", {
    node: source.node,
    name: CHANNEL,
    event: new Uint8Array(EVENT_BYTES),
    count: THEIR_EVENTS,
    isReliable: true,
  });
  const got = await Promise.all(receiving);
  const events = got.reduce((sum, one) => sum + one.events, 0);
  const seconds = Math.max(...got.map((one) => one.seconds));
  return {
    deliveriesPerSecond: events / seconds,
    lost: 1 - events / (THEIR_EVENTS * SUBSCRIBERS),
  };
}

function describe({ median, low, high }: Summary): string {
  const [m, l, h] = [median, low, high].map((value) => `${Math.round(value / 1000)}k`);
  return `${m} (${l}..${h})`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
