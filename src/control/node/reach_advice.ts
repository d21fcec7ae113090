/** What to do about the way to a peer: derived from the facts alone, the most useful first. */
import type { ReachFacts } from "./reach.ts";

/** Sentences for an operator; none when all is well. */
export function adviseOn(facts: ReachFacts): readonly string[] {
  const { session, nat, clock_behind_ms } = facts;
  const advice: string[] = [];
  const isUp = session !== null && session.state !== "failed";
  if (!isUp) advice.push(...withoutSession(facts));
  else if (session.relayed) advice.push(...whileRelayed(facts));
  if (isUp && session.relayed && session.trust === "unproven") {
    advice.push(
      "the session is not sealed: its relay and members of the mesh can read it; update the " +
        "peer, or accept only sealed sessions with net node start --peers sealed",
    );
  }
  const isPunching = nat.action === "punch" && (!isUp || session.relayed);
  if (clock_behind_ms !== null && isPunching) {
    advice.push(
      `the peer's clock seems to be ${clock_behind_ms} ms behind: set both clocks, as the two sides ` +
        "of a punch have to begin together",
    );
  }
  return advice;
}

function withoutSession({ node_id, addresses, paths, nat }: ReachFacts): readonly string[] {
  if (paths.some(({ error }) => error === "unsupported") && isKeyMissing(paths)) {
    return [
      "this node does not know the peer's key: join with its ticket (net node start --join), or " +
      `give ADDR#${node_id}#NOISEKEY to net node connect`,
    ];
  }
  const advice: string[] = [];
  if (addresses.length === 0) {
    advice.push(
      "no address of it is known: print a ticket there with net node ticket, and join it",
    );
  } else advice.push("see whether it runs, with net node status there");
  if (nat.enabled && paths.some(({ error }) => error === "rendezvous-no-relay")) {
    advice.push(
      "no peer could relay or introduce the two: have both join a node that both can reach",
    );
  }
  return advice;
}

function isKeyMissing(paths: ReachFacts["paths"]): boolean {
  return paths.some(({ reason }) => reason.includes("key is unknown"));
}

function whileRelayed({ nat, paths, port_mapping }: ReachFacts): readonly string[] {
  if (!nat.enabled) {
    return ["traversal is switched off on this node: start it without --nat off"];
  }
  const advice: string[] = [];
  if (nat.own === "unknown") {
    advice.push(
      "this node's NAT is not known yet: that takes two peers which it reaches without a relay",
    );
  }
  if (paths.some(({ error }) => error === "rendezvous-rejected")) {
    advice.push("who should have introduced the two refused: repeat this in a moment");
  }
  if (nat.action === "relay") {
    advice.push("no punch gets through these two NATs: a port forwarded at either router helps");
  } else if (paths.some(({ error }) => error === "punch-failed")) {
    advice.push(
      "the punch failed: a firewall may drop UDP; a port forwarded at either router helps",
    );
  }
  if (nat.action !== "direct" && port_mapping.state !== "active") {
    advice.push(...aboutMapping(port_mapping));
  }
  return advice;
}

function aboutMapping({ mode, attempts }: ReachFacts["port_mapping"]): readonly string[] {
  if (mode === "off") {
    return ["let this node ask its router for a port: net node start --port-map on"];
  }
  const failed = attempts.at(-1);
  if (failed === undefined || failed.ok) return [];
  return [`the router gave no port (${failed.detail}): forward the UDP port there by hand`];
}
