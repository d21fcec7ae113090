/**
 * Keeps one UDP port reachable from outside (`nrpc.md` 16): tries the languages in sequence, renews what
 * was granted, drops it after three failures in a row, takes it back at the end.
 *
 * Who uses a mapping is told when it comes and when it goes; what happens with it is not decided here.
 */
import type { Clock, SocketAddress } from "../../../base/mod.ts";
import { formatAddress, isSameAddress } from "../address.ts";
import {
  FAILURES_MAX,
  LEASE_SECONDS,
  MOVE_LOOK_MS,
  RENEW_MS,
  RENEW_MS_MIN,
  RETRY_MS_MAX,
  RETRY_MS_MIN,
  RETRY_RENEWAL_MS,
  UNMAP_MS,
} from "./limits.ts";
import {
  type GatewayPlace,
  type PortMapClient,
  PortMapError,
  type PortMapping,
  type PortMapProtocol,
  type PortMapReason,
} from "./types.ts";

/** What a {@linkcode PortMapper} needs. */
export interface PortMapperDeps {
  readonly clock: Clock;
  /** In the order they are tried. */
  readonly clients: readonly PortMapClient[];
  /**
   * Where this machine and its gateway are now.
   *
   * @throws PortMapError `no-gateway` when there is none worth asking.
   */
  readonly locate: () => Promise<GatewayPlace>;
  /** The port can be reached there from now on. */
  readonly onMapped: (mapping: PortMapping) => void;
  /** It can't be reached there any more. */
  readonly onLost: (mapping: PortMapping, why: string) => void;
  /** The mapping was renewed. */
  readonly onRenewed?: () => void;
}

/** Outcome of one try in one language, or of looking for a gateway. */
export interface PortMapAttempt {
  /** `undefined` where it did not come to asking. */
  readonly protocol: PortMapProtocol | undefined;
  /** `undefined` for success. */
  readonly reason: PortMapReason | undefined;
  readonly detail: string;
}

/** What the mapper is doing. */
export type PortMapperState = "stopped" | "trying" | "active" | "waiting";

/** Keeps one port mapped between `start` and `stop`. */
export class PortMapper {
  readonly #deps: PortMapperDeps;
  readonly #internalPort: number;
  #state: PortMapperState = "stopped";
  #mapping: PortMapping | undefined;
  #client: PortMapClient | undefined;
  #attempts: readonly PortMapAttempt[] = [];
  #failures = 0;
  #renewals = 0;
  #retryMs = RETRY_MS_MIN;
  #controller = new AbortController();
  #cancelNext = () => {};
  #cancelLook = () => {};
  #stopping: Promise<void> = Promise.resolve();

  /** @param internalPort The UDP port of this machine. */
  constructor(deps: PortMapperDeps, internalPort: number) {
    this.#deps = deps;
    this.#internalPort = internalPort;
  }

  get state(): PortMapperState {
    return this.#state;
  }

  /** What is mapped now. */
  get mapping(): PortMapping | undefined {
    return this.#mapping;
  }

  /** Times a mapping was renewed. */
  get renewals(): number {
    return this.#renewals;
  }

  /** The last round through the languages, in order. */
  get attempts(): readonly PortMapAttempt[] {
    return this.#attempts;
  }

  /** Begins; does nothing while it runs. */
  start(): void {
    if (this.#state !== "stopped") return;
    this.#controller = new AbortController();
    this.#retryMs = RETRY_MS_MIN;
    void this.#try();
  }

  /** Ends it and takes the mapping back, within 1.5 s; idempotent. */
  stop(): Promise<void> {
    if (this.#state === "stopped") return this.#stopping;
    this.#state = "stopped";
    this.#cancelNext();
    this.#cancelLook();
    this.#controller.abort(new DOMException("the mapper was stopped", "AbortError"));
    const mapping = this.#mapping;
    const client = this.#client;
    this.#lose("it was taken back");
    this.#stopping = mapping === undefined || client === undefined
      ? Promise.resolve()
      : this.#unmap(client, mapping);
    return this.#stopping;
  }

  /** One round through the languages. */
  async #try(): Promise<void> {
    this.#state = "trying";
    const { signal } = this.#controller;
    const attempts: PortMapAttempt[] = [];
    const place = await this.#locate(attempts);
    for (const client of place === undefined ? [] : this.#deps.clients) {
      if (signal.aborted || place === undefined) break;
      try {
        const mapping = await client.map(this.#request(place), { signal });
        if (signal.aborted) {
          // Granted after all; nobody waits for it any more.
          await this.#unmap(client, mapping);
          return;
        }
        const detail = `${formatAddress(mapping.external)} leads here`;
        attempts.push({ protocol: client.protocol, reason: undefined, detail });
        this.#attempts = attempts;
        this.#client = client;
        this.#adopt(mapping);
        return;
      } catch (error) {
        if (!signal.aborted) attempts.push(failedAttempt(client.protocol, error));
      }
    }
    if (signal.aborted) return;
    this.#attempts = attempts;
    this.#state = "waiting";
    this.#next(this.#retryMs, () => this.#try());
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS_MAX);
    if (place !== undefined) this.#watchPlace(place);
  }

  #adopt(mapping: PortMapping): void {
    const before = this.#mapping;
    this.#mapping = mapping;
    this.#state = "active";
    this.#failures = 0;
    this.#retryMs = RETRY_MS_MIN;
    this.#next(renewAfterMs(mapping), () => this.#renew());
    if (before === undefined) this.#watchPlace(mapping);
    if (before === undefined || !isSameAddress(before.external, mapping.external)) {
      this.#deps.onMapped(mapping);
    }
  }

