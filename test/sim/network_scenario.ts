/**
 * A whole network from one seed: real transports and dialers over a lossy network in memory, with
 * partitions and restarts, and reliable streams between random pairs.
 *
 * The plan is drawn from the seed before anything runs, so a failing seed replays.
 */

import { idToHex } from "../../src/base/mod.ts";
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
  type Identity,
  type NoiseKeyPair,
} from "../../src/core/crypto/mod.ts";
import {
  addressKey,
  checkCounters,
  Dialer,
  MeshTransport,
  type SocketAddress,
} from "../../src/core/transport/mod.ts";
import { createLog, type Log, silentLog } from "../../src/observe/mod.ts";
import { HeapClock } from "./heap_clock.ts";
import { MemoryNetwork, type NetworkConditions, PERFECT, seededRandom } from "./memory_network.ts";
import { StreamRun } from "./stream_run.ts";

/** A pair of nodes where the first dials the second, through a relay or not. */
interface Link {
  readonly from: number;
  readonly to: number;
  readonly via: number | undefined;
}

interface Partition {
  readonly at: number;
  readonly until: number;
  readonly side: ReadonlySet<number>;
  /** Datagrams are lost in one direction only. */
  readonly isOneWay: boolean;
}

interface Restart {
  readonly at: number;
  readonly downMs: number;
  readonly node: number;
}

interface StreamPlan {
  readonly at: number;
  readonly link: Link;
  readonly isReversed: boolean;
  readonly windowBytes: number;
  readonly count: number;
  readonly bytesMax: number;
}

/** Everything that is going to happen. */
export interface ScenarioPlan {
  readonly seed: number;
  readonly nodes: number;
  readonly conditions: NetworkConditions;
  readonly links: readonly Link[];
  readonly partitions: readonly Partition[];
  readonly restarts: readonly Restart[];
  readonly streams: readonly StreamPlan[];
}

/** What happened. */
export interface ScenarioReport {
  readonly plan: ScenarioPlan;
  /** Broken promises; empty when all were kept. */
  readonly faults: readonly string[];
  readonly streamsDone: number;
  readonly streamsFailed: number;
  /** Planned, but the pair was not connected then. */
  readonly streamsSkipped: number;
  /** Streams done at the sender although the receiver was told that they ended before all arrived. */
  readonly disagreements: readonly string[];
  readonly datagrams: number;
}

/** Options of {@linkcode planScenario}. */
export interface PlanOptions {
  readonly nodesMax?: number;
  /** Multiplies partitions, restarts and streams; 1 when left out. */
  readonly turmoil?: number;
  /** Chance of an additional link to need a relay; 0.3 when left out. */
  readonly relayShare?: number;
}

const HEARTBEAT_MS = 1_000;
const SESSION_TIMEOUT_MS = 2_000;
/** How long things go wrong. */
const STORM_MS = 15_000;
/** How long they may take to be well again: a failed peer is noticed within 3 timeouts. */
const QUIET_MS = 30_000;
/** Senders give a stream up after about 7 s; the rest is margin. */
const STREAM_MS = 30_000;
const SECRET = new Uint8Array(32).fill(7);

/** Draws a scenario. */
export function planScenario(seed: number, options: PlanOptions = {}): ScenarioPlan {
  const random = seededRandom(seed);
  const pick = (count: number) => Math.floor(random() * count);
  const turmoil = options.turmoil ?? 1;
  const nodes = 2 + pick((options.nodesMax ?? 12) - 1);
  const links = planLinks(nodes, random, options.relayShare ?? 0.3);
  // One network in five is slow: its round trips take longer than the first retransmission timeout.
  const slowness = random() < 0.2 ? 10 : 1;
  const conditions: NetworkConditions = {
    lossRate: [0, 0.02, 0.1, 0.2, 0.3][pick(5)] ?? 0,
    duplicateRate: random() * 0.1,
    delayMs: (0.5 + random() * 20) * slowness,
    jitterMs: random() * 20 * slowness,
  };
  const partitions = Array.from({ length: pick(3) * turmoil }, (): Partition => {
    const at = random() * STORM_MS;
    const side = new Set<number>([pick(nodes)]);
    for (let node = 0; node < nodes; node++) if (random() < 0.4) side.add(node);
    return {
      at,
      until: Math.min(at + 500 + random() * 9_000, STORM_MS),
      side,
      isOneWay: random() < 0.25,
    };
  });
  const restarts = Array.from({ length: pick(4) * turmoil }, (): Restart => ({
    at: random() * STORM_MS * 0.9,
    downMs: random() * 2_000,
    node: pick(nodes),
  }));
  const streams = Array.from({ length: (4 + pick(12)) * turmoil }, (): StreamPlan => ({
    at: 1_000 + random() * (STORM_MS - 1_000),
    link: links[pick(links.length)] as Link,
    isReversed: random() < 0.5,
    windowBytes: [2_000, 65_536, 256_000][pick(3)] ?? 65_536,
    count: 1 + pick(80),
    bytesMax: [8, 300, 1_900][pick(3)] ?? 8,
  }));
  return { seed, nodes, conditions, links, partitions, restarts, streams };
}

