/**
 * The policy of blobs of a running node (`dataforts.md` 15 to 20): kept over restarts, changed while everything
 * runs. Whoever acts by it listens, so that what is switched off stops at once.
 */
import { type Clock, Emitter } from "../../base/mod.ts";
import {
  type DataPolicy,
  DEFAULT_DATA_POLICY,
  POLICY_FIELDS,
  type PolicySetting,
  setDataPolicy,
  showDataPolicy,
} from "../../blob/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import type { Log } from "../../observe/mod.ts";
import type { PolicyMemory } from "./policy_memory.ts";

/** What {@linkcode PolicyService} needs. */
export interface PolicyServiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly memory: PolicyMemory;
}

/** The policy of one node. */
export class PolicyService implements Service {
  readonly name = "blob_policy";
  readonly #deps: PolicyServiceDeps;
  readonly #changes = new Emitter<[policy: DataPolicy, before: DataPolicy]>();
  #policy = DEFAULT_DATA_POLICY;
  /** The end of the last change: one is written after the other. */
  #writing: Promise<void> = Promise.resolve();

  constructor(deps: PolicyServiceDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { policy, unknownKeys } = await this.#deps.memory.read();
    if (unknownKeys.length > 0) {
      this.#deps.log.warn("policy_settings_unknown", {
        keys: unknownKeys.join(" "),
        hint: "another version wrote them; they are left out",
      });
    }
    this.#apply(policy);
  }

  async stop(): Promise<void> {
    await this.#writing.catch(() => {}); // Told to whoever asked for the change.
  }

  health(): ServiceHealth {
    return { state: "healthy" };
  }

  /** The policy now. */
  get current(): DataPolicy {
    return this.#policy;
  }

  /** Every setting with its value as `set` takes it. */
  show(): PolicySetting[] {
    return showDataPolicy(this.#policy);
  }

  /** Calls back after each change; the result stops that. */
  onChange(handler: (policy: DataPolicy, before: DataPolicy) => void): () => void {
    return this.#changes.on(handler);
  }

  /**
   * Changes settings: all of them or none, in force and written when this resolves. The same again changes
   * nothing.
   *
   * @param changes Keys with their values as texts; `default` gives back the one a setting had.
   * @returns The keys whose value is another one now.
   * @throws NetError as {@linkcode setDataPolicy}, and what writing throws; nothing has changed then.
   */
  set(changes: readonly (readonly [key: string, value: string])[]): Promise<readonly string[]> {
    const done = this.#writing.catch(() => {}).then(() => this.#set(changes));
    this.#writing = done.then(() => {});
    this.#writing.catch(() => {}); // `done` carries it.
    return done;
  }

  /** Gives settings back the values they had: by key, by group, or all of them when none is named. */
  reset(names: readonly string[] = []): Promise<readonly string[]> {
    const keysOf = (name?: string) =>
      POLICY_FIELDS.filter(({ group }) => group === (name ?? group)).map(({ key }) => key);
    const keys = names.length === 0 ? keysOf() : names.flatMap((name) => {
      const group = keysOf(name);
      return group.length > 0 ? group : [name];
    });
    return this.set(keys.map((key) => [key, "default"]));
  }

  async #set(changes: readonly (readonly [string, string])[]): Promise<readonly string[]> {
    const before = this.#policy;
    const next = setDataPolicy(before, changes);
    const old = new Map(showDataPolicy(before).map(({ key, value }) => [key, value]));
    const changed = showDataPolicy(next).filter(({ key, value }) => old.get(key) !== value);
    if (changed.length === 0) return [];
    await this.#deps.memory.write(next);
    this.#apply(next);
    this.#deps.log.info("policy_set", {
      settings: changed.map(({ key, value }) => `${key}=${value}`).join(" "),
    });
    return changed.map(({ key }) => key);
  }

  #apply(policy: DataPolicy): void {
    const before = this.#policy;
    this.#policy = policy;
    this.#changes.emit(policy, before);
  }
}
