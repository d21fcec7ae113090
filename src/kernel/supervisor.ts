/**
 * Starts services in order, stops them in reverse, restarts what failed.
 *
 * A service that fails reports it through the callback it was created with; it is stopped and started
 * again after a growing pause, a bounded number of times, then stays down and makes the node unhealthy.
 */

import { type Clock, NetError, toNetError } from "../base/mod.ts";
import type { Log } from "../observe/mod.ts";
import type { PartReport, Service } from "./service.ts";

/** Restarts within {@linkcode RESTART_WINDOW_MS} after which a service stays down. */
export const RESTARTS_MAX = 5;
export const RESTART_WINDOW_MS = 60_000;
/** Pause before the first restart; it doubles with each. */
export const RESTART_PAUSE_MS = 100;

/** Life of the supervisor. */
export type SupervisorState = "new" | "starting" | "running" | "stopping" | "stopped";

/** What {@linkcode Supervisor} needs. */
export interface SupervisorDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Called when the state of the supervisor or of a service became another by what it does. */
  readonly onChange?: () => void;
}

interface Member {
  readonly service: Service;
  phase: "starting" | "running" | "stopping";
  restarts: number;
  restartedAt: number[];
  failure: NetError | undefined;
  isRestarting: boolean;
}

/** Owner of a node's services. */
export class Supervisor {
  readonly #deps: SupervisorDeps;
  readonly #members: Member[] = [];
  #state: SupervisorState = "new";
  #stopping: Promise<void> | undefined;

  constructor(deps: SupervisorDeps) {
    this.#deps = deps;
  }

  get state(): SupervisorState {
    return this.#state;
  }

  /**
   * Adds a service; those added earlier are started before it and stopped after it.
   *
   * @param create Gets a function to report a failure while running.
   */
  add<S extends Service>(create: (onFailure: (error: unknown) => void) => S): S {
    if (this.#state !== "new") throw new TypeError("Cannot add a service: supervisor has started");
    const service = create((error) => void this.#restart(member, error));
    const member: Member = {
      service,
      phase: "starting",
      restarts: 0,
      restartedAt: [],
      failure: undefined,
      isRestarting: false,
    };
    this.#members.push(member);
    return service;
  }

  /**
   * Starts all services; when one fails, those already started are stopped and its error is thrown.
   *
   * @throws NetError what the service failed with, or `failed` when `stop` was called meanwhile.
   */
  async start(): Promise<void> {
    if (this.#state !== "new") throw new TypeError("Cannot start: supervisor has started before");
    this.#setState("starting");
    const started: Member[] = [];
    for (const member of this.#members) {
      try {
        started.push(member);
        await member.service.start();
        // Stopping may have come by before this service was up.
        if (this.state !== "starting") {
          throw new NetError("failed", "Cannot start: it was stopped");
        }
        member.phase = "running";
        this.#deps.log.debug("service_started", { service: member.service.name });
        this.#deps.onChange?.();
      } catch (error) {
        await this.#stopAll(started, 5_000);
        if (this.state === "starting") this.#setState("stopped");
        throw toNetError(error, `Cannot start ${member.service.name}`);
      }
    }
    this.#setState("running");
  }

  /**
   * Stops all services in reverse order; idempotent.
   *
   * @param timeoutMs Patience for all of them together; what is not done by then is abandoned and logged.
   */
  stop(timeoutMs = 5_000): Promise<void> {
    this.#stopping ??= this.#stop(timeoutMs);
    return this.#stopping;
  }

  /** Health of each service by name. */
  health(): Record<string, PartReport> {
    return Object.fromEntries(
      this.#members.map((member) => [member.service.name, reportOf(member)]),
    );
  }

  /** How often each service was started again. */
  restarts(): Record<string, number> {
    return Object.fromEntries(
      this.#members.map(({ service, restarts }) => [service.name, restarts]),
    );
  }

  async #stop(timeoutMs: number): Promise<void> {
    this.#setState("stopping");
    await this.#stopAll(this.#members, timeoutMs);
    this.#setState("stopped");
  }

  #setState(state: SupervisorState): void {
    this.#state = state;
    this.#deps.onChange?.();
  }

  async #stopAll(members: readonly Member[], timeoutMs: number): Promise<void> {
    const deadline = this.#deps.clock.now() + timeoutMs;
    for (const member of [...members].reverse()) {
      const { service } = member;
      member.phase = "stopping";
      this.#deps.onChange?.();
      const { promise: late, resolve } = Promise.withResolvers<"late">();
      const cancel = this.#deps.clock.after(
        Math.max(0, deadline - this.#deps.clock.now()),
        () => resolve("late"),
      );
      try {
        if (await Promise.race([service.stop(), late]) === "late") {
          this.#deps.log.error("service_stop_timeout", { service: service.name });
        }
      } catch (error) {
        this.#deps.log.error("service_stop_failed", {
          service: service.name,
          error: error instanceof Error ? error.message : String(error),
        });
      } finally {
        cancel();
      }
    }
  }

  async #restart(member: Member, error: unknown): Promise<void> {
    if (this.#state !== "running" || member.isRestarting || member.failure !== undefined) return;
    const { clock, log } = this.#deps;
    const { service } = member;
    const now = clock.now();
    const cause = toNetError(error, `Cannot keep ${service.name} running`);
    member.restartedAt = member.restartedAt.filter((at) => now - at < RESTART_WINDOW_MS);
    if (member.restartedAt.length >= RESTARTS_MAX) {
      member.failure = cause;
      log.error("service_down", { service: service.name, error: cause.message });
      this.#deps.onChange?.();
      return;
    }
    log.warn("service_restarting", { service: service.name, error: cause.message });
    member.isRestarting = true;
    member.restarts += 1;
    this.#deps.onChange?.();
    const pauseMs = RESTART_PAUSE_MS * 2 ** member.restartedAt.length;
    member.restartedAt.push(now);
    try {
      await service.stop().catch(() => {});
      await new Promise<void>((resolve) => void clock.after(pauseMs, resolve));
      if (this.#state === "running") await service.start();
      if (this.#state !== "running") await service.stop(); // Stopped before it was up again.
      member.isRestarting = false;
      this.#deps.onChange?.();
    } catch (again) {
      member.isRestarting = false;
      await this.#restart(member, again);
    }
  }
}

function reportOf({ service, phase, failure, isRestarting }: Member): PartReport {
  if (phase !== "running") return { state: phase };
  if (failure !== undefined) return { state: "unhealthy", detail: failure.message };
  return isRestarting ? { state: "degraded", detail: "restarting" } : service.health();
}
