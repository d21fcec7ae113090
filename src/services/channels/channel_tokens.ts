/** Tokens of this node, as far as channels need them. */
import type { Clock } from "../../base/mod.ts";
import { encodeTokenChain } from "../../channel/mod.ts";
import type { Identity } from "../../core/crypto/mod.ts";
import type { TokenService } from "../tokens.ts";
import type { ChannelTokens } from "./channel_deps.ts";

/** Revocations as they are followed, and kept tokens as chains of one link. */
export function channelTokens(
  { revocations, cache }: Pick<TokenService, "revocations" | "cache">,
  identity: Pick<Identity, "entityId">,
  clock: Pick<Clock, "wallMs">,
): ChannelTokens {
  return {
    revocations,
    publishChain: (channelHash) => {
      const nowSeconds = Math.floor(clock.wallMs() / 1_000);
      const question = {
        subject: identity.entityId,
        action: "publish",
        channelHash,
        nowSeconds,
      } as const;
      const answer = cache.check(question);
      return answer.ok ? encodeTokenChain([answer.token]) : undefined;
    },
  };
}
