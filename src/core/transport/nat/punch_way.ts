/**
 * One way to a peer: asking a coordinator for an introduction, opening the own NAT with keep-alives, and
 * shaking hands through the hole (`nrpc.md` 16).
 *
 * The handshake begins once a keep-alive of the peer was heard, or shortly after the first one of ours: it
 * opens the NAT as well as they do, and needs no word that it worked.
 */
import { type Clock, NetError } from "../../../base/mod.ts";
import { isSameAddress } from "../address.ts";
import { isDirect } from "./coordinators.ts";
import type { NatCounters } from "./counters.ts";
import { PUNCH_DEADLINE_MS } from "./limits.ts";
import type { MeshTransport } from "../mesh_transport.ts";
import type { OpenAttempt, PathLog } from "./path_log.ts";
import type { PunchTrain } from "./puncher.ts";
import type { RendezvousPlane } from "./rendezvous.ts";
import { NatError } from "./types.ts";
import type { SocketAddress } from "../types.ts";

/** What {@linkcode PunchWay} needs. */
export interface PunchWayDeps {
  readonly clock: Clock;
  readonly counters: NatCounters;
  readonly transport: Pick<MeshTransport, "dial" | "leaveRelay" | "peer" | "queryReflex">;
  readonly rendezvous: Pick<RendezvousPlane, "ask">;
  readonly own: () => { readonly reflex: SocketAddress | undefined };
  /** False where this node takes no part in punching. */
  readonly canPunch: () => boolean;
}

/** Whom to punch towards, and whom to ask. */
export interface PunchTarget {
  readonly peer: bigint;
  readonly noisePublicKey: Uint8Array;
  /** The best first. */
  readonly coordinators: readonly bigint[];
  /** False where a new session would end streams that are in use. */
  readonly mayReplace: boolean;
  readonly log: PathLog;
  readonly signal: AbortSignal;
}

/** Patience of the handshakes through a hole, one after the other until the train is over. */
const PATIENCE_MS: readonly number[] = [500, 1_000, 2_000];
/** The handshake follows the first keep-alive so much later, unless the peer's came before. */
const HEARD_PATIENCE_MS = 150;
const LOOK_MS = 25;
const REFLEX_MS = 1_000;

/** Punches. */
export class PunchWay {
  readonly #deps: PunchWayDeps;

  constructor(deps: PunchWayDeps) {
    this.#deps = deps;
  }

  /** Asks coordinators in turn until one introduces; true when the peer has a direct session now. */
  async run(target: PunchTarget): Promise<boolean> {
    const { counters, canPunch } = this.#deps;
    const { coordinators, log, signal } = target;
    if (!canPunch()) {
      log.skip("punch", "unsupported", "traversal is switched off on this node");
      return false;
    }
    if (coordinators.length === 0) {
      counters.rendezvous_no_relay += 1;
      log.skip("punch", "rendezvous-no-relay", "no peer could introduce the two");
      return false;
    }
    counters.punches_attempted += 1;
    for (const via of coordinators) {
      if (signal.aborted) return false;
      const attempt = log.begin("punch", { via });
      const train = await this.#ask(target, via, attempt);
      if (train === undefined) continue;
      return await this.#shakeHands(target, train, attempt);
    }
    return false;
  }

  async #ask(
    { peer, signal }: PunchTarget,
    via: bigint,
    attempt: OpenAttempt,
  ): Promise<PunchTrain | undefined> {
    const { transport, rendezvous, own } = this.#deps;
    try {
      // What this very coordinator sees is what it compares the stated address with.
      const reflex = await transport.queryReflex(via, REFLEX_MS).catch((error) => {
        const known = own().reflex;
        if (known !== undefined) return known;
        throw error;
      });
      const stated = own().reflex;
      const isSameHost = stated !== undefined && stated.host === reflex.host;
      return await rendezvous.ask(peer, via, isSameHost ? stated : reflex, signal);
    } catch (error) {
      attempt.failed(asNatError(error, signal));
      return undefined;
    }
  }

  async #shakeHands(
    { peer, noisePublicKey, mayReplace, signal }: PunchTarget,
    train: PunchTrain,
    attempt: OpenAttempt,
  ): Promise<boolean> {
    const { clock, counters, transport } = this.#deps;
    const deadline = train.introducedAt + PUNCH_DEADLINE_MS;
    while (
      !signal.aborted && train.heardFrom.length === 0 && !this.#isDirect(peer) &&
      clock.now() < train.firesAt + HEARD_PATIENCE_MS
    ) await this.#wait(LOOK_MS, signal);
    for (let number = 0; clock.now() < deadline && !signal.aborted; number++) {
      const holes = holesOf(train);
      if (this.#isDirect(peer) || await this.#leaveRelay(peer, holes, signal)) break;
      if (!mayReplace) {
        await this.#wait(LOOK_MS, signal);
        continue;
      }
      const patienceMs = PATIENCE_MS[Math.min(number, PATIENCE_MS.length - 1)] ?? LOOK_MS;
      try {
        await transport.dial(
          { nodeId: peer, noisePublicKey, addresses: holes, form: "routed" },
          Math.min(patienceMs, Math.max(LOOK_MS, deadline - clock.now())),
          signal,
        );
      } catch (error) {
        if (!(error instanceof NetError)) break;
        // Refused, or another attempt took over: not at once again.
        if (error.code !== "timeout") await this.#wait(LOOK_MS, signal);
      }
    }
    if (this.#isDirect(peer)) {
      counters.punches_succeeded += 1;
      attempt.connected("the hole opened", transport.peer(peer)?.address);
      return true;
    }
    counters.punch_timeouts += 1;
    const heard = train.heardFrom.length === 0
      ? "nothing came from the peer"
      : "the peer's packets come through, ours do not";
    attempt.failed(new NatError("punch-failed", `no hole opened: ${heard}`));
    return false;
  }

  /** Moves a relayed session to where the hole is, if it can be moved. */
  async #leaveRelay(
    peer: bigint,
    holes: readonly SocketAddress[],
    signal: AbortSignal,
  ): Promise<boolean> {
    for (const hole of holes) {
      if (signal.aborted) return false;
      if (await this.#deps.transport.leaveRelay(peer, hole)) return true;
    }
    return false;
  }

  #isDirect(peer: bigint): boolean {
    const there = this.#deps.transport.peer(peer);
    return there !== undefined && isDirect(there);
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        signal.removeEventListener("abort", end);
        resolve();
      };
      const cancel = this.#deps.clock.after(ms, end);
      signal.addEventListener("abort", end, { once: true });
    });
  }
}

/** Where the peer may be reached: where its keep-alives came from, and as introduced. */
function holesOf({ reflex, heardFrom }: PunchTrain): SocketAddress[] {
  const others = heardFrom.filter((hole) => !isSameAddress(hole, reflex));
  return others.length < heardFrom.length ? [reflex, ...others] : [...others, reflex];
}

function asNatError(error: unknown, signal: AbortSignal): NatError {
  if (error instanceof NatError) return error;
  if (signal.aborted) return new NatError("punch-failed", "no time was left");
  return new NatError("transport", error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}
