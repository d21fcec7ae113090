/** Tells the transport of silent peers, once where many transfers notice the same silence. */
import type { Clock } from "../base/mod.ts";
import type { MeshLink } from "../core/transport/mod.ts";
import { REPUTATIONS_MAX, SILENCE_REPORT_MS } from "./limits.ts";

/** Thins out reports of silence. */
export class SilenceReporter {
  readonly #link: MeshLink;
  readonly #clock: Clock;
  readonly #reportedMs = new Map<bigint, number>();

  constructor(deps: { readonly link: MeshLink; readonly clock: Clock }) {
    this.#link = deps.link;
    this.#clock = deps.clock;
  }

  /** Reports a peer, unless that was done a moment ago: a second report would cut the probe short. */
  report(peer: bigint): void {
    const nowMs = this.#clock.now();
    if (nowMs - (this.#reportedMs.get(peer) ?? -Infinity) < SILENCE_REPORT_MS) return;
    if (this.#reportedMs.size >= REPUTATIONS_MAX) this.#reportedMs.clear();
    this.#reportedMs.set(peer, nowMs);
    this.#link.reportSilence(peer);
  }
}
