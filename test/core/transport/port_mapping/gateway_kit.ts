/** A gateway of pretence on loopback sockets: NAT-PMP and PCP, SSDP, and HTTP for UPnP. */
import { systemRandom } from "../../../../src/base/mod.ts";
import {
  createPortMapCounters,
  openUdpSocket,
  type PortMapRequest,
} from "../../../../src/core/transport/mod.ts";
import { askGatewayByHttp } from "../../../../src/services/nat/gateway_http.ts";
import { ManualClock } from "../../../sim/manual_clock.ts";

/** Where gateway and client are. */
export const HOST = "127.0.0.1";

/** A mapping of port 4000 that is wanted. */
export const REQUEST: PortMapRequest = {
  gateway: HOST,
  internalHost: HOST,
  internalPort: 4000,
  externalPort: 4000,
  leaseSeconds: 3600,
};

/** What every client needs, with a clock that stands still. */
export function clientDeps() {
  return {
    clock: new ManualClock(),
    counters: createPortMapCounters(),
    openSocket: openUdpSocket,
    random: systemRandom,
    http: askGatewayByHttp,
  };
}

/** A socket that answers each datagram with some others, or with none. */
export class UdpGateway implements AsyncDisposable {
  readonly heard: Uint8Array[] = [];
  readonly #socket: Deno.DatagramConn;
  readonly #answer: (bytes: Uint8Array) => readonly Uint8Array[];
  readonly #done: Promise<void>;
  readonly #waiting: (() => void)[] = [];

  constructor(answer: (bytes: Uint8Array) => readonly Uint8Array[], host = HOST) {
    this.#answer = answer;
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname: host, port: 0 });
    this.#done = this.#serve();
  }

  get port(): number {
    return (this.#socket.addr as Deno.NetAddr).port;
  }

  /** Sends from the gateway's own port. */
  async send(bytes: Uint8Array, port: number): Promise<void> {
    await this.#socket.send(bytes, { transport: "udp", hostname: HOST, port });
  }

  /** Resolves when `count` datagrams were heard. */
  async untilHeard(count: number): Promise<void> {
    while (this.heard.length < count) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#done;
  }

  async #serve(): Promise<void> {
    for (;;) {
      try {
        const [bytes, from] = await this.#socket.receive(new Uint8Array(2048));
        this.heard.push(bytes.slice());
        for (const resolve of this.#waiting.splice(0)) resolve();
        for (const answer of this.#answer(bytes)) await this.#socket.send(answer, from);
      } catch {
        // Closed.
        return;
      }
    }
  }
}

/** One call that a pretended WAN connection got. */
export interface SoapCall {
  readonly action: string;
  readonly values: ReadonlyMap<string, string>;
}

/** What a WAN connection answers to a call: its values, or an error code. */
export type SoapReply = Readonly<Record<string, string>> | number;

/** Options of {@linkcode HttpGateway}. */
export interface HttpGatewayOptions {
  readonly reply?: (call: SoapCall) => SoapReply;
  readonly description?: (port: number) => string | Response;
  /** Takes the place of every answer to a call. */
  readonly soap?: () => Response | Promise<Response>;
}

const WAN_TYPE = "urn:schemas-upnp-org:service:WANIPConnection:1";

/** The HTTP side of a UPnP gateway. */
export class HttpGateway implements AsyncDisposable {
  readonly calls: SoapCall[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(options: HttpGatewayOptions = {}) {
    this.#server = Deno.serve({ hostname: HOST, port: 0, onListen: () => {} }, async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/desc.xml") {
        const made = (options.description ?? (() => describeGateway()))(this.port);
        return typeof made === "string" ? new Response(made) : made;
      }
      const body = await request.text();
      if (options.soap !== undefined) return await options.soap();
      const call = readCall(request.headers.get("soapaction") ?? "", body);
      this.calls.push(call);
      return writeReply(call.action, (options.reply ?? grantAll)(call));
    });
  }

  get port(): number {
    return this.#server.addr.port;
  }

  get location(): string {
    return `http://${HOST}:${this.port}/desc.xml`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** Grants every mapping; the address outside is 198.51.100.7. */
export function grantAll({ action }: SoapCall): SoapReply {
  return action === "GetExternalIPAddress" ? { NewExternalIPAddress: "198.51.100.7" } : {};
}

/** A description as routers have them. */
export function describeGateway(controlUrl = "/ctl", type = WAN_TYPE, base = ""): string {
  return `<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major></specVersion>${base}
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>
<serviceList><service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType>
<controlURL>/l3f</controlURL></service></serviceList>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType>
<deviceList><device><serviceList><service><serviceType>${type}</serviceType>
<controlURL>${controlUrl}</controlURL></service></serviceList></device></deviceList>
</device></deviceList></device></root>`;
}

/** An answer to a search. */
export function searchAnswer(location: string, target?: string): Uint8Array {
  const st = target ?? "urn:schemas-upnp-org:device:InternetGatewayDevice:1";
  return new TextEncoder().encode(
    `HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: ${st}\r\nEXT:\r\nLOCATION: ${location}\r\n\r\n`,
  );
}

function readCall(soapAction: string, body: string): SoapCall {
  const action = /^"?[^#"]+#(\w+)"?$/.exec(soapAction)?.[1] ?? "";
  const inner = new RegExp(`<u:${action}[^>]*>(.*)</u:${action}>`, "s").exec(body)?.[1] ?? "";
  const values = [...inner.matchAll(/<(\w+)>([^<]*)<\/\1>/g)];
  return { action, values: new Map(values.map(([, name = "", text = ""]) => [name, text])) };
}

function writeReply(action: string, reply: SoapReply): Response {
  const envelope = (body: string) =>
    `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>${body}</s:Body></s:Envelope>`;
  if (typeof reply === "number") {
    const fault = `<s:Fault><faultcode>s:Client</faultcode><detail><UPnPError><errorCode>${reply}` +
      `</errorCode><errorDescription>no &lt;luck&gt;</errorDescription></UPnPError></detail></s:Fault>`;
    return new Response(envelope(fault), { status: 500 });
  }
  const members = Object.entries(reply).map(([name, text]) => `<${name}>${text}</${name}>`);
  const body = `<u:${action}Response xmlns:u="${WAN_TYPE}">${
    members.join("")
  }</u:${action}Response>`;
  return new Response(envelope(body));
}