/** One line about a plan, for the log of a failing seed. */
export function describePlan(plan: ScenarioPlan): string {
  const { conditions: c, links } = plan;
  const relayed = links.filter((link) => link.via !== undefined).length;
  return `${plan.nodes} nodes, ${links.length} links (${relayed} relayed), loss ${c.lossRate}, ` +
    `delay ${c.delayMs.toFixed(1)}+${c.jitterMs.toFixed(1)} ms, ${plan.partitions.length} ` +
    `partitions, ${plan.restarts.length} restarts, ${plan.streams.length} streams`;
}

/** Options of {@linkcode runScenario}. */
export interface RunOptions {
  /** Takes the records of all nodes and of the scenario itself, line by line. */
  readonly writeLog?: (line: string) => void;
}

/** Runs a scenario in virtual time. */
export async function runScenario(
  plan: ScenarioPlan,
  options: RunOptions = {},
): Promise<ScenarioReport> {
  const scenario = new Scenario(plan, options);
  try {
    return await scenario.run();
  } finally {
    scenario.stop();
  }
}

/** A tree, so that the network hangs together, and some links more; some of those through a relay. */
function planLinks(nodes: number, random: () => number, relayShare: number): Link[] {
  const links: Link[] = [];
  const linked = new Set<string>();
  const add = (a: number, b: number, via: number | undefined) => {
    const key = `${Math.min(a, b)}-${Math.max(a, b)}`;
    if (a === b || linked.has(key)) return;
    linked.add(key);
    const [from, to] = random() < 0.5 ? [a, b] : [b, a];
    links.push({ from, to, via });
    // Both know of each other: their dials cross.
    if (random() < 0.25) links.push({ from: to, to: from, via });
  };
  for (let node = 1; node < nodes; node++) add(node, Math.floor(random() * node), undefined);
  const direct = [...links];
  for (let i = Math.floor(random() * nodes); i > 0; i--) {
    const a = Math.floor(random() * nodes);
    const b = Math.floor(random() * nodes);
    const relay = random() < 1 - relayShare ? undefined : findRelay(direct, a, b);
    if (relay !== undefined || random() < 0.7) add(a, b, relay);
  }
  return links;
}

function findRelay(direct: readonly Link[], a: number, b: number): number | undefined {
  const next = (node: number) =>
    direct.flatMap(({ from, to }) => from === node ? [to] : to === node ? [from] : []);
  return next(a).find((relay) => relay !== b && next(b).includes(relay));
}

/** A node that can be stopped and started again under the same identity. */
class SimNode {
  readonly identity: Identity;
  readonly keys: NoiseKeyPair;
  readonly address: SocketAddress;
  transport: MeshTransport | undefined;
  dialer: Dialer | undefined;
  /** Counters that did not add up when a life of the node ended. */
  readonly faults: string[] = [];
  datagrams = 0;

  constructor(readonly number: number) {
    this.identity = createIdentity(new Uint8Array(32).fill(number + 1));
    this.keys = createNoiseKeyPair(new Uint8Array(32).fill(number + 101));
    this.address = { host: `10.0.0.${number + 1}`, port: 4_000 };
  }

  start(network: MemoryNetwork, clock: HeapClock, log: Log): MeshTransport {
    const transport = this.transport = new MeshTransport({
      socket: network.open(this.address.host, this.address.port),
      cipher: createPacketCipher({ memoryBytes: 5 * 1024 * 1024, keySlots: 256 }),
      clock,
      log,
    }, {
      nodeId: this.identity.nodeId,
      noiseKeys: this.keys,
      meshSecret: SECRET,
      heartbeatMs: HEARTBEAT_MS,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
    });
    transport.start();
    this.dialer = new Dialer({ transport, clock, log });
    return transport;
  }

  stop(): void {
    if (this.transport === undefined) return;
    const wrong = checkCounters(this.transport.counters);
    this.faults.push(...wrong.map((stage) => `node ${this.number}: counters: ${stage}`));
    if (this.transport.counters.rx_failures_total > 0) {
      this.faults.push(`node ${this.number}: a packet made its handler throw`);
    }
    this.datagrams += this.transport.counters.rx_datagrams_total;
    this.dialer?.stop();
    this.transport.stop();
    this.dialer = undefined;
    this.transport = undefined;
  }
}

