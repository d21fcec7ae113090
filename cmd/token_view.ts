/** How tokens look: links as plain data and as text, and why they are refused in plain words. */
import { idToHex } from "../src/base/mod.ts";
import type { Token, TokenChain, TokenChainFault, TokenChainRule } from "../src/channel/mod.ts";
import { formatFields } from "./format.ts";

/** One link as plain data. */
export interface LinkFields {
  readonly issuer: string;
  readonly subject: string;
  readonly allows: readonly string[];
  readonly channel_hash: string;
  readonly issuer_generation: number;
  readonly not_before: string;
  readonly not_after: string;
  readonly depth: number;
  readonly nonce: string;
  readonly faults?: readonly LinkFault[];
}

/** One thing that is wrong with a link. */
export interface LinkFault {
  readonly rule: TokenChainRule;
  readonly kind: string;
  readonly reason: string;
}

/** Why each rule refuses, after "because". */
const REASONS: Readonly<Record<TokenChainRule, string>> = {
  root: "its issuer is none of the trusted roots",
  presenter: "its subject is not the presenter",
  continuity: "its issuer is not the subject of the link before",
  delegate_scope: "the link before does not allow delegate",
  depth: "its depth is not below that of the link before",
  window: "its time is not inside that of the link before",
  signature: "its issuer did not sign this",
  time: "it does not count at this time",
  revocation: "its issuer took tokens of this generation back",
  scope: "it does not allow the action",
  channel: "it is for another channel",
};

/** The links of a chain as plain data, with what is wrong with each when that was looked at. */
export async function describeChain(
  chain: TokenChain,
  faults?: readonly TokenChainFault[],
): Promise<readonly LinkFields[]> {
  const { scopeNames } = await import("../src/channel/mod.ts");
  return chain.map((token, index) => ({
    issuer: token.issuer.toHex(),
    subject: token.subject.toHex(),
    allows: scopeNames(token.scope),
    channel_hash: idToHex(token.channelHash),
    issuer_generation: token.issuerGeneration,
    not_before: timeText(token.notBeforeSeconds),
    not_after: timeText(token.notAfterSeconds),
    depth: token.depth,
    nonce: idToHex(token.nonce),
    ...(faults === undefined ? {} : { faults: faultsOf(faults, index, token) }),
  }));
}

/** The links as text. */
export function chainText(links: readonly LinkFields[]): string {
  return links.map((link, index) => {
    const isWildcard = link.allows.includes("wildcard");
    const fields = formatFields([
      ["  issuer", link.issuer],
      ["  subject", link.subject],
      ["  allows", link.allows.join(", ") || "nothing"],
      ["  channel", isWildcard ? "any" : `hash ${link.channel_hash}`],
      ["  generation", String(link.issuer_generation)],
      ["  counts", `${link.not_before} to ${link.not_after}`],
      ["  depth", String(link.depth)],
    ]);
    const verdict = link.faults === undefined
      ? ""
      : link.faults.length === 0
      ? ": ok"
      : `: ${link.faults.map(({ reason }) => reason).join("; ")}`;
    return `link ${index + 1} of ${links.length}${verdict}\n${fields}`;
  }).join("\n");
}

function faultsOf(
  faults: readonly TokenChainFault[],
  index: number,
  token: Token,
): readonly LinkFault[] {
  return faults.filter(({ link }) => link === index).map(({ rule, kind }) => ({
    rule,
    kind,
    reason: rule === "time" ? timeReason(kind, token) : REASONS[rule],
  }));
}

function timeReason(kind: string, token: Token): string {
  if (kind === "not_yet_valid") return `it counts from ${timeText(token.notBeforeSeconds)} on`;
  if (kind === "expired") return `it expired at ${timeText(token.notAfterSeconds)}`;
  return "its life is longer than a year";
}

/** ISO text of Unix seconds; plain seconds where no calendar reaches. */
function timeText(seconds: bigint): string {
  return seconds <= 253_402_300_799n
    ? new Date(Number(seconds) * 1000).toISOString().replace(".000Z", "Z")
    : `${seconds} s`;
}
