/**
 * The conversation of a punch (0x0D01): asking a coordinator, being introduced, acks, and this node's own
 * part as coordinator (`nrpc.md` 16).
 *
 * Messages are tied to sessions, never to what they say: an introduction to a peer this node asked for
 * counts only on the session of the coordinator it asked, an ack only from the peer itself or through
 * that coordinator, which has checked the same. Everything else is dropped and counted.
 */
import { type Clock, idToHex, type RandomBytes } from "../../../base/mod.ts";
import { isSameAddress } from "../address.ts";
import { type PunchCoordinator, RejectReason } from "./coordinator.ts";
import type { NatCounters } from "./counters.ts";
import {
  CONNECTS_MAX,
  PUNCH_DEADLINE_MS,
  PUNCH_PEERS_MAX,
  PUNCH_WINDOW_MS,
  PUNCHES_PER_WINDOW,
} from "./limits.ts";
import type { Puncher, PunchTrain } from "./puncher.ts";
import { RequestWindow } from "./request_window.ts";
import { NatError } from "./types.ts";
import type { SocketAddress } from "../types.ts";
import { decodeRendezvous, type Rendezvous } from "../wire/nat_frames.ts";

/** What {@linkcode RendezvousPlane} needs. */
export interface RendezvousPlaneDeps {
  readonly nodeId: bigint;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly counters: NatCounters;
  readonly coordinator: PunchCoordinator;
  readonly puncher: Puncher;
  /** Sends a message on the session of a peer; false when it did not leave. */
  readonly send: (to: bigint, message: Rendezvous) => boolean;
}

/** A request of ours that waits for its answer. */
interface Asked {
  readonly coordinator: bigint;
  readonly punchId: number;
  readonly settle: (outcome: PunchTrain | NatError) => void;
}

/** A request without an answer is made once more after this. */
const REQUEST_REPEAT_MS = 1_000;

type Introduce = Extract<Rendezvous, { readonly kind: "introduce" }>;
type Ack = Extract<Rendezvous, { readonly kind: "ack" }>;
type Reject = Extract<Rendezvous, { readonly kind: "reject" }>;

