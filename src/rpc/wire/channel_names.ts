/** Names of the channels that calls go over, and the tag that offers a service (`nrpc.md` 1, 11). */
import { isValidChannelName } from "../../core/crypto/mod.ts";

const REPLIES = ".replies.";
/** Hexadecimal digits of an origin hash. */
const ORIGIN_DIGITS = 16;

/** The channel that a service takes requests on. */
export function requestChannelName(service: string): string {
  return `${service}.requests`;
}

/** What the names of a service's reply channels begin with. */
export function replyChannelPrefix(service: string): string {
  return `${service}${REPLIES}`;
}

/**
 * The channel that a service answers one caller on.
 *
 * @param originHash Of the caller.
 */
export function replyChannelName(service: string, originHash: bigint): string {
  return replyChannelPrefix(service) + originHash.toString(16).padStart(ORIGIN_DIGITS, "0");
}

/** True for names that only reply channels have. */
export function isReplyChannel(name: string): boolean {
  const at = name.length - ORIGIN_DIGITS - REPLIES.length;
  return at > 0 && name.startsWith(REPLIES, at) &&
    /^[0-9a-f]{16}$/.test(name.slice(-ORIGIN_DIGITS));
}

/** True for what can name a service: both of its channels have names then. */
export function isServiceName(service: string): boolean {
  return isValidChannelName(requestChannelName(service)) &&
    isValidChannelName(replyChannelName(service, 0n));
}

/** The tag by which a node says that it offers a service. */
export function serviceTag(service: string): string {
  return `nrpc:${service}`;
}
