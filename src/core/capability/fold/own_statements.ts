/**
 * What this node says itself, and when it says it again (`capabilities.md` 11).
 *
 * Pure: the caller sends what it is handed. Generations follow the clock, so that a restart does not fall
 * behind what peers remember. A statement is repeated three times within its life, so that two losses in
 * a row do not end it; that something is free is said once, because the state machine takes it once.
 */
import { type Clock, NetError } from "../../../base/mod.ts";
import type { Identity } from "../../crypto/mod.ts";
import type { FoldKey } from "./entry.ts";
import type { AnyFoldEnvelope, FoldPayloads } from "./envelope.ts";
import { signFoldEnvelope } from "./envelope_signature.ts";
import { FOLD_KIND_FACTS, type FoldKindNumber } from "./kinds.ts";
import { OWN_ENTRIES_MAX } from "./limits.ts";
import { foldKey } from "./rules.ts";

/** A statement before it is signed. */
export type FoldStatement = {
  [Kind in FoldKindNumber]: {
    readonly kind: Kind;
    readonly classHash: bigint;
    readonly payload: FoldPayloads[Kind];
    /** The kind's own life when left out. */
    readonly ttlSeconds?: number;
  };
}[FoldKindNumber];

/** What {@linkcode OwnStatements} needs. */
export interface OwnStatementsDeps {
  readonly clock: Clock;
  readonly identity: Identity;
}

interface Own {
  envelope: AnyFoldEnvelope;
  repeatAt: number;
}

const REPEATS_PER_LIFE = 3;
const US_PER_MS = 1000;
/** Life of a statement that takes another back. */
const WITHDRAWAL_SECONDS = 1;

/** The statements of this node that stand. */
export class OwnStatements {
  readonly #deps: OwnStatementsDeps;
  readonly #own = new Map<string, Own>();
  #generation = 0n;

  constructor(deps: OwnStatementsDeps) {
    this.#deps = deps;
  }

  /** Statements that are kept up. */
  get size(): number {
    return this.#own.size;
  }

  /**
   * The statement signed, with a new generation; nothing is kept of it yet, because the node's own fold
   * may reject it.
   *
   * @throws RangeError when nobody would accept it.
   * @throws NetError `limit` when it does not fit in one event.
   */
  sign(statement: FoldStatement): AnyFoldEnvelope {
    const { clock, identity } = this.#deps;
    const wallMs = clock.wallMs();
    const byClock = BigInt(Math.floor(wallMs));
    this.#generation = byClock > this.#generation ? byClock : this.#generation + 1n;
    return signFoldEnvelope({
      ...statement,
      nodeId: identity.nodeId,
      generation: this.#generation,
      announcedAtUs: BigInt(Math.round(wallMs * US_PER_MS)),
      ttlSeconds: statement.ttlSeconds,
      flags: 0,
      signature: undefined,
    }, identity);
  }

  /**
   * Makes sure that a signed statement can be kept up. One that takes another's place, or is not kept up,
   * needs no room.
   *
   * @throws NetError `limit` when there are as many of its kind as peers would take.
   */
  requireRoom(envelope: AnyFoldEnvelope): void {
    const { kind } = envelope;
    if (!isRepeated(envelope) || this.#own.has(nameOf(kind, foldKey(envelope)))) return;
    let count = 0;
    for (const { envelope: own } of this.#own.values()) if (own.kind === kind) count += 1;
    if (count < OWN_ENTRIES_MAX[kind]) return;
    throw new NetError(
      "limit",
      `Cannot keep up ${FOLD_KIND_FACTS[kind].name} entry: there are ${count}, must be at most ` +
        `${OWN_ENTRIES_MAX[kind]}`,
      { next: "end one that is not needed any more" },
    );
  }

  /** Keeps a signed statement up from now on, in the place of an earlier one on the same thing. */
  keep(envelope: AnyFoldEnvelope): void {
    if (!isRepeated(envelope)) this.drop(envelope);
    else {
      const repeatAt = this.#deps.clock.now() + pauseOf(envelope);
      this.#own.set(nameOf(envelope.kind, foldKey(envelope)), { envelope, repeatAt });
    }
  }

  /** Keeps a statement up no longer, without a word. */
  drop(envelope: AnyFoldEnvelope): void {
    this.#own.delete(nameOf(envelope.kind, foldKey(envelope)));
  }

  /** The statement that takes back what was said on a thing, signed; `undefined` when nothing was. */
  withdraw(kind: FoldKindNumber, key: FoldKey): AnyFoldEnvelope | undefined {
    const name = nameOf(kind, key);
    const own = this.#own.get(name);
    if (own === undefined) return undefined;
    this.#own.delete(name);
    return this.sign({ ...own.envelope, ttlSeconds: WITHDRAWAL_SECONDS });
  }

  /** Everything that stands, as it was signed last: for a peer that is new. */
  standing(): readonly AnyFoldEnvelope[] {
    return [...this.#own.values()].map((own) => own.envelope);
  }

  /** Statements that are to be said again now, signed anew; what ran out is dropped. */
  due(): readonly AnyFoldEnvelope[] {
    const { clock } = this.#deps;
    const nowMs = clock.now();
    const due: AnyFoldEnvelope[] = [];
    for (const [name, own] of this.#own) {
      if (own.repeatAt > nowMs) continue;
      if (isOver(own.envelope, clock.wallMs())) {
        this.#own.delete(name);
        continue;
      }
      own.envelope = this.sign(own.envelope);
      own.repeatAt = nowMs + pauseOf(own.envelope);
      due.push(own.envelope);
    }
    return due;
  }
}

function nameOf(kind: FoldKindNumber, key: FoldKey): string {
  return `${kind}/${key}`;
}

function pauseOf({ kind, ttlSeconds }: AnyFoldEnvelope): number {
  return (ttlSeconds ?? FOLD_KIND_FACTS[kind].ttlSeconds) * 1000 / REPEATS_PER_LIFE;
}

function isRepeated(envelope: AnyFoldEnvelope): boolean {
  return envelope.kind !== 3 || envelope.payload.state.kind !== "free";
}

/** A reservation is not kept up beyond the time it is for. */
function isOver(envelope: AnyFoldEnvelope, wallMs: number): boolean {
  if (envelope.kind !== 3) return false;
  const { state } = envelope.payload;
  return state.kind === "reserved" && state.untilUs <= BigInt(Math.round(wallMs * US_PER_MS));
}
