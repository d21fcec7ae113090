/**
 * A whole network from one seed: real transports and dialers over a lossy network in memory, with
 * partitions, restarts and jumping clocks, and reliable streams between random pairs.
 *
 * The plan is drawn before anything runs, so a failing seed replays.
 */

import { idToHex } from "../../src/base/mod.ts";
import {
  addressKey,
  type SealingPolicy,
  type SocketAddress,
} from "../../src/core/transport/mod.ts";
import { FAILED_TIMEOUTS, SWEEP_MS, UNCONFIRMED_MS } from "../../src/core/transport/limits.ts";
import { createLog, type Log, silentLog } from "../../src/observe/mod.ts";
import { HeapClock } from "./heap_clock.ts";
import { MemoryNetwork, PERFECT, seededRandom } from "./memory_network.ts";
import { checkRoutes, type DistantPair } from "./route_check.ts";
import {
  type JumpPlan,
  type LinkPlan,
  type PartitionPlan,
  type RestartPlan,
  type ScenarioPlan,
  STORM_MS,
  type StreamPlan,
} from "./scenario_plan.ts";
import { HEARTBEAT_MS, SESSION_TIMEOUT_MS, SimNode } from "./sim_node.ts";
import { drawPayloads, StreamRun, type StreamRunOptions } from "./stream_run.ts";

/** What happened. */
export interface ScenarioReport {
  readonly seed: number;
  /** Broken promises; empty when all were kept. */
  readonly faults: readonly string[];
  readonly streamsDone: number;
  readonly streamsFailed: number;
  /** Planned, but the pair was not connected then. */
  readonly streamsSkipped: number;
  /** Links with a sealed session in the end. */
  readonly linksSealed: number;
  /** Pairs that talked over routes they had learned. */
  readonly routesUsed: number;
  readonly datagrams: number;
}

/** Options of {@linkcode runScenario}. */
export interface RunOptions {
  /** Takes the records of all nodes and of the scenario itself, line by line. */
  readonly writeLog?: (line: string) => void;
}

/** How long things may take to be well again: a failed peer is noticed within 3 timeouts. */
const QUIET_MS = 30_000;
/** Senders give a stream up after about 7 s; the rest is margin. */
const STREAM_MS = 30_000;
/** What was learned in the storm is forgotten, and what is so now has been heard. */
const ROUTES_MS = FAILED_TIMEOUTS * SESSION_TIMEOUT_MS + 3 * HEARTBEAT_MS;
/** Distant pairs that try their routes. */
const ROUTES_TRIED = 3;
/** Longest time a slow reader takes for one event. */
const PAUSE_MS_MAX = 300;
/** Networks up to this size are waited for until everything that was left over has timed out. */
const PATIENT_NODES_MAX = 8;
/** Counters are looked at after this many datagrams, wherever that falls. */
const LOOK_EVERY = 61;

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

class Scenario {
  readonly #plan: ScenarioPlan;
  readonly #clock = new HeapClock();
  readonly #network: MemoryNetwork;
  readonly #nodes: readonly SimNode[];
  readonly #byAddress = new Map<string, SimNode>();
  readonly #byId = new Map<bigint, SimNode>();
  /** Pairs that only a relay joins, as `low-high`. */
  readonly #apart = new Set<string>();
  readonly #runs: StreamRun[] = [];
  readonly #faults: string[] = [];
  readonly #log: Log;
  #partitions: PartitionPlan[] = [];
  #skipped = 0;
  #delivered = 0;
  #linksSealed = 0;
  #routesUsed = 0;

