/** Maps a port with NAT-PMP (RFC 6886): the external address first, then the mapping. */
import { isSameAddress } from "../address.ts";
import { exchange, type ExchangeDeps } from "./gateway_exchange.ts";
import { isPublicIpv4 } from "./ipv4_ranges.ts";
import { GATEWAY_DEADLINE_MS, NAT_PMP_PORT, RESEND_AT_MS } from "./limits.ts";
import {
  decodeNatPmpAnswer,
  describeNatPmpResult,
  encodeExternalAddressRequest,
  encodeMapRequest,
  NAT_PMP_UNSUPPORTED_VERSION,
  type NatPmpAnswer,
} from "./nat_pmp.ts";
import {
  type GatewayPlace,
  type PortMapClient,
  PortMapError,
  type PortMapOptions,
  type PortMapping,
  type PortMapRequest,
} from "./types.ts";

/** Largest answer that RFC 6886 knows, and some bytes for what a later one may add. */
const ANSWER_BYTES_MAX = 64;

/** Options of the clients that ask a gateway over UDP. */
export interface GatewayClientOptions {
  /** Where the gateway listens; 5351 when left out. */
  readonly port?: number;
  /** Which addresses count as reachable from outside; those of the internet when left out. */
  readonly isExternal?: (host: string) => boolean;
}

/** Creates the client. */
export function createNatPmpClient(
  deps: ExchangeDeps,
  { port = NAT_PMP_PORT, isExternal = isPublicIpv4 }: GatewayClientOptions = {},
): PortMapClient {
  /** The answer of the wanted kind, or the failure of the same operation. */
  const ask = async <K extends NatPmpAnswer["kind"]>(
    { gateway, internalHost }: GatewayPlace,
    request: Uint8Array,
    kind: K,
    accept: (answer: Extract<NatPmpAnswer, { kind: K }>) => boolean,
    options: PortMapOptions,
  ): Promise<Extract<NatPmpAnswer, { kind: K }>> => {
    const to = { host: gateway, port };
    const isWanted = (answer: NatPmpAnswer): answer is Extract<NatPmpAnswer, { kind: K }> =>
      answer.kind === kind;
    const answer = await exchange(deps, {
      localHost: internalHost,
      to,
      requests: [request],
      sendAtMs: RESEND_AT_MS,
      deadlineMs: GATEWAY_DEADLINE_MS,
      isAnswerer: (from) => isSameAddress(from, to),
      read: (bytes) => {
        const read = decodeNatPmpAnswer(bytes);
        if (read === undefined) return undefined;
        if (read.kind === "failure") return read.op === request[1] ? read : undefined;
        return isWanted(read) && accept(read) ? read : undefined;
      },
      bytesMax: ANSWER_BYTES_MAX,
      signal: options.signal,
    });
    if (answer === undefined) {
      throw new PortMapError("silent", `${gateway} does not answer NAT-PMP`);
    }
    if (isWanted(answer)) return answer;
    const result = answer.kind === "failure" ? answer.result : 0;
    throw new PortMapError(
      result === NAT_PMP_UNSUPPORTED_VERSION ? "unsupported" : "refused",
      `${gateway} refuses by NAT-PMP: ${describeNatPmpResult(result)}`,
    );
  };

  return {
    protocol: "nat-pmp",
    map: async (request: PortMapRequest, options = {}): Promise<PortMapping> => {
      const { gateway, internalHost, internalPort, externalPort, leaseSeconds } = request;
      const { host } = await ask(
        request,
        encodeExternalAddressRequest(),
        "external-address",
        () => true,
        options,
      );
      if (!isExternal(host)) throw doubleNat(gateway, host);
      const granted = await ask(
        request,
        encodeMapRequest({ internalPort, externalPort, leaseSeconds }),
        "mapping",
        (answer) => answer.internalPort === internalPort,
        options,
      );
      if (granted.externalPort === 0 || granted.leaseSeconds === 0) {
        throw new PortMapError("malformed", `${gateway} grants port or lease 0 by NAT-PMP`);
      }
      return {
        protocol: "nat-pmp",
        external: { host, port: granted.externalPort },
        internalHost,
        internalPort,
        gateway,
        leaseSeconds: Math.min(granted.leaseSeconds, leaseSeconds),
      };
    },
    unmap: async (mapping: PortMapping, options = {}): Promise<void> => {
      const { internalPort } = mapping;
      const request = encodeMapRequest({ internalPort, externalPort: 0, leaseSeconds: 0 });
      await ask(
        mapping,
        request,
        "mapping",
        (answer) => answer.internalPort === internalPort && answer.leaseSeconds === 0,
        options,
      );
    },
  };
}

/** What is said of a gateway that stands behind a NAT itself. */
export function doubleNat(gateway: string, host: string): PortMapError {
  return new PortMapError(
    "double-nat",
    `${gateway} has ${host} outside, which the internet can't reach: another NAT stands behind it`,
  );
}
