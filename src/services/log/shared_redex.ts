/**
 * A node's channel files for what folds them: opened through the log service, so that the channel's rules and
 * guard count, nobody opens a file while it is being mended, and one that is folded is not closed for another.
 */
import { NetError } from "../../base/mod.ts";
import type { Redex, RedexFile } from "../../log/mod.ts";
import type { LogService } from "./log_service.ts";

/** The log service as a {@linkcode Redex}. Files are kept open by whoever holds their channel. */
export class SharedRedex implements Redex {
  readonly #logs: LogService;

  constructor(logs: LogService) {
    this.#logs = logs;
  }

  /** How a channel is kept is said to the log service: a configuration is not looked at. */
  async open(name: string): Promise<RedexFile> {
    return await this.#logs.open(name);
  }

  async openExisting(name: string): Promise<RedexFile | undefined> {
    try {
      return await this.#logs.openExisting(name);
    } catch (error) {
      if (error instanceof NetError && error.code === "not_found") return undefined;
      throw error;
    }
  }

  get(name: string): RedexFile | undefined {
    return this.#logs.redex.get(name);
  }

  names(): Promise<string[]> {
    return this.#logs.names();
  }

  remove(name: string): Promise<boolean> {
    return this.#logs.remove(name);
  }

  /** The files are the log service's. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
