/**
 * Who may store objects over HTTP: whoever has the node's HTTP secret; or everybody of this machine, where the
 * operator said so and only this machine reaches the listener; or nobody.
 */
import { timingSafeEqual } from "node:crypto";
import { type GatewayRequest, ProblemError } from "../route.ts";

/** Who may write. */
export type WriteMode = "token" | "loopback" | "off";

/** Lets writes through or not. */
export interface WriteGuard {
  /** @throws ProblemError 401 or 403. */
  requireWrite(request: Pick<GatewayRequest, "headers">): void;
}

/**
 * Creates the guard of a listener.
 *
 * @param secret What `Authorization: Bearer` has to say; plain characters.
 */
export function createWriteGuard(mode: WriteMode, secret: string): WriteGuard {
  return {
    requireWrite: ({ headers }) => {
      if (mode === "loopback") return;
      if (mode === "off") {
        throw new ProblemError(403, "not_allowed", "Cannot store object: this node takes none", {
          next: "start it with --http-write token",
        });
      }
      const given = /^bearer +([\x21-\x7e]{1,512}) *$/i.exec(headers.get("authorization") ?? "")
        ?.[1];
      if (given !== undefined && isSame(given, secret)) return;
      throw new ProblemError(
        401,
        "unauthorized",
        given === undefined
          ? "Cannot store object: the request has no secret"
          : "Cannot store object: the secret of the request is not this node's",
        {
          next: "send Authorization: Bearer and what net node http --show-secret prints",
          headers: { "www-authenticate": 'Bearer realm="net"' },
        },
      );
    },
  };
}

function isSame(given: string, secret: string): boolean {
  const encoder = new TextEncoder();
  const [a, b] = [encoder.encode(given), encoder.encode(secret)];
  // Its length is no secret.
  return a.length === b.length && timingSafeEqual(a, b);
}
