/** What a service is to the supervisor. */

/** How a service says it is doing. */
export type ServiceState = "healthy" | "degraded" | "unhealthy";

/** State with the reason for it. */
export interface ServiceHealth {
  readonly state: ServiceState;
  /** One sentence for the operator when the state is not healthy. */
  readonly detail?: string;
  /** True while it can be read from, and should be sent nothing new. */
  readonly refusesWrites?: boolean;
}

/** How a service is doing, also while it says nothing itself: before its start, and from its stop on. */
export type PartState = "starting" | ServiceState | "stopping";

/** {@linkcode ServiceHealth} of a service at any time of its life. */
export interface PartReport extends Omit<ServiceHealth, "state"> {
  readonly state: PartState;
}

/** A running part of a node. */
export interface Service {
  readonly name: string;
  /** Resolves when the service can do its work; throws to abort the node's start. */
  start(): Promise<void>;
  /** Ends it; idempotent. The supervisor waits a bounded time. */
  stop(): Promise<void>;
  /** Answers from memory at once. */
  health(): ServiceHealth;
}
