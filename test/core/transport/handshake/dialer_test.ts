import assert from "node:assert/strict";
import { Dialer, type DialTransport } from "../../../../src/core/transport/handshake/dialer.ts";
import type { HandshakeTarget } from "../../../../src/core/transport/handshake/handshake_types.ts";
import {
  HANDSHAKE_PATIENCE_MS,
  PEERS_MAX,
  SEALED_RENEW_MS,
} from "../../../../src/core/transport/limits.ts";
import type { DialTarget, PeerState } from "../../../../src/core/transport/mod.ts";
import { createLog } from "../../../../src/observe/mod.ts";
import { ManualClock } from "../../../sim/manual_clock.ts";

const HEARTBEAT_MS = 1_000;
const NODE = 7n;

interface Dial {
  readonly at: number;
  readonly form: string;
  readonly patienceMs: number;
}

/** A transport whose one peer is as the test wants it. */
class FakeTransport implements DialTransport {
  readonly heartbeatMs = HEARTBEAT_MS;
  readonly dials: Dial[] = [];
  readonly targets: HandshakeTarget[] = [];
  readonly probes: number[] = [];
  /** What becomes of an attempt; it fails after its patience when there is nothing. */
  onDial: ((target: HandshakeTarget) => void) | undefined;
  /** What an answered probe does. */
  onProbe: () => void = () => {};
  state: PeerState | undefined;
  heardAt = 0;
  /** When a sealed session opened; there is none when left out. */
  sealedAt: number | undefined;
  streams = 0;
  readonly #start: number;
  #silence: ((peer: bigint) => void) | undefined;

  constructor(readonly clock: ManualClock) {
    this.#start = clock.now();
  }

  peer(nodeId: bigint): ReturnType<DialTransport["peer"]> {
    if (this.state === undefined || nodeId !== NODE) return undefined;
    return {
      nodeId,
      address: { host: "10.0.0.1", port: 1 },
      state: this.state,
      form: "routed",
      isRelayed: false,
      isSealed: this.sealedAt !== undefined,
      hasDouble: false,
      sessionAgeMs: this.clock.now() - (this.sealedAt ?? this.clock.now()),
      streams: this.streams,
      initiator: true,
      rttMs: undefined,
      reflex: undefined,
      idleMs: this.clock.now() - this.heardAt,
      packetsSent: 0,
      packetsReceived: 0,
      bytesSent: 0,
      bytesReceived: 0,
    };
  }

