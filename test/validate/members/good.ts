/** A member that does everything right, and ways to make one that does a single thing wrong. */
import type { Behaviour, Exchange, Script } from "./member.ts";

/** The three health methods. */
export const TRIAD: readonly string[] = ["health.liveness", "health.readiness", "health.check"];

/** Results of the good member. */
export const GOOD_RESULTS: Readonly<Record<string, unknown>> = {
  "health.liveness": { status: "healthy" },
  "health.readiness": { status: "healthy", version: "1.0", primal: "fake" },
  "health.check": { status: "healthy", version: "1.0", primal: "fake" },
  "identity.get": { primal: "fake", version: "1.0" },
  "capabilities.list": {
    primal: "fake",
    version: "1.0",
    methods: [...TRIAD, "identity.get", "capabilities.list", "storage.put"],
  },
};

/** Known, but takes parameters and is never called properly by a validator. */
const WITH_PARAMS = "storage.put";

/** The reply to a line as every rule set wants it; `undefined` for none. */
export function goodReply(line: string): string | undefined {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    return errorReply(-32700, "null");
  }
  if (!Array.isArray(message)) return goodSingleReply(message);
  const replies = message.map(goodSingleReply).filter((reply) => reply !== undefined);
  return replies.length === 0 ? undefined : `[${replies.join(",")}]`;
}

function goodSingleReply(message: unknown): string | undefined {
  const { method, id, params } = Object(message);
  if (id === undefined) return undefined;
  const idText = JSON.stringify(id);
  if (method === WITH_PARAMS) return errorReply(-32602, idText);
  if (!Object.hasOwn(GOOD_RESULTS, method)) return errorReply(-32601, idText);
  if (typeof params === "string") return errorReply(-32602, idText);
  return `{"jsonrpc":"2.0","result":${JSON.stringify(GOOD_RESULTS[method])},"id":${idText}}`;
}

/** An error reply. */
export function errorReply(code: number, id: string, message: string = "no"): string {
  return `{"jsonrpc":"2.0","error":{"code":${code},"message":${
    JSON.stringify(message)
  }},"id":${id}}`;
}

/** The good member. */
export const goodScript: Script = ({ line }) => goodReply(line);

/** Does something else where the good member answers a health method. */
export function onTriad(act: (exchange: Exchange, good: string) => ReturnType<Script>): Behaviour {
  return onReplies((exchange, good) =>
    TRIAD.includes(exchange.method ?? "") && typeof exchange.params !== "string"
      ? act(exchange, good)
      : good
  );
}

/** Does something else with every reply of the good member. */
export function onReplies(
  act: (exchange: Exchange, good: string) => ReturnType<Script>,
): Behaviour {
  return {
    script: (exchange) => {
      const good = goodReply(exchange.line);
      return good === undefined ? undefined : act(exchange, good);
    },
  };
}

/** Answers with these lines by method; `@` stands for the id, all else is answered well. */
export function replyWith(replies: Readonly<Record<string, string>>): Behaviour {
  return onTriad(({ method, id }, good) => replies[method ?? ""]?.replace("@", id) ?? good);
}

/** Answers all three health methods with the same line; `@` stands for the id. */
export function replyAllWith(reply: string): Behaviour {
  return onTriad(({ id }) => reply.replace("@", id));
}

/** Changes members of the results; `undefined` removes one. */
export function withFields(fields: Readonly<Record<string, unknown>>): Behaviour {
  return onTriad(({ method, id }) => {
    const result = { ...Object(GOOD_RESULTS[method ?? ""]), ...fields };
    return `{"jsonrpc":"2.0","result":${JSON.stringify(result)},"id":${id}}`;
  });
}

/** A script with other lines for some methods, for tests of one thing; `@` stands for the id. */
export function scriptWith(overrides: Readonly<Record<string, string>> = {}): Script {
  return ({ line, method, id }) => overrides[method ?? ""]?.replace("@", id) ?? goodReply(line);
}
