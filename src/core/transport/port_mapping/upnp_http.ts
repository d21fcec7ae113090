/** HTTP to a gateway: one request within its deadline, and the calls in SOAP that travel so. */
import type { Clock } from "../../../base/mod.ts";
import { SOAP_BYTES_MAX, UPNP_DEADLINE_MS } from "./limits.ts";
import { decodeSoapAnswer, encodeSoapCall } from "./soap.ts";
import { type PortMapCounters, PortMapError } from "./types.ts";
import type { WanService } from "./upnp_description.ts";

/** One HTTP request to a gateway. */
export interface GatewayHttpRequest {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** A longer answer is refused. */
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

/** Sends one request, follows no redirect; rejects when the answer is longer than it may be. */
export type GatewayHttp = (
  request: GatewayHttpRequest,
) => Promise<{ readonly status: number; readonly body: Uint8Array }>;

/** What HTTP to a gateway needs. */
export interface GatewayHttpDeps {
  readonly clock: Clock;
  readonly counters: PortMapCounters;
  readonly http: GatewayHttp;
}

/** A gateway answered a call with an error. */
export class UpnpFault extends PortMapError {
  constructor(readonly faultCode: number, message: string) {
    super("refused", message);
  }
}

/** Calls an action of a WAN connection. */
export type SoapCaller = (
  service: WanService,
  action: string,
  values: readonly (readonly [string, string])[],
  signal: AbortSignal | undefined,
) => Promise<{ readonly values: ReadonlyMap<string, string> }>;

/**
 * Makes the caller.
 *
 * @throws UpnpFault when the gateway answers with an error, PortMapError when it does not answer.
 */
export function createSoapCaller(deps: GatewayHttpDeps): SoapCaller {
  return async ({ type, controlUrl }, action, values, signal) => {
    const { hostname } = new URL(controlUrl);
    const { status, body } = await askByHttp(deps, hostname, signal, (signal) => ({
      url: controlUrl,
      method: "POST",
      headers: { "content-type": 'text/xml; charset="utf-8"', soapaction: `"${type}#${action}"` },
      body: encodeSoapCall(type, action, values),
      bytesMax: SOAP_BYTES_MAX,
      signal,
    }));
    const answer = decodeSoapAnswer(new TextDecoder().decode(body), action);
    if (answer?.kind === "fault") {
      const what = answer.description === "" ? "" : ` ${answer.description}`;
      throw new UpnpFault(
        answer.code,
        `${hostname} refuses ${action} by UPnP: ${answer.code}${what}`,
      );
    }
    if (answer === undefined || status !== 200) {
      throw new PortMapError(
        "malformed",
        `${hostname} answers ${action} by UPnP with what can't be read, status ${status}`,
      );
    }
    return answer;
  };
}

/** One HTTP request within its deadline; whatever it throws becomes a {@linkcode PortMapError}. */
export async function askByHttp(
  { clock, counters, http }: GatewayHttpDeps,
  host: string,
  signal: AbortSignal | undefined,
  request: (signal: AbortSignal) => GatewayHttpRequest,
) {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const onAbort = () => controller.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  let isLate = false;
  const cancel = clock.after(UPNP_DEADLINE_MS, () => {
    isLate = true;
    controller.abort();
  });
  counters.http_requests_total += 1;
  try {
    return await http(request(controller.signal));
  } catch (cause) {
    signal?.throwIfAborted();
    throw new PortMapError(
      isLate ? "silent" : "malformed",
      isLate
        ? `${host} does not answer by HTTP within ${UPNP_DEADLINE_MS} ms`
        : `${host} can't be asked by HTTP: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    );
  } finally {
    cancel();
    signal?.removeEventListener("abort", onAbort);
  }
}