  constructor(plan: ScenarioPlan, { writeLog }: RunOptions) {
    this.#plan = plan;
    this.#log = writeLog === undefined ? silentLog : createLog({
      level: "debug",
      format: "text",
      write: writeLog,
      wallMs: () => this.#clock.now(),
    });
    this.#network = new MemoryNetwork(this.#clock, plan.seed ^ 0x5eed, plan.conditions);
    this.#nodes = plan.nodes.map((node, number) => new SimNode(number, node, this.#clock));
    for (const node of this.#nodes) {
      this.#byAddress.set(addressKey(node.address), node);
      this.#byId.set(node.identity.nodeId, node);
    }
    for (const { from, to, via } of plan.links) {
      if (via !== undefined) this.#apart.add(pairKey(from, to));
    }
    this.#network.filter = (_, from, to) => this.#isOpen(from, to);
    this.#network.onDelivered = (to) => {
      if (++this.#delivered % LOOK_EVERY === 0) this.#byAddress.get(addressKey(to))?.look();
    };
  }

  async run(): Promise<ScenarioReport> {
    const plan = this.#plan;
    for (const node of this.#nodes) this.#start(node);
    this.#scheduleStorm();
    await this.#clock.advance(STORM_MS + 2_000);
    this.#network.conditions = PERFECT;
    const isWhole = () => plan.links.every((link) => this.#isConnected(link));
    await this.#clock.advanceUntil(isWhole, QUIET_MS, 100);
    await this.#clock.advance(2_000);
    for (const link of plan.links) {
      if (this.#isConnected(link)) continue;
      this.#faults.push(`link ${linkName(link)} is not connected after quiet: ${this.#show(link)}`);
    }
    await this.#clock.advanceUntil(
      () => this.#runs.every((run) => run.isOver),
      STREAM_MS,
      250,
    );
    for (const run of this.#runs) this.#faults.push(...run.faults());
    await this.#tryLinks();
    await this.#tryRoutes();
    await this.#checkTables();
    this.#linksSealed = plan.links.filter(({ from, to }) => this.#sees(from, to)?.isSealed).length;
    this.stop();
    return this.#report();
  }

  stop(): void {
    for (const node of this.#nodes) node.stop();
  }

  #report(): ScenarioReport {
    const runs = this.#runs;
    return {
      seed: this.#plan.seed,
      faults: [...this.#faults, ...this.#nodes.flatMap((node) => node.faults)],
      streamsDone: runs.filter((run) => run.sender === "done").length,
      streamsFailed: runs.filter((run) => run.sender === "error").length,
      streamsSkipped: this.#skipped,
      linksSealed: this.#linksSealed,
      routesUsed: this.#routesUsed,
      datagrams: this.#nodes.reduce((sum, node) => sum + node.datagrams, 0),
    };
  }

  // --- What goes wrong ---------------------------------------------------------------------------

  #scheduleStorm(): void {
    const { partitions, restarts, jumps, streams } = this.#plan;
    for (const partition of partitions) {
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
    for (const restart of restarts) this.#clock.after(restart.at, () => this.#restart(restart));
    for (const jump of jumps) this.#clock.after(jump.at, () => this.#jump(jump));
    for (const [number, stream] of streams.entries()) {
      this.#clock.after(stream.at, () => this.#startStream(number, stream));
    }
  }

  #isOpen(from: SocketAddress, to: SocketAddress): boolean {
    const source = this.#byAddress.get(addressKey(from))?.number ?? -1;
    const target = this.#byAddress.get(addressKey(to))?.number ?? -1;
    if (this.#apart.has(pairKey(source, target))) return false;
    return this.#partitions.every(({ side, isOneWay }) =>
      side.has(source) === side.has(target) || (isOneWay && side.has(source))
    );
  }

  #start(node: SimNode): void {
    const { number } = node;
    const { links } = this.#plan;
    node.start({
      network: this.#network,
      log: this.#log.child({ node: number }),
      expected: links.filter(({ to, form }) => to === number && form === "direct")
        .map(({ from }) => this.#node(from).identity.nodeId),
      policyOf: (nodeId) => this.#policyOf(node, nodeId),
      takesAckRanges: (nodeId) => this.#byId.get(nodeId)?.plan.takesAckRanges ?? false,
    });
    for (const link of links) if (link.from === number) this.#dial(node, link);
  }

  #policyOf(node: SimNode, nodeId: bigint): SealingPolicy {
    const other = this.#byId.get(nodeId);
    if (!node.plan.isStrict || other?.plan.isSealing !== true) return { isRequired: false };
    return { isRequired: true, knownEntityId: other.identity.entityId };
  }

  #dial(node: SimNode, { to, via, form }: LinkPlan): void {
    const target = this.#node(to);
    node.dialer?.add({
      nodeId: target.identity.nodeId,
      noisePublicKey: target.keys.publicKey,
      addresses: [this.#node(via ?? to).address],
      forms: [form],
    });
  }

  #restart({ node: number, downMs }: RestartPlan): void {
    const node = this.#node(number);
    if (node.transport === undefined) return;
    // Some crash, some stop in good order.
    const isCrash = Math.round(downMs) % 2 === 0;
    this.#log.info("restarted", { node: number, down_ms: Math.round(downMs), crash: isCrash });
    if (isCrash) node.crash();
    else node.stop();
    this.#clock.after(downMs, () => this.#start(node));
  }

  #jump({ node, clock, ms }: JumpPlan): void {
    this.#log.info("clock_jumped", { node, clock, ms });
    if (clock === "own") this.#node(node).clock.jump(ms);
    else this.#node(node).clock.jumpWall(ms);
  }

  // --- Streams -----------------------------------------------------------------------------------

  #startStream(number: number, plan: StreamPlan): void {
    const { link, isReversed, count, bytesMax } = plan;
    const from = this.#node(isReversed ? link.to : link.from);
    const to = this.#node(isReversed ? link.from : link.to);
    if (!this.#isConnected(link)) {
      this.#skipped += 1;
      return;
    }
    const pauses = seededRandom(this.#plan.seed * 1_000 + 500 + number);
    this.#log.info("stream", { number, from: from.number, to: to.number, events: count });
    this.#run(from, to, {
      ...plan,
      name: `${number} (${from.number} to ${to.number})`,
      streamId: BigInt(1_000 + number),
      payloads: drawPayloads(this.#plan.seed * 1_000 + number, count, bytesMax),
      pause: () => this.#pauseNowAndThen(pauses),
    });
  }

  #pauseNowAndThen(random: () => number): Promise<void> {
    if (random() > 0.05) return Promise.resolve();
    return new Promise((resolve) => void this.#clock.after(random() * PAUSE_MS_MAX, resolve));
  }

  #run(from: SimNode, to: SimNode, options: StreamRunOptions): StreamRun {
    const { name } = options;
    const onEnd = (side: string, how: string) => {
      this.#log.info("stream_ended", { stream: name, side, how });
    };
    const run = new StreamRun({ ...options, onEnd });
    if (from.transport === undefined || to.transport === undefined) {
      throw new Error(`Cannot send stream ${run.name}: a node is down`);
    }
    this.#runs.push(run);
    run.start(from.transport, to.transport);
    return run;
  }

  /** Sends a little over every link both ways: now nothing is an excuse. */
  async #tryLinks(): Promise<void> {
    const runs = this.#plan.links.flatMap((link, number) =>
      this.#isConnected(link)
        ? this.#runBothWays(this.#node(link.from), this.#node(link.to), 5_000 + number)
        : []
    );
    await this.#judgeLast(runs);
  }

  /** Waits until routes have settled, and sends along some of them. */
  async #tryRoutes(): Promise<void> {
    await this.#clock.advance(ROUTES_MS);
    const { missing, distant } = checkRoutes(this.#nodes);
    this.#faults.push(...missing.map((pair) => `no route from ${pair}`));
    const random = seededRandom(this.#plan.seed ^ 0x707e);
    for (let i = 0; i < ROUTES_TRIED && distant.length > 0; i++) {
      const pair = distant[Math.floor(random() * distant.length)] as DistantPair;
      const { from, to, via, hops } = pair;
      const name = `${from.number} to ${to.number}, ${hops} hops by ${via.number}`;
      // The session of an earlier pair may have joined them.
      if (from.transport?.peer(to.identity.nodeId) !== undefined) continue;
      this.#log.info("route_tried", { route: name });
      if (!await this.#connectBy(pair)) {
        this.#faults.push(
          `route from ${name}: nobody answers: ${this.#trace(from, to)}; ${this.#trace(to, from)}`,
        );
      } else await this.#judgeLast(this.#runBothWays(from, to, 9_000 + i));
      this.#routesUsed += 1;
    }
  }

  /** The nodes that a packet would pass. */
  #trace(from: SimNode, to: SimNode): string {
    const numbers = [from.number];
    for (let at = from; at !== to && numbers.length < 10;) {
      const route = at.transport?.routes().find(({ nodeId }) => nodeId === to.identity.nodeId);
      const next = this.#byId.get(route?.via ?? -1n);
      if (next === undefined) return `${numbers.join(" > ")} and no further`;
      numbers.push(next.number);
      at = next;
    }
    return numbers.join(" > ");
  }

  async #connectBy({ from, to, via }: DistantPair): Promise<boolean> {
    const dialled = from.transport?.dial({
      nodeId: to.identity.nodeId,
      noisePublicKey: to.keys.publicKey,
      addresses: [via.address],
      form: "routed",
    }, 1_000);
    let outcome: boolean | undefined;
    dialled?.then(() => outcome = true, () => outcome = false);
    await this.#clock.advanceUntil(() => outcome !== undefined, 6_000);
    return outcome === true;
  }

  #runBothWays(left: SimNode, right: SimNode, streamId: number): StreamRun[] {
    const options = {
      streamId: BigInt(streamId),
      windowBytes: 65_536,
      isOrdered: streamId % 2 === 0,
      isBatched: false,
      payloads: drawPayloads(streamId, 20, 400),
    };
    const name = `last ${left.number} to ${right.number}`;
    return [
      this.#run(left, right, { ...options, name }),
      this.#run(right, left, { ...options, name: `${name}, back` }),
    ];
  }

  async #judgeLast(runs: readonly StreamRun[]): Promise<void> {
    await this.#clock.advanceUntil(() => runs.every((run) => run.sender !== "pending"), 12_000);
    for (const run of runs) {
      const isFine = run.sender === "done" && run.isComplete && run.faults().length === 0;
      if (isFine) continue;
      this.#faults.push(`stream ${run.name}: on a perfect network: ${run.describe()}`);
    }
  }

  // --- Judgement ---------------------------------------------------------------------------------

  async #checkTables(): Promise<void> {
    // Of what was replaced in the storm nothing is left then, nor of handshakes that came to nothing.
    // Waiting so long costs large networks millions of heartbeats.
    const isPatient = this.#nodes.length <= PATIENT_NODES_MAX;
    if (isPatient) await this.#clock.advance(UNCONFIRMED_MS + SWEEP_MS);
    const others = this.#nodes.length - 1;
    for (const { number, transport } of this.#nodes) {
      if (transport === undefined) continue;
      const { peers, sessions, routes, nodes, edges, waiting } = transport.tableSizes();
      const sizes = { peers, sessions: isPatient ? sessions : 0, routes, nodes };
      for (const [table, size] of Object.entries(sizes)) {
        if (size > others) this.#faults.push(`node ${number}: ${size} ${table}, ${others} exist`);
      }
      if (edges > others * (others + 1)) this.#faults.push(`node ${number}: ${edges} edges`);
      if (waiting > 0) this.#faults.push(`node ${number}: ${waiting} packets wait to leave`);
    }
  }

  #isConnected({ from, to }: LinkPlan): boolean {
    const isUp = (state?: string) => state === "connected" || state === "suspected";
    return isUp(this.#sees(from, to)?.state) && isUp(this.#sees(to, from)?.state);
  }

  /** What one node knows of another. */
  #sees(from: number, to: number) {
    return this.#node(from).transport?.peer(this.#node(to).identity.nodeId);
  }

  #show({ from, to }: LinkPlan): string {
    const show = (left: number, right: number) => {
      const peer = this.#sees(left, right);
      return peer === undefined
        ? "unknown"
        : `${peer.state}, idle ${Math.round(peer.idleMs)} ms${peer.isRelayed ? ", relayed" : ""}`;
    };
    return `${from} sees ${show(from, to)}; ${to} sees ${show(to, from)}; ids ${
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

function linkName({ from, to, via }: LinkPlan): string {
  return via === undefined ? `${from}>${to}` : `${from}>${to} via ${via}`;
}
