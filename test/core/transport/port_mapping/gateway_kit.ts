/** A gateway of pretence on loopback sockets: NAT-PMP and PCP, SSDP, and HTTP for UPnP. */
import { systemRandom } from "../../../../src/base/mod.ts";
import {
  createPortMapCounters,
  openUdpSocket,
  type PortMapRequest,
} from "../../../../src/core/transport/mod.ts";
import { askGatewayByHttp } from "../../../../src/services/nat/gateway_http.ts";
import {
  describeGateway,
  readCall,
  type SoapCall,
  type SoapReply,
  writeReply,
} from "./upnp_words.ts";
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

/** Options of {@linkcode HttpGateway}. */
export interface HttpGatewayOptions {
  readonly reply?: (call: SoapCall) => SoapReply;
  readonly description?: (port: number) => string | Response;
  /** Takes the place of every answer to a call. */
  readonly soap?: () => Response | Promise<Response>;
}

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
