import assert from "node:assert/strict";
import type { ReachFacts, SessionFacts } from "../../../src/control/node/reach.ts";
import { adviseOn } from "../../../src/control/node/reach_advice.ts";

const SESSION: SessionFacts = {
  state: "connected",
  form: "routed",
  relayed: false,
  relay: null,
  trust: "proven",
  address: "9.9.9.9:1",
  rtt_ms: 1,
  age_ms: 1,
  initiator: true,
};
const RELAYED: SessionFacts = { ...SESSION, relayed: true, relay: "00000000000000bb" };

const NAT: ReachFacts["nat"] = {
  enabled: true,
  own: "cone",
  own_reflex: null,
  own_stated_by: null,
  peer: "cone",
  peer_reflex: null,
  action: "punch",
};

const MAPPING: ReachFacts["port_mapping"] = {
  mode: "auto",
  state: "idle",
  external: null,
  protocol: null,
  gateway: null,
  lease_secs: null,
  renewals: 0,
  attempts: [],
};

function path(error: string, reason = ""): ReachFacts["paths"][number] {
  return { kind: "punch", outcome: "failed", address: null, via: null, ms: 1, reason, error };
}

function advice(change: Partial<ReachFacts>): string {
  return adviseOn({
    node_id: "00000000000000aa",
    session: SESSION,
    addresses: [{ address: "9.9.9.9:1", sources: ["ticket"] }],
    nat: NAT,
    paths: [],
    port_mapping: MAPPING,
    clock_behind_ms: null,
    ...change,
  }).join("\n");
}

const refused = {
  protocol: "upnp",
  ok: false,
  reason: "refused",
  detail: "192.168.1.1 refuses",
};

Deno.test("adviseOn() has nothing to say of a direct session", () => {
  assert.equal(advice({}), "");
  assert.equal(advice({ clock_behind_ms: 9_000 }), "");
  assert.equal(advice({ session: { ...SESSION, state: "suspected" } }), "");
});

for (
  const [what, change, expected] of [
    ["no session, address known", { session: null }, /^see whether it runs, with net node status/],
    ["a session that failed", { session: { ...SESSION, state: "failed" } }, /^see whether it runs/],
    ["no session, no address", { session: null, addresses: [] }, /^no address .* net node ticket/],
    [
      "an unknown key",
      { session: null, paths: [path("unsupported", "the peer's Noise key is unknown; join")] },
      /^this node does not know the peer's key: .*#00000000000000aa#NOISEKEY/,
    ],
    [
      "no coordinator",
      { session: null, paths: [path("rendezvous-no-relay")] },
      /^see whether.*\nno peer could relay/,
    ],
    ["NATs that can't", { session: RELAYED, nat: { ...NAT, action: "relay" } }, /^no punch gets/],
    [
      "a punch that failed",
      { session: RELAYED, paths: [path("punch-failed")] },
      /^the punch failed/,
    ],
    [
      "a coordinator that refused",
      { session: RELAYED, paths: [path("rendezvous-rejected")] },
      /^who should have introduced/,
    ],
    ["an unknown NAT", { session: RELAYED, nat: { ...NAT, own: "unknown" } }, /^this node's NAT/],
    ["traversal switched off", { session: RELAYED, nat: { ...NAT, enabled: false } }, /--nat off$/],
    [
      "a mapping switched off",
      { session: RELAYED, port_mapping: { ...MAPPING, mode: "off", state: "off" } },
      /^let this node ask .* --port-map on$/,
    ],
    [
      "a router that refuses",
      { session: RELAYED, port_mapping: { ...MAPPING, state: "waiting", attempts: [refused] } },
      /^the router gave no port \(192\.168\.1\.1 refuses\): forward/,
    ],
    [
      "a relay that can read",
      { session: { ...RELAYED, trust: "unproven" } },
      /^the session is not sealed: its relay and members of the mesh can read it/,
    ],
    [
      "a clock",
      { session: RELAYED, clock_behind_ms: 9_000 },
      /^the peer's clock .* 9000 ms behind/,
    ],
  ] as const
) {
  Deno.test(`adviseOn() says what to do about ${what}`, () => {
    assert.match(advice(change as Partial<ReachFacts>), expected);
  });
}
