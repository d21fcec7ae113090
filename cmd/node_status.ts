/** `net node status`: identity, addresses and peers of the running node. */
import { buildCommand } from "@stricli/core";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import {
  formatCount,
  formatDuration,
  formatFields,
  listOf,
  numberOf,
  recordOf,
  textOf,
} from "./format.ts";
import { peerTable } from "./node_peers.ts";
import { runVerb } from "./verb.ts";
import type { Answer } from "./watch.ts";

/** Time a running node has to answer. */
const ANSWER_MS = 10_000;

/** The verb. */
export const nodeStatusCommand = buildCommand<SharedFlags, [], NetContext>({
  docs: {
    brief: "Show the running node: identity, addresses, peers",
    fullDescription:
      "Shows the running node: identity, addresses, sessions, what failed and what " +
      "was dropped, peers.\n\n" +
      "EXAMPLES\n  net node status\n  net node status --json",
  },
  parameters: { flags: bareRecord(SHARED_FLAGS) },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectNode(this, flags, signal);
      try {
        const status = recordOf(await node.call("node.status", {}, { signal }));
        output.result("node.status", status, () => statusText(status));
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});

/** Human text of a `node.status` result. */
export function statusText(status: Readonly<Record<string, unknown>>): string {
  const peers = listOf(status.peers);
  const uptime = numberOf(status.uptime_secs);
  const fields = formatFields([
    ["node", textOf(status.node_id)],
    ["entity", textOf(status.entity_id)],
    ["noise key", textOf(status.noise_public_key)],
    ["version", textOf(status.version)],
    [
      "running",
      uptime === undefined
        ? undefined
        : `${formatDuration(uptime * 1000)}, pid ${textOf(status.pid)}`,
    ],
    ["phase", phaseText(status.phase)],
    ["socket", textOf(status.socket)],
    ["udp", listOf(status.udp).map(textOf).join(", ")],
    ["tcp", textOf(status.tcp)],
    ["http", httpText(status.http)],
    ["data", textOf(status.data_dir) || "in memory"],
    ["peers", peersText(status, peers.length)],
    ["failures", failuresText(status)],
    ["nat", natText(status.nat)],
    ["dropped", dropsText(status)],
  ]);
  return peers.length === 0 ? fields : `${fields}\n\n${peerTable(peers)}`;
}

/** What a node does that takes no work; nothing about one that serves. */
function phaseText(phase: unknown): string | undefined {
  const text = textOf(phase);
  return text === "" || text === "serving" ? undefined : text;
}

/** Where objects are served; nothing without. */
export function httpText(address: unknown): string | undefined {
  const text = textOf(address);
  return text === "" ? undefined : `http://${text}`;
}

/** Drops named in one line; net node counters names them all. */
const DROPS_SHOWN = 3;

function peersText(status: Answer, count: number): string {
  const { sealed, compat, relayed } = recordOf(status.sessions);
  if (numberOf(sealed) === undefined) return String(count);
  return `${count}; sessions: ${textOf(sealed)} sealed, ${textOf(compat)} compat, ${
    textOf(relayed)
  } relayed`;
}

/** What the node is behind, and how finding ways through it went; once there is something to say. */
function natText(nat: unknown): string | undefined {
  const facts = recordOf(nat);
  const reflex = textOf(facts.reflex);
  if (reflex === "") return undefined;
  const parts = [`${textOf(facts.class)}, seen at ${reflex}`];
  if (facts.stated_by === "port_mapping") parts.push("a port at the router");
  const punches = numberOf(facts.punches_attempted) ?? 0;
  if (punches > 0) parts.push(`${textOf(facts.punches_succeeded)} of ${punches} punches`);
  const fallbacks = numberOf(facts.relay_fallbacks) ?? 0;
  if (fallbacks > 0) parts.push(`${fallbacks} times relayed after all`);
  return parts.join("; ");
}

function failuresText(status: Answer): string | undefined {
  const { suspected, failed, failures_total, recoveries_total } = recordOf(status.sessions);
  if (numberOf(failed) === undefined) return undefined;
  return `${textOf(suspected)} suspected, ${textOf(failed)} failed now; ${
    textOf(failures_total)
  } failed and ${textOf(recoveries_total)} recovered since the start`;
}

function dropsText(status: Answer): string | undefined {
  if (status.drops === undefined) return undefined;
  const drops = Object.entries(recordOf(status.drops));
  if (drops.length === 0) return "nothing";
  const named = drops.slice(0, DROPS_SHOWN).map(([name, count]) =>
    `${name.replace(/^net_(transport_)?/, "").replace(/(drop_|_total$)/g, "")} ${
      formatCount(numberOf(count) ?? 0)
    }`
  );
  return named.join(", ") + (drops.length > DROPS_SHOWN ? "; see net node counters" : "");
}
