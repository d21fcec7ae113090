/** `net doctor --peer`: how a peer is reached, which ways were tried, and what to do about it. */
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import type { SharedFlags } from "./flags.ts";
import {
  formatDuration,
  formatFields,
  formatTimeMs,
  listOf,
  numberOf,
  recordOf,
  textOf,
} from "./format.ts";
import { waysTimeMs } from "./node_connect.ts";
import { pathTable } from "./path_table.ts";
import { runVerb } from "./verb.ts";
import type { Answer } from "./watch.ts";

/** Time for trying ways, and for the node to answer beside it. */
const WAYS_MS = 20_000;
const ANSWER_MS = 10_000;

/** Runs the verb; the exit code is 1 when something could be better, 6 without a session. */
export async function examinePeer(
  context: NetContext,
  flags: SharedFlags,
  peer: string,
): Promise<void> {
  await runVerb(context, flags, async ({ output, signal }) => {
    const node = await connectNode(context, flags, signal);
    try {
      output.note("looking for ways; this takes up to 20 s where there is no direct one");
      const params = { peer, timeout_ms: waysTimeMs(flags) };
      const result = recordOf(await node.call("node.reach", params, { signal }));
      const advice = listOf(result.next);
      output.result("doctor.peer", { ok: advice.length === 0, ...result }, () => reachText(result));
      if (result.session === null || recordOf(result.session).state === "failed") return 6;
      return advice.length === 0 ? 0 : 1;
    } finally {
      await node.close();
    }
  }, { timeoutMs: WAYS_MS + ANSWER_MS });
}

/** Human text of a `node.reach` result. */
export function reachText(result: Answer): string {
  const nat = recordOf(result.nat);
  const behind = numberOf(result.clock_behind_ms);
  const fields = formatFields([
    ["node", textOf(result.node_id)],
    ["session", sessionText(result.session)],
    ["readable by", readersText(result.session)],
    ...listOf(result.addresses).map(recordOf).map((row, i) =>
      [i === 0 ? "addresses" : "", `${textOf(row.address)}  ${sourcesText(row.sources)}`] as const
    ),
    ["own NAT", natText(nat.own, nat.own_reflex, nat.own_stated_by)],
    ["its NAT", natText(nat.peer, nat.peer_reflex, null)],
    ["the two allow", ACTIONS[textOf(nat.action)]],
    ["coordinator", textOf(result.coordinator)],
    ["relay", textOf(result.relay)],
    ["own port", mappingText(recordOf(result.port_mapping))],
    ["its clock", behind === undefined ? undefined : `about ${formatDuration(behind)} behind`],
  ]);
  const paths = listOf(result.paths);
  const ago = numberOf(result.tried_ago_ms) ?? 0;
  const when = ago < 1_000 ? "just now" : `${formatDuration(ago)} ago`;
  const tried = paths.length === 0
    ? "no way was looked for in this run of the node"
    : `ways tried ${when}:\n${pathTable(paths)}`;
  const advice = listOf(result.next).map((line) => `next: ${textOf(line)}`);
  return [fields, tried, ...advice].join("\n");
}

const ACTIONS: Readonly<Record<string, string>> = {
  direct: "dialling",
  punch: "a punch through both NATs",
  relay: "a relay only",
};

const SOURCES: Readonly<Record<string, string>> = {
  session: "the session",
  announced: "its announcement",
  ticket: "its ticket",
  flag: "a --peer flag",
  pin: "remembered, it proved itself there",
  memory: "remembered",
};

function sourcesText(sources: unknown): string {
  return listOf(sources).map((source) => SOURCES[textOf(source)] ?? textOf(source)).join(", ");
}

function sessionText(session: unknown): string {
  if (session === null) return "none";
  const { relayed, relay, trust, state, form, address, rtt_ms, age_ms, initiator } = recordOf(
    session,
  );
  const rttMs = numberOf(rtt_ms);
  return [
    relayed === true ? `relayed through ${textOf(relay) || textOf(address)}` : "direct",
    textOf(state),
    textOf(trust),
    `${textOf(form)} handshake, begun ${initiator === true ? "here" : "there"}`,
    ...(rttMs === undefined ? [] : [`round trip ${formatTimeMs(rttMs)}`]),
    `for ${formatDuration(numberOf(age_ms) ?? 0)}`,
  ].join(", ");
}

/** Who can read what passes: of a sealed session nobody but the two. */
function readersText(session: unknown): string | undefined {
  if (session === null) return undefined;
  const { trust, relayed } = recordOf(session);
  if (trust === "proven") return "the two nodes only";
  return relayed === true
    ? "the relay, and members of the mesh that see it pass: it is not sealed"
    : "members of the mesh that see it pass: it is not sealed";
}

function natText(natClass: unknown, reflex: unknown, statedBy: unknown): string {
  const source = statedBy === "port_mapping"
    ? ", by its port at the router"
    : statedBy === "operator"
    ? ", as stated"
    : "";
  const address = textOf(reflex);
  return `${textOf(natClass)}${address === "" ? "" : `, seen at ${address}${source}`}`;
}

function mappingText(mapping: Answer): string {
  const last = recordOf(listOf(mapping.attempts).at(-1));
  const why = textOf(last.detail);
  switch (textOf(mapping.state)) {
    case "active":
      return `${textOf(mapping.external)} at the router ${textOf(mapping.gateway)}, by ${
        textOf(mapping.protocol)
      }`;
    case "trying":
      return "the router is being asked";
    case "waiting":
      return why === "" ? "the router gave none" : `the router gave none: ${why}`;
    case "off":
      return "the router is not asked: --port-map is off";
    default:
      return "the router is not asked: no peer shows that there is a need";
  }
}
