/**
 * Replies to messages of one connection: each round has a number, and each message of it one below.
 *
 * The library's own requests cost a timer and a promise for each message; a window of a thousand events has one.
 */
import type { Msg, MsgHdrs, NatsConnection } from "@nats-io/transport-node";

/** Makes empty headers. */
export type CreateHeaders = () => MsgHdrs;

/** Who waits for the replies of a round. */
export interface ReplyRound {
  onReply(reply: Msg, index: number): void;
  onError(error: unknown): void;
  /** Subject that the round publishes to, whose refusal is its error. */
  readonly subject: string;
}

/** Hands replies out. */
export class ReplyInbox {
  readonly #connection: NatsConnection;
  readonly #inbox: string;
  readonly #rounds = new Map<number, ReplyRound>();
  #last = 0;

  constructor(connection: NatsConnection, inbox: string) {
    this.#connection = connection;
    this.#inbox = `${inbox}.all`;
    connection.subscribe(`${this.#inbox}.>`, {
      callback: (error, reply) => this.#take(error, reply),
    });
    void this.#watch(connection);
  }

  /** Begins a round of many messages with a reply each. */
  open(round: ReplyRound): { replyTo(index: number): string; close(): void } {
    const number = ++this.#last;
    this.#rounds.set(number, round);
    return {
      replyTo: (index) => `${this.#inbox}.${number}.${index}`,
      close: () => void this.#rounds.delete(number),
    };
  }

  /** Begins a round of one message with many replies, which may come with subjects of their own. */
  openOne(round: ReplyRound): { readonly replyTo: string; close(): void } {
    const number = ++this.#last;
    this.#rounds.set(number, round);
    const replyTo = `${this.#inbox.slice(0, -".all".length)}.one.${number}`;
    const subscription = this.#connection.subscribe(replyTo, {
      callback: (error, reply) => error === null ? round.onReply(reply, 0) : round.onError(error),
    });
    return {
      replyTo,
      close: () => {
        this.#rounds.delete(number);
        subscription.unsubscribe();
      },
    };
  }

  #take(error: Error | null, reply: Msg): void {
    if (error !== null) return this.#failAll(error);
    const [number, index] = reply.subject.slice(this.#inbox.length + 1).split(".");
    this.#rounds.get(Number(number))?.onReply(reply, Number(index));
  }

  /** A refused publish gets no reply: the server says so on the connection, some time later. */
  async #watch(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type !== "error") continue;
      const { subject } = status.error as { subject?: unknown };
      if (typeof subject !== "string") continue;
      for (const round of [...this.#rounds.values()]) {
        if (round.subject === subject) round.onError(status.error);
      }
    }
    const ended = await connection.closed();
    this.#failAll(ended ?? Object.assign(new Error("connection closed"), { code: "ECONNRESET" }));
  }

  #failAll(error: unknown): void {
    for (const round of [...this.#rounds.values()]) round.onError(error);
    this.#rounds.clear();
  }
}
