/**
 * Sends statements of folds: this node's to every peer, others' on their way (`docs/folds.md`).
 *
 * Only to those that they may reach. Many peers are told a slice at a time, because all at once would be
 * a burst that drowns other packets.
 */
import type { Clock } from "../base/mod.ts";
import {
  type AnyFoldEnvelope,
  encodeFoldEnvelope,
  type FoldForward,
  type FoldReach,
  SUBPROTOCOL_FOLD,
  SUBPROTOCOL_FOLD_RELAY,
} from "../core/capability/mod.ts";
import type { MeshTransport } from "../core/transport/mod.ts";

/** What {@linkcode FoldSender} needs. */
export interface FoldSenderDeps {
  readonly clock: Clock;
  readonly transport: MeshTransport;
  readonly reach: FoldReach;
  /** True for a peer that takes what others said. */
  takesRelayed(peer: bigint): boolean;
}

const STREAM_ID = BigInt(SUBPROTOCOL_FOLD);
const RELAY_STREAM_ID = BigInt(SUBPROTOCOL_FOLD_RELAY);
/** Messages that leave in one go, and the pause until the next ones do: 12,800 a second. */
const SLICE = 64;
const PAUSE_MS = 5;
/** Messages that wait, five seconds of them: 16 entries for each of 4,096 peers. What is lost is said again. */
const WAITING_MAX = 65_536;

/** A statement and what is sent of it, to however many. */
interface Statement {
  readonly envelope: AnyFoldEnvelope;
  readonly bytes: Uint8Array;
}

interface Waiting {
  readonly peer: bigint;
  readonly bytes: Uint8Array;
}

/** The way of statements out of this node. */
export class FoldSender {
  readonly #deps: FoldSenderDeps;
  #waiting: Waiting[] = [];
  #cancel: (() => void) | undefined;
  /** Statements that left, one per peer. */
  sentTotal = 0;
  passedOnTotal = 0;
  /** Too many waited. */
  droppedTotal = 0;

  constructor(deps: FoldSenderDeps) {
    this.#deps = deps;
  }

  /** Says this node's statements to every peer. */
  broadcast(envelopes: readonly AnyFoldEnvelope[]): void {
    const statements = envelopes.map(toStatement);
    for (const peer of this.#deps.transport.connectedPeers()) this.#queue(peer, statements);
    this.#flush();
  }

  /** Says this node's statements to one peer. */
  push(peer: bigint, envelopes: readonly AnyFoldEnvelope[]): void {
    this.#queue(peer, envelopes.map(toStatement));
    this.#flush();
  }

  /** Passes on a statement that came from `from`. */
  passOn({ bytes, kind, publisher, turn }: FoldForward, from: bigint): void {
    const { transport, reach } = this.#deps;
    for (const peer of transport.passOnTo(publisher, from, turn)) {
      if (!this.#deps.takesRelayed(peer) || !reach.mayReach(kind, publisher, peer)) continue;
      transport.sendMessage(peer, SUBPROTOCOL_FOLD_RELAY, RELAY_STREAM_ID, bytes);
      this.passedOnTotal += 1;
    }
  }

  /** Sends nothing any more. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#waiting = [];
  }

  #queue(peer: bigint, statements: readonly Statement[]): void {
    const { reach } = this.#deps;
    for (const { envelope, bytes } of statements) {
      if (!reach.mayReach(envelope.kind, envelope.nodeId, peer)) continue;
      if (this.#waiting.length >= WAITING_MAX) this.droppedTotal += 1;
      else this.#waiting.push({ peer, bytes });
    }
  }

  #flush(): void {
    if (this.#cancel !== undefined) return;
    const { clock, transport } = this.#deps;
    const slice = this.#waiting.splice(0, SLICE);
    for (const { peer, bytes } of slice) {
      if (transport.sendMessage(peer, SUBPROTOCOL_FOLD, STREAM_ID, bytes)) this.sentTotal += 1;
    }
    if (this.#waiting.length === 0) return;
    this.#cancel = clock.after(PAUSE_MS, () => {
      this.#cancel = undefined;
      this.#flush();
    });
  }
}

function toStatement(envelope: AnyFoldEnvelope): Statement {
  return { envelope, bytes: encodeFoldEnvelope(envelope) };
}