  probe(): void {
    this.probes.push(this.clock.now() - this.#start);
    this.onProbe();
  }

  dial(target: HandshakeTarget, patienceMs: number, signal?: AbortSignal): Promise<void> {
    const { form } = target;
    this.targets.push(target);
    this.dials.push({ at: this.clock.now() - this.#start, form, patienceMs });
    const answer = this.onDial;
    if (answer !== undefined) return Promise.resolve(answer(target));
    return new Promise((_, reject) => {
      const cancel = this.clock.after(patienceMs, () => reject(new Error("no answer")));
      signal?.addEventListener("abort", () => {
        cancel();
        reject(signal.reason);
      });
    });
  }

  onSilence(handler: (peer: bigint) => void): () => void {
    this.#silence = handler;
    return () => void (this.#silence = undefined);
  }

  report(nodeId = NODE): void {
    this.#silence?.(nodeId);
  }

  /** The peer is there and was just heard of. */
  connect(): void {
    this.state = "connected";
    this.heardAt = this.clock.now();
  }

  /** The peer is heard of all the time from now on. */
  beat(): void {
    this.heardAt = this.clock.now();
    this.clock.after(HEARTBEAT_MS, () => this.beat());
  }
}

function targetOf(nodeId = NODE, forms: DialTarget["forms"] = ["routed"]): DialTarget {
  return {
    nodeId,
    noisePublicKey: new Uint8Array(32),
    addresses: [{ host: "10.0.0.1", port: 1 }],
    forms,
  };
}

function create() {
  const clock = new ManualClock();
  const transport = new FakeTransport(clock);
  const lines: string[] = [];
  const log = createLog({ level: "warn", format: "text", write: (line) => lines.push(line) });
  const dialer = new Dialer({ transport, clock, log });
  return { clock, transport, lines, dialer };
}

Deno.test("Dialer dials at once and leaves a connected peer alone", async () => {
  const { clock, transport, dialer } = create();
  transport.onDial = () => {
    transport.connect();
    transport.beat();
  };
  dialer.add(targetOf());
  await clock.advance(60_000);
  assert.equal(transport.dials.length, 1);
  assert.deepEqual(transport.dials[0], {
    at: 0,
    form: "routed",
    patienceMs: HANDSHAKE_PATIENCE_MS[0],
  });
  assert.deepEqual(transport.probes, []);
  const [state] = dialer.targets();
  assert.deepEqual([state?.isConnected, state?.failures], [true, 0]);
  dialer.stop();
});

Deno.test("Dialer tries the forms in turn, more patiently and with growing pauses", async () => {
  const { clock, transport, dialer } = create();
  dialer.add(targetOf(NODE, ["direct", "routed"]));
  await clock.advance(40_000);
  const { dials } = transport;
  assert.deepEqual(dials.slice(0, 5).map(({ form }) => form), [
    "direct",
    "routed",
    "direct",
    "routed",
    "direct",
  ]);
  assert.deepEqual(dials.slice(0, 5).map(({ patienceMs }) => patienceMs), [
    500,
    1_000,
    2_000,
    2_000,
    2_000,
  ]);
  const pauses = dials.slice(1).map(({ at }, i) => {
    const before = dials[i] ?? assert.fail();
    return at - before.at - before.patienceMs;
  });
  assert.deepEqual(pauses.slice(0, 4), [100, 200, 300, 400]);
  assert.ok(pauses.every((pauseMs) => pauseMs <= 1_500));
  dialer.stop();
});

Deno.test("Dialer tells the operator once, and counts from the last session", async () => {
  const { clock, transport, lines, dialer } = create();
  dialer.add(targetOf());
  await clock.advance(30_000);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /warn peer_unreachable peer=0000000000000007 hint=/);
  assert.ok((dialer.targets()[0]?.failures ?? 0) > 3);
  transport.onDial = () => {
    transport.connect();
    transport.beat();
  };
  await clock.advance(5_000);
  assert.equal(dialer.targets()[0]?.failures, 0);
  dialer.stop();
});

Deno.test("Dialer leaves it at that when the peer dials meanwhile", async () => {
  const { clock, transport, dialer } = create();
  dialer.add(targetOf());
  await clock.advance(100);
  transport.connect();
  transport.beat();
  await clock.advance(30_000);
  assert.equal(transport.dials.length, 1);
  assert.equal(dialer.targets()[0]?.failures, 0);
  dialer.stop();
});

Deno.test("Dialer pauses when a handshake ends well and leaves no session", async () => {
  const { clock, transport, dialer } = create();
  transport.onDial = () => {};
  dialer.add(targetOf());
  await clock.advance(5_000);
  // As after any other failure.
  assert.deepEqual(transport.dials.slice(0, 5).map(({ at }) => at), [0, 100, 300, 600, 1_000]);
  dialer.stop();
});

Deno.test("Dialer probes a silent peer before it dials again", async () => {
  const { clock, transport, dialer } = create();
  transport.onDial = () => transport.connect();
  transport.onProbe = () => {
    clock.after(5, () => void (transport.heardAt = clock.now()));
  };
  dialer.add(targetOf());
  await clock.advance(20_000);
  assert.ok(transport.probes.length >= 5);
  assert.equal(transport.dials.length, 1);
  transport.onProbe = () => {};
  await clock.advance(HEARTBEAT_MS * 2.2 + 500 + 400 + 5);
  assert.equal(transport.dials.length, 2);
  assert.ok((transport.dials[1]?.at ?? 0) >= (transport.probes.at(-1) ?? 0) + 400);
  dialer.stop();
});

Deno.test("Dialer dials a peer that failed, without a probe", async () => {
  const { clock, transport, dialer } = create();
  transport.onDial = () => transport.connect();
  dialer.add(targetOf());
  await clock.advance(100);
  transport.state = "failed";
  await clock.advance(500);
  assert.equal(transport.dials.length, 2);
  assert.deepEqual(transport.probes, []);
  dialer.stop();
});

Deno.test("a report of silence makes the dialer look at once", async () => {
  const { clock, transport, dialer } = create();
  transport.onDial = () => transport.connect();
  dialer.add(targetOf());
  await clock.advance(600);
  transport.report();
  await clock.advance(0);
  assert.equal(transport.probes.length, 1);
  await clock.advance(400);
  assert.equal(transport.dials.length, 2);
  dialer.stop();
});

Deno.test("more reports during a probe do not cut it short", async () => {
  const { clock, transport, dialer } = create();
  transport.onDial = () => transport.connect();
  dialer.add(targetOf());
  await clock.advance(600);
  // Busy, not gone: the answer takes a while.
  transport.onProbe = () => {
    clock.after(300, () => void (transport.heardAt = clock.now()));
  };
  for (let i = 0; i < 10; i++) {
    transport.report();
    await clock.advance(20);
  }
  await clock.advance(1_000);
  assert.equal(transport.dials.length, 1);
  assert.ok(transport.probes.length <= 2);
  dialer.stop();
});

Deno.test("a report of silence of another peer only probes it", async () => {
  const { clock, transport, dialer } = create();
  transport.report(8n);
  await clock.advance(1_000);
  assert.equal(transport.probes.length, 1);
  assert.deepEqual(transport.dials, []);
  dialer.stop();
  transport.report(8n);
  assert.equal(transport.probes.length, 1);
});

Deno.test("remove() and stop() end the loops at once", async () => {
  const { clock, transport, dialer } = create();
  dialer.add(targetOf());
  dialer.add(targetOf(8n));
  await clock.advance(100);
  assert.equal(transport.dials.length, 2);
  dialer.remove(NODE);
  dialer.remove(NODE);
  assert.deepEqual(dialer.targets().map(({ target }) => target.nodeId), [8n]);
  dialer.stop();
  dialer.stop();
  await clock.advance(60_000);
  assert.equal(transport.dials.length, 2);
  assert.deepEqual(dialer.targets(), []);
});

Deno.test("add() replaces the target of the same node", async () => {
  const { clock, transport, dialer } = create();
  dialer.add(targetOf(NODE, ["direct"]));
  await clock.advance(100);
  dialer.add(targetOf(NODE, ["routed"]));
  await clock.advance(10_000);
  assert.deepEqual(dialer.targets().length, 1);
  assert.ok(transport.dials.slice(1).every(({ form }) => form === "routed"));
  dialer.stop();
});

Deno.test("add() keeps a bounded number of targets", () => {
  const { transport, dialer } = create();
  for (let i = 0; i <= PEERS_MAX; i++) dialer.add(targetOf(1_000n + BigInt(i)));
  assert.equal(dialer.targets().length, PEERS_MAX);
  assert.equal(transport.dials.length, PEERS_MAX);
  dialer.stop();
});

Deno.test("learn() puts a new address first, among a bounded number of them, and keeps the oldest", async () => {
  const { clock, transport, dialer } = create();
  dialer.add(targetOf());
  dialer.learn(999n, { host: "10.0.0.9", port: 9 });
  for (let port = 2; port < 20; port++) dialer.learn(NODE, { host: "10.0.0.1", port });
  dialer.learn(NODE, { host: "10.0.0.1", port: 15 });
  await clock.advance(3_000);
  const ports = transport.targets.at(-1)?.addresses.map(({ port }) => port);
  assert.deepEqual(ports, [15, 19, 18, 17, 4, 3, 2, 1]);
  dialer.stop();
});

Deno.test("Dialer renews a sealed session after an hour, one with streams after two", async () => {
  for (const streams of [0, 1]) {
    const { clock, transport, dialer } = create();
    transport.onDial = () => {
      transport.connect();
      transport.sealedAt = clock.now();
    };
    transport.connect();
    transport.beat();
    transport.sealedAt = clock.now();
    transport.streams = streams;
    dialer.add(targetOf());
    const hours = streams === 0 ? 1 : 2;
    await clock.advance(hours * SEALED_RENEW_MS - 1_000);
    assert.equal(transport.dials.length, 0);
    await clock.advance(2_000);
    assert.equal(transport.dials.length, 1);
    dialer.stop();
  }
});