  async #renew(): Promise<void> {
    const { signal } = this.#controller;
    const client = this.#client;
    const mapping = this.#mapping;
    if (client === undefined || mapping === undefined) return;
    try {
      const renewed = await client.map(this.#request(mapping, mapping.external), { signal });
      if (signal.aborted || this.#mapping !== mapping) return;
      this.#renewals += 1;
      this.#adopt(renewed);
      this.#deps.onRenewed?.();
    } catch (error) {
      if (signal.aborted || this.#mapping !== mapping) return;
      this.#failures += 1;
      this.#attempts = [failedAttempt(client.protocol, error)];
      if (this.#failures < FAILURES_MAX) {
        this.#next(Math.min(RETRY_RENEWAL_MS, renewAfterMs(mapping)), () => this.#renew());
        return;
      }
      this.#lose(`renewing it failed ${FAILURES_MAX} times`);
      await this.#try();
    }
  }

  /** Looks now and then whether this machine is still where it was. */
  #watchPlace(place: GatewayPlace): void {
    this.#cancelLook();
    const { signal } = this.#controller;
    this.#cancelLook = this.#deps.clock.after(MOVE_LOOK_MS, () => {
      void this.#deps.locate().catch(() => undefined).then((now) => {
        if (signal.aborted) return;
        const isSame = now?.gateway === place.gateway && now.internalHost === place.internalHost;
        if (isSame || this.#state === "trying") return this.#watchPlace(place);
        this.#lose("this machine moved to another network");
        this.#retryMs = RETRY_MS_MIN;
        this.#cancelNext();
        void this.#try();
      });
    });
  }

  #lose(why: string): void {
    const mapping = this.#mapping;
    this.#mapping = undefined;
    this.#client = undefined;
    if (mapping !== undefined) this.#deps.onLost(mapping, why);
  }

  async #locate(attempts: PortMapAttempt[]): Promise<GatewayPlace | undefined> {
    try {
      return await this.#deps.locate();
    } catch (error) {
      attempts.push(failedAttempt(undefined, error));
      return undefined;
    }
  }

  #request({ gateway, internalHost }: GatewayPlace, external?: SocketAddress) {
    return {
      gateway,
      internalHost,
      internalPort: this.#internalPort,
      externalPort: external?.port ?? this.#internalPort,
      leaseSeconds: LEASE_SECONDS,
    };
  }

  #next(afterMs: number, action: () => Promise<void>): void {
    this.#cancelNext();
    this.#cancelNext = this.#deps.clock.after(afterMs, () => void action());
  }

  /** Best effort: a gateway that is gone does not hold anybody up. */
  async #unmap(client: PortMapClient, mapping: PortMapping): Promise<void> {
    const controller = new AbortController();
    const cancel = this.#deps.clock.after(UNMAP_MS, () => controller.abort());
    try {
      await client.unmap(mapping, { signal: controller.signal });
    } catch {
      // The lease ends by itself; a permanent one is taken over by the next start of this node.
    } finally {
      cancel();
    }
  }
}

/** Half the lease, within bounds; a permanent one is looked after like any other. */
function renewAfterMs({ leaseSeconds }: PortMapping): number {
  if (leaseSeconds === 0) return RENEW_MS;
  return Math.min(RENEW_MS, Math.max(RENEW_MS_MIN, leaseSeconds * 500));
}

function failedAttempt(protocol: PortMapProtocol | undefined, error: unknown): PortMapAttempt {
  const detail = error instanceof Error ? error.message : String(error);
  return { protocol, reason: error instanceof PortMapError ? error.reason : "network", detail };
}
