/**
 * Calls of a member one after the other, over one connection where the member bears it.
 *
 * It keeps going with members that close after each reply, answer twice or mix ids up.
 */
import type { Budget } from "./budget.ts";
import {
  type Answer,
  askLine,
  connectWithin,
  type ProbeTarget,
  readAnswer,
  requestLine,
} from "./probe.ts";
import { isLinkFailure, type LinkFailure, type ProbeLink } from "./probe_link.ts";

/** Replies to earlier requests that are passed over while one is waited for. */
const STALE_MAX = 8;

/** Ids start above those that a member might always answer with. */
const ID_START = 1000;

/** Calls a member. */
export class Caller implements Disposable {
  readonly #target: ProbeTarget;
  readonly #budget: Budget;
  #link: ProbeLink | undefined;
  /** Id of the first request on the connection. */
  #firstId = 0;
  #lastId = ID_START;

  constructor(target: ProbeTarget, budget: Budget) {
    this.#target = target;
    this.#budget = budget;
  }

  /** Calls a method; whatever goes wrong is an answer of the kind `none`. */
  async call(method: string, params: unknown): Promise<Answer> {
    const isReused = this.#link !== undefined;
    let reply = await this.#ask(method, params);
    // The end that came after the reply before is not about this request.
    if (isReused && isLinkFailure(reply) && reply.outcome === "closed") {
      reply = await this.#ask(method, params);
    }
    if (isLinkFailure(reply)) return { kind: "none", reason: reply.message };
    const answer = readAnswer(reply);
    // Whatever else comes on a connection that mixes ids up could not be told apart.
    if (answer.kind === "none" || answer.id !== this.#lastId) this.#close();
    return answer;
  }

  async #ask(method: string, params: unknown): Promise<Uint8Array<ArrayBuffer> | LinkFailure> {
    if (this.#budget.remainingMs === 0) {
      return { outcome: "response_timeout", message: "no time was left" };
    }
    const id = ++this.#lastId;
    if (this.#link === undefined) {
      const link = await connectWithin(this.#target, this.#budget);
      if (isLinkFailure(link)) return link;
      this.#link = link;
      this.#firstId = id;
    }
    const text = requestLine(method, id, params);
    let line = await askLine(this.#link, text, this.#target, this.#budget);
    for (let stale = 0; stale < STALE_MAX && !isLinkFailure(line); stale++) {
      if (!this.#isStale(line)) return line;
      const timeoutMs = Math.min(this.#target.replyTimeoutMs, this.#budget.remainingMs);
      line = await this.#link.readLine(timeoutMs);
    }
    if (isLinkFailure(line)) this.#close();
    return line;
  }

  /** A second reply to an earlier request is not the answer to this one. */
  #isStale(line: Uint8Array<ArrayBuffer>): boolean {
    const answer = readAnswer(line);
    return answer.kind !== "none" && typeof answer.id === "number" &&
      answer.id >= this.#firstId && answer.id < this.#lastId;
  }

  #close(): void {
    this.#link?.close();
    this.#link = undefined;
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}
