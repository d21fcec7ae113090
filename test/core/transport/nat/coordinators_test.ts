import assert from "node:assert/strict";
import { chooseCoordinators } from "../../../../src/core/transport/nat/coordinators.ts";
import type { PeerInfo, RouteInfo } from "../../../../src/core/transport/mod.ts";

const TARGET = 9n;

function peer(nodeId: bigint, facts: Partial<PeerInfo> = {}): PeerInfo {
  return {
    nodeId,
    address: { host: `203.0.113.${nodeId}`, port: 1 },
    state: "connected",
    form: "routed",
    isRelayed: false,
    initiator: true,
    isSealed: true,
    hasDouble: false,
    sessionAgeMs: 0,
    streams: 0,
    rttMs: undefined,
    reflex: undefined,
    idleMs: 0,
    packetsSent: 0,
    packetsReceived: 0,
    bytesSent: 0,
    bytesReceived: 0,
    ...facts,
  };
}

function route(via: bigint): RouteInfo {
  return { nodeId: TARGET, via, metric: 3, isProtected: false, isSuspected: false, ageMs: 0 };
}

function choose(peers: PeerInfo[], routes: RouteInfo[] = [], capable: bigint[] = []): bigint[] {
  return chooseCoordinators(TARGET, {
    peers,
    routes,
    isRelayCapable: (nodeId) => capable.includes(nodeId),
  });
}

Deno.test("chooseCoordinators() prefers the next hop, then those that offer, then anybody", () => {
  const peers = [peer(1n), peer(2n), peer(3n)];
  assert.deepEqual(choose(peers, [route(3n)], [2n]), [3n, 2n, 1n]);
});

Deno.test("chooseCoordinators() prefers the relay of the present session to any route", () => {
  const relayed = peer(TARGET, { isRelayed: true, address: peer(1n).address });
  assert.deepEqual(choose([peer(1n), peer(2n), relayed], [route(2n)]), [1n, 2n]);
});

Deno.test("chooseCoordinators() leaves out the target, relayed peers and those that are gone", () => {
  const peers = [
    peer(TARGET),
    peer(1n, { isRelayed: true }),
    peer(2n, { state: "failed" }),
    peer(4n),
  ];
  assert.deepEqual(choose(peers), [4n]);
});

Deno.test("chooseCoordinators() names three at the most, of equals the fastest", () => {
  const peers = [5, 1, 4, 2, 3].map((ms) => peer(BigInt(ms), { rttMs: ms }));
  assert.deepEqual(choose(peers), [1n, 2n, 3n]);
});
