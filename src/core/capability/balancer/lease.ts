/** One call to a picked endpoint, from the pick to its end. */
import type { Endpoint } from "./endpoint.ts";

/** How a call ended. */
export type CallOutcome = "success" | "failure" | "abandoned";

/** A place at an endpoint; it must be ended once, and counts as under way until then. */
export class Lease {
  readonly #endpoint: Endpoint;
  readonly #end: (endpoint: Endpoint, lease: Lease, outcome: CallOutcome) => void;
  #isOpen = true;

  constructor(
    endpoint: Endpoint,
    /** Lets an endpoint show that it works again. */
    readonly isProbe: boolean,
    readonly startedAt: number,
    end: (endpoint: Endpoint, lease: Lease, outcome: CallOutcome) => void,
  ) {
    this.#endpoint = endpoint;
    this.#end = end;
  }

  /** Node to call. */
  get nodeId(): bigint {
    return this.#endpoint.nodeId;
  }

  /** True when the endpoint was taken away since the pick: pick again. */
  get isRemoved(): boolean {
    return this.#endpoint.isRemoved;
  }

  /** The call went well. */
  succeed(): void {
    this.#close("success");
  }

  /** The endpoint did not do what it should. */
  fail(): void {
    this.#close("failure");
  }

  /** The call was not made, or its end says nothing about the endpoint. */
  abandon(): void {
    this.#close("abandoned");
  }

  #close(outcome: CallOutcome): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#end(this.#endpoint, this, outcome);
  }
}