/** Speaks rendezvous with peers. */
export class RendezvousPlane {
  readonly #deps: RendezvousPlaneDeps;
  readonly #introductions = new RequestWindow({
    max: PUNCHES_PER_WINDOW,
    windowMs: PUNCH_WINDOW_MS,
    idsMax: PUNCH_PEERS_MAX,
  });
  /** Requests of ours by the peer they are for. */
  readonly #asked = new Map<bigint, Asked>();
  /** Peers being punched towards, and who introduced them. */
  readonly #introducedBy = new Map<bigint, bigint>();

  constructor(deps: RendezvousPlaneDeps) {
    this.#deps = deps;
  }

  /**
   * Asks `coordinator` for an introduction to `peer`; once more after a second without an answer.
   *
   * @param ownReflex Where this node is to be punched at; its host has to be the one the coordinator sees.
   * @returns The train that was begun with it.
   * @throws NatError `rendezvous-rejected` when refused, `punch-failed` without an answer in 5 s,
   * `transport` when the coordinator has no session; the signal's reason when it is aborted.
   */
  ask(
    peer: bigint,
    coordinator: bigint,
    ownReflex: SocketAddress,
    signal: AbortSignal,
  ): Promise<PunchTrain> {
    const { clock, random, counters, send } = this.#deps;
    signal.throwIfAborted();
    if (this.#asked.has(peer) || this.#asked.size >= CONNECTS_MAX) {
      throw new NatError("transport", "Cannot ask for an introduction: too many are under way");
    }
    const punchId = new DataView(random(4).buffer).getUint32(0);
    const request = { kind: "request", target: peer, punchId, selfReflex: ownReflex } as const;
    const isSent = send(coordinator, request);
    const who = `node ${idToHex(coordinator)}`;
    if (!isSent) {
      throw new NatError("transport", `Cannot ask ${who} for an introduction: no session with it`);
    }
    const { promise, resolve, reject } = Promise.withResolvers<PunchTrain>();
    const finish = () => {
      cancel();
      cancelRepeat();
      signal.removeEventListener("abort", onAbort);
      this.#asked.delete(peer);
    };
    const onAbort = () => {
      finish();
      reject(signal.reason);
    };
    // Messages are not repeated by themselves; the coordinator's budget has room for a second one.
    const cancelRepeat = clock.after(REQUEST_REPEAT_MS, () => void send(coordinator, request));
    const cancel = clock.after(PUNCH_DEADLINE_MS, () => {
      finish();
      counters.punch_timeouts += 1;
      reject(new NatError("punch-failed", `Cannot be introduced by ${who}: no answer`));
    });
    signal.addEventListener("abort", onAbort, { once: true });
    this.#asked.set(peer, {
      coordinator,
      punchId,
      settle: (outcome) => {
        finish();
        if (outcome instanceof NatError) reject(outcome);
        else resolve(outcome);
      },
    });
    return promise;
  }

  /** Takes one message that came on the session of `from`. */
  receive(from: bigint, bytes: Uint8Array): void {
    const message = decodeRendezvous(bytes);
    switch (message?.kind) {
      case "request":
        this.#deps.coordinator.onRequest(from, message);
        break;
      case "introduce":
        this.#onIntroduce(from, message);
        break;
      case "ack":
        this.#onAck(from, message);
        break;
      case "reject":
        this.#onReject(from, message);
        break;
      default:
        this.#deps.counters.drop_malformed_total += 1;
    }
  }

  /** Gives up what was asked. */
  stop(): void {
    for (const { settle } of [...this.#asked.values()]) {
      settle(new NatError("transport", "Cannot be introduced: the node is stopping"));
    }
    this.#introducedBy.clear();
  }

  #onIntroduce(from: bigint, introduce: Introduce): void {
    const { clock, counters, nodeId } = this.#deps;
    const asked = this.#asked.get(introduce.peer);
    if (asked !== undefined) {
      if (asked.coordinator !== from) {
        counters.peer_auth_rejections_total += 1;
        return;
      }
      const train = this.#punch(from, introduce, true);
      const busy = new NatError("punch-failed", "Cannot punch: too many punches are under way");
      asked.settle(train ?? busy);
      return;
    }
    const sought = this.#deps.puncher.askedReflex(introduce.peer);
    if (sought !== undefined && !isSameAddress(sought, introduce.peerReflex)) {
      // The peer is punched at where the coordinator that was asked says, whatever others say meanwhile.
      counters.drop_stale_total += 1;
      return;
    }
    const isAllowed = introduce.peer !== nodeId && introduce.peerReflex.port !== 0 &&
      this.#introductions.take(from, clock.now());
    if (!isAllowed || this.#punch(from, introduce, sought !== undefined) === undefined) {
      counters.drop_introduction_limit_total += 1;
    }
  }

  #punch(coordinator: bigint, introduce: Introduce, isAsked: boolean): PunchTrain | undefined {
    const { counters, puncher, send, nodeId } = this.#deps;
    const { peer, peerReflex, fireAtMs } = introduce;
    const introduction = { peer, reflex: peerReflex, fireAtMs: Number(fireAtMs), isAsked };
    const train = puncher.begin(introduction, () => {
      const ack: Ack = { kind: "ack", fromPeer: nodeId, toPeer: peer, punchId: 0 };
      if (send(coordinator, ack)) counters.acks_sent_total += 1;
    });
    if (train === undefined) return undefined;
    counters.introductions_followed_total += 1;
    this.#rememberIntroducer(peer, coordinator);
    return train;
  }

  #onAck(from: bigint, ack: Ack): void {
    const { counters, coordinator, nodeId } = this.#deps;
    if (ack.toPeer !== nodeId) {
      coordinator.onAck(from, ack);
      return;
    }
    const introducer = this.#introducedBy.get(ack.fromPeer);
    if (ack.fromPeer !== from && introducer !== from) counters.peer_auth_rejections_total += 1;
    else if (introducer === undefined) counters.drop_stale_total += 1;
    else counters.acks_received_total += 1;
  }

  #onReject(from: bigint, reject: Reject): void {
    const { counters } = this.#deps;
    const asked = this.#asked.get(reject.target);
    if (asked === undefined) {
      counters.drop_stale_total += 1;
    } else if (asked.coordinator !== from) {
      counters.peer_auth_rejections_total += 1;
    } else if (asked.punchId !== reject.punchId) {
      counters.drop_stale_total += 1;
    } else {
      counters.punch_rejections += 1;
      const reason = describeReject(reject.reason);
      asked.settle(
        new NatError(
          "rendezvous-rejected",
          `Cannot be introduced: the coordinator says ${reason}`,
          {
            data: { reason: reject.reason },
          },
        ),
      );
    }
  }

  #rememberIntroducer(peer: bigint, coordinator: bigint): void {
    this.#introducedBy.delete(peer);
    if (this.#introducedBy.size >= CONNECTS_MAX) {
      const [oldest] = this.#introducedBy.keys();
      if (oldest !== undefined) this.#introducedBy.delete(oldest);
    }
    this.#introducedBy.set(peer, coordinator);
  }
}

/** The reason of a refusal in words. */
function describeReject(reason: number): string {
  switch (reason) {
    case RejectReason.RateLimited:
      return "too many requests";
    case RejectReason.UnknownReflex:
      return "the peer announced no address";
    case RejectReason.NoSession:
      return "it has no session with the peer";
    case RejectReason.ReflexMismatch:
      return "it sees this node at another address than stated";
    default:
      return `no (reason ${reason})`;
  }
}