class Scenario {
  readonly #plan: ScenarioPlan;
  readonly #clock = new HeapClock();
  readonly #network: MemoryNetwork;
  readonly #nodes: SimNode[];
  readonly #numbers = new Map<string, number>();
  /** Pairs that only a relay joins, as `low-high`. */
  readonly #apart = new Set<string>();
  readonly #runs: StreamRun[] = [];
  readonly #faults: string[] = [];
  readonly #log: Log;
  #partitions: Partition[] = [];
  #skipped = 0;

  constructor(plan: ScenarioPlan, { writeLog }: RunOptions) {
    this.#plan = plan;
    this.#log = writeLog === undefined ? silentLog : createLog({
      level: "debug",
      format: "text",
      write: writeLog,
      wallMs: () => this.#clock.now(),
    });
    this.#network = new MemoryNetwork(this.#clock, plan.seed ^ 0x5eed, plan.conditions);
    this.#nodes = Array.from({ length: plan.nodes }, (_, number) => new SimNode(number));
    for (const node of this.#nodes) this.#numbers.set(addressKey(node.address), node.number);
    for (const { from, to, via } of plan.links) {
      if (via !== undefined) this.#apart.add(pairKey(from, to));
    }
    this.#network.filter = (_, from, to) => this.#isOpen(from, to);
  }

  async run(): Promise<ScenarioReport> {
    const plan = this.#plan;
    for (const node of this.#nodes) this.#start(node);
    for (const partition of plan.partitions) {
      const { side, isOneWay } = partition;
      this.#clock.after(partition.at, () => {
        this.#log.info("parted", { side: [...side].join(), one_way: isOneWay });
        this.#partitions.push(partition);
      });
      this.#clock.after(partition.until, () => {
        this.#log.info("healed", { side: [...side].join() });
        this.#partitions = this.#partitions.filter((other) => other !== partition);
      });
    }
    for (const restart of plan.restarts) {
      this.#clock.after(restart.at, () => this.#restart(restart));
    }
    for (const [number, stream] of plan.streams.entries()) {
      this.#clock.after(stream.at, () => this.#startStream(number, stream));
    }
    await this.#clock.advance(STORM_MS + 2_000);
    this.#network.conditions = PERFECT;
    const isWhole = () => plan.links.every((link) => this.#isConnected(link));
    await this.#clock.advanceUntil(isWhole, QUIET_MS, 100);
    await this.#clock.advance(2_000);
    for (const link of plan.links) {
      if (this.#isConnected(link)) continue;
      this.#faults.push(`link ${linkName(link)} is not connected after quiet: ${this.#look(link)}`);
    }
    await this.#clock.advanceUntil(
      () => this.#runs.every((run) => run.sender !== "pending"),
      STREAM_MS,
      250,
    );
    for (const run of this.#runs) this.#faults.push(...run.faults());
    await this.#checkLinks();
    this.#checkTables();
    this.stop();
    return this.#report();
  }

  stop(): void {
    for (const node of this.#nodes) node.stop();
  }

  #report(): ScenarioReport {
    const runs = this.#runs;
    return {
      plan: this.#plan,
      faults: [...this.#faults, ...this.#nodes.flatMap((node) => node.faults)],
      streamsDone: runs.filter((run) => run.sender === "done").length,
      streamsFailed: runs.filter((run) => run.sender === "error").length,
      streamsSkipped: this.#skipped,
      disagreements: runs.flatMap((run) => run.disagreement() ?? []),
      datagrams: this.#nodes.reduce((sum, node) => sum + node.datagrams, 0),
    };
  }

  #isOpen(from: SocketAddress, to: SocketAddress): boolean {
    const source = this.#numbers.get(addressKey(from)) ?? -1;
    const target = this.#numbers.get(addressKey(to)) ?? -1;
    if (this.#apart.has(pairKey(source, target))) return false;
    return this.#partitions.every(({ side, isOneWay }) =>
      side.has(source) === side.has(target) || (isOneWay && side.has(source))
    );
  }

  #start(node: SimNode): void {
    node.start(this.#network, this.#clock, this.#log.child({ node: node.number }));
    for (const link of this.#plan.links) if (link.from === node.number) this.#dial(node, link);
  }

  #dial(node: SimNode, link: Link): void {
    const target = this.#node(link.to);
    const first = link.via === undefined ? target : this.#node(link.via);
    node.dialer?.add({
      nodeId: target.identity.nodeId,
      noisePublicKey: target.keys.publicKey,
      addresses: [first.address],
      forms: ["routed"],
    });
  }

  #restart({ node: number, downMs }: Restart): void {
    const node = this.#node(number);
    if (node.transport === undefined) return;
    this.#log.info("restarted", { node: number, down_ms: Math.round(downMs) });
    node.stop();
    this.#clock.after(downMs, () => this.#start(node));
  }

  #startStream(number: number, plan: StreamPlan): void {
    const { link, isReversed } = plan;
    const from = this.#node(isReversed ? link.to : link.from);
    const to = this.#node(isReversed ? link.from : link.to);
    if (!this.#isConnected(link) || from.transport === undefined || to.transport === undefined) {
      this.#skipped += 1;
      return;
    }
    this.#log.info("stream", { number, from: from.number, to: to.number, events: plan.count });
    const random = seededRandom(this.#plan.seed * 1_000 + number);
    const payloads = Array.from({ length: plan.count }, () => {
      const length = Math.floor(random() * plan.bytesMax);
      return Uint8Array.from({ length }, () => Math.floor(random() * 256));
    });
    this.#run(`${number} (${from.number} to ${to.number})`, from.transport, to.transport, {
      streamId: BigInt(1_000 + number),
      windowBytes: plan.windowBytes,
      payloads,
    });
  }

  #run(
    name: string,
    from: MeshTransport,
    to: MeshTransport,
    options: { streamId: bigint; windowBytes: number; payloads: readonly Uint8Array[] },
  ): void {
    const run = new StreamRun({ name, ...options });
    this.#runs.push(run);
    run.start(from, to);
  }

  /** Sends a little over every link both ways: now nothing is an excuse. */
  async #checkLinks(): Promise<void> {
    const before = this.#runs.length;
    const payloads = Array.from({ length: 20 }, (_, i) => new Uint8Array(400).fill(i));
    for (const [number, link] of this.#plan.links.entries()) {
      const [from, to] = [this.#node(link.from).transport, this.#node(link.to).transport];
      if (from === undefined || to === undefined || !this.#isConnected(link)) continue;
      const options = { streamId: BigInt(5_000 + number), windowBytes: 65_536, payloads };
      this.#run(`last ${linkName(link)}`, from, to, options);
      this.#run(`last ${linkName(link)} back`, to, from, options);
    }
    const runs = this.#runs.slice(before);
    await this.#clock.advanceUntil(() => runs.every((run) => run.sender !== "pending"), 12_000, 50);
    for (const run of runs) {
      if (run.sender === "done" && run.isComplete) continue;
      this.#faults.push(
        `stream ${run.name}: on a perfect network: sender ${run.sender} ${run.errorCode ?? ""}, ` +
          `${run.arrived.length} of ${payloads.length} arrived, receiver ${
            run.receiverEnd ?? "open"
          }`,
      );
    }
  }

  #checkTables(): void {
    const others = this.#plan.nodes - 1;
    for (const { number, transport } of this.#nodes) {
      if (transport === undefined) continue;
      const sizes = { peers: transport.peers().length, nodes: transport.discoveredNodes().length };
      for (const [table, size] of Object.entries(sizes)) {
        if (size > others) this.#faults.push(`node ${number}: ${size} ${table}, ${others} exist`);
      }
    }
  }

  #isConnected({ from, to }: Link): boolean {
    return this.#sees(from, to) && this.#sees(to, from);
  }

  #sees(from: number, to: number): boolean {
    const state = this.#node(from).transport?.peer(this.#node(to).identity.nodeId)?.state;
    return state === "connected" || state === "suspected";
  }

  #look({ from, to }: Link): string {
    const state = (left: number, right: number) => {
      const peer = this.#node(left).transport?.peer(this.#node(right).identity.nodeId);
      return peer === undefined ? "unknown" : `${peer.state}, idle ${Math.round(peer.idleMs)} ms`;
    };
    return `${from} sees ${state(from, to)}; ${to} sees ${state(to, from)}; ids ${
      idToHex(this.#node(from).identity.nodeId)
    } ${idToHex(this.#node(to).identity.nodeId)}`;
  }

  #node(number: number): SimNode {
    const node = this.#nodes[number];
    if (node === undefined) throw new RangeError(`Cannot find node ${number}: out of range`);
    return node;
  }
}

function pairKey(a: number, b: number): string {
  return `${Math.min(a, b)}-${Math.max(a, b)}`;
}

function linkName({ from, to, via }: Link): string {
  return via === undefined ? `${from}>${to}` : `${from}>${to} via ${via}`;
}
