/** Maps a port with PCP (RFC 6887). A gateway that only speaks NAT-PMP says so, and is asked in that. */
import { equalBytes, type RandomBytes } from "../../../base/mod.ts";
import { isSameAddress } from "../address.ts";
import { exchange, type ExchangeDeps } from "./gateway_exchange.ts";
import { isPublicIpv4 } from "./ipv4_ranges.ts";
import { GATEWAY_DEADLINE_MS, NAT_PMP_PORT, PCP_BYTES_MAX, RESEND_AT_MS } from "./limits.ts";
import { decodeNatPmpAnswer } from "./nat_pmp.ts";
import { doubleNat, type GatewayClientOptions } from "./nat_pmp_client.ts";
import {
  decodePcpAnswer,
  describePcpResult,
  encodePcpMap,
  PCP_NONCE_BYTES,
  PCP_UNSUPPORTED_VERSION,
  type PcpAnswer,
} from "./pcp.ts";
import {
  type PortMapClient,
  PortMapError,
  type PortMapOptions,
  type PortMapping,
  type PortMapRequest,
} from "./types.ts";

/** What the client needs. */
export interface PcpClientDeps extends ExchangeDeps {
  readonly random: RandomBytes;
}

type PcpMapped = Extract<PcpAnswer, { kind: "mapping" }>;

/** Creates the client; one nonce stands for all its mappings, so that they can be renewed. */
export function createPcpClient(
  deps: PcpClientDeps,
  { port = NAT_PMP_PORT, isExternal = isPublicIpv4 }: GatewayClientOptions = {},
): PortMapClient {
  const nonce = deps.random(PCP_NONCE_BYTES);

  const ask = async (request: PortMapRequest, options: PortMapOptions): Promise<PcpMapped> => {
    const { gateway, internalHost, internalPort } = request;
    const to = { host: gateway, port };
    const answer = await exchange(deps, {
      localHost: internalHost,
      to,
      requests: [encodePcpMap({ ...request, clientHost: internalHost, nonce })],
      sendAtMs: RESEND_AT_MS,
      deadlineMs: GATEWAY_DEADLINE_MS,
      isAnswerer: (from) => isSameAddress(from, to),
      read: (bytes) => readAnswer(bytes, nonce, internalPort),
      bytesMax: PCP_BYTES_MAX,
      signal: options.signal,
    });
    if (answer === undefined) throw new PortMapError("silent", `${gateway} does not answer PCP`);
    if (answer.kind === "mapping") return answer;
    throw new PortMapError(
      answer.result === PCP_UNSUPPORTED_VERSION ? "unsupported" : "refused",
      `${gateway} refuses by PCP: ${describePcpResult(answer.result)}`,
    );
  };

  return {
    protocol: "pcp",
    map: async (request, options = {}): Promise<PortMapping> => {
      const { gateway, internalHost, internalPort } = request;
      const granted = await ask(request, options);
      const { externalHost: host, externalPort, leaseSeconds } = granted;
      if (externalPort === 0 || leaseSeconds === 0) {
        throw new PortMapError("malformed", `${gateway} grants port or lease 0 by PCP`);
      }
      if (!isExternal(host)) {
        // Nobody will use it; that it ends by itself is enough where this fails.
        await ask({ ...request, externalPort: 0, leaseSeconds: 0 }, options).catch(() => {});
        throw doubleNat(gateway, host);
      }
      return {
        protocol: "pcp",
        external: { host, port: externalPort },
        internalHost,
        internalPort,
        gateway,
        leaseSeconds: Math.min(leaseSeconds, request.leaseSeconds),
      };
    },
    unmap: async (mapping, options = {}): Promise<void> => {
      await ask({ ...mapping, externalPort: 0, leaseSeconds: 0 }, options);
    },
  };
}

/** An answer to our own request: the nonce and the port must be ours. */
function readAnswer(
  bytes: Uint8Array,
  nonce: Uint8Array,
  internalPort: number,
): PcpAnswer | undefined {
  // A gateway of NAT-PMP refuses the version in its own words, which repeat no nonce.
  const older = decodeNatPmpAnswer(bytes);
  if (older?.kind === "failure") {
    return { kind: "failure", result: PCP_UNSUPPORTED_VERSION, nonce };
  }
  const answer = decodePcpAnswer(bytes);
  if (answer === undefined) return undefined;
  if (answer.kind === "failure" && answer.result === PCP_UNSUPPORTED_VERSION) return answer;
  if (!equalBytes(answer.nonce, nonce)) return undefined;
  return answer.kind === "mapping" && answer.internalPort !== internalPort ? undefined : answer;
}
