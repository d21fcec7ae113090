/** A subnet service between a pretended transport and a pretended capability service. */
import { Emitter } from "../../src/base/mod.ts";
import { openLedger } from "../../src/core/ledger/mod.ts";
import { localAnnouncement } from "../../src/core/capability/mod.ts";
import { createIdentity } from "../../src/core/crypto/mod.ts";
import type { MeshTransport, RelayGate } from "../../src/core/transport/mod.ts";
import { createMetricRegistry, silentLog } from "../../src/observe/mod.ts";
import {
  type CapabilityChange,
  createSubnetMemory,
  type MeshService,
  SubnetService,
  type SubnetServiceOptions,
} from "../../src/services/mod.ts";

/** Rules of the kit: `r:eu` and `r:us` at the first level, `s:lab` at the second. */
export const RULES = [
  { tagPrefix: "r:", level: 0, values: new Map([["eu", 1], ["us", 2]]) },
  { tagPrefix: "s:", level: 1, values: new Map([["lab", 2]]) },
];

/** Options of {@linkcode startSubnets}. */
export interface SubnetKitOptions extends SubnetServiceOptions {
  readonly path?: string;
  readonly ownTags?: readonly string[];
}

/** A running service and what it does to its surroundings. */
export async function startSubnets({ path, ownTags = [], ...options }: SubnetKitOptions = {}) {
  const ledger = openLedger({ path: path ?? ":memory:" });
  const metrics = createMetricRegistry();
  const changes = new Emitter<[change: CapabilityChange]>();
  const told: number[] = [];
  let gate: RelayGate | undefined;
  const transport: Pick<MeshTransport, "setSubnet" | "setRelayGate"> = {
    setSubnet: (subnet) => void told.push(subnet),
    setRelayGate: (next) => void (gate = next),
  };
  const identities = new Map<number, ReturnType<typeof createIdentity>>();
  const identityOf = (number: number) => {
    const identity = identities.get(number) ?? createIdentity(new Uint8Array(32).fill(number));
    identities.set(number, identity);
    return identity;
  };
  const announcementOf = (number: number, tags: readonly string[], version: bigint) =>
    localAnnouncement({ identity: identityOf(number), tags, version, wallMs: 0 });
  const subnets = new SubnetService({
    log: silentLog,
    metrics,
    // Of the transport it uses these two alone.
    mesh: { transport: transport as MeshTransport } satisfies Pick<MeshService, "transport">,
    capabilities: {
      onChange: (handler) => changes.on(handler),
      own: announcementOf(1, ownTags, 1n),
    },
    memory: createSubnetMemory(ledger),
  }, { rules: RULES, ...options });
  await subnets.start();
  return {
    subnets,
    ledger,
    /** Subnets the transport was told, in turn. */
    told,
    gate: () => gate,
    counters: () => metrics.snapshot(),
    nodeId: (number: number) => identityOf(number).nodeId,
    /** Node 1 is this one itself. */
    announce: (
      number: number,
      tags: readonly string[],
      { version = 1n, isDirect = true }: { version?: bigint; isDirect?: boolean } = {},
    ) => {
      const announcement = announcementOf(number, tags, version);
      changes.emit({
        nodeId: announcement.nodeId,
        known: {
          announcement,
          set: announcement.capabilities,
          isStale: false,
          isOwn: number === 1,
          expiresInMs: undefined,
        },
        isDirect,
      });
    },
    end: (number: number) =>
      changes.emit({ nodeId: identityOf(number).nodeId, known: undefined, isDirect: false }),
    [Symbol.asyncDispose]: async () => {
      await subnets.stop();
      await ledger.close();
    },
  };
}
