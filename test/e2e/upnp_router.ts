/**
 * The UPnP side of a router, run in its network namespace: answers searches that come by multicast, has
 * a description, and grants ports by rules of the kernel, each without an end.
 *
 * Arguments: the address inside, and the one outside. Each rule is told on standard output.
 */
import {
  describeGateway,
  readCall,
  searchAnswer,
  type SoapCall,
  type SoapReply,
  writeReply,
} from "../core/transport/port_mapping/upnp_words.ts";
import { forwardPort } from "./nat_namespaces.ts";

const GROUP = "239.255.255.250";
const PORT = 1900;
const TARGET = "urn:schemas-upnp-org:device:InternetGatewayDevice:1";
const ONLY_PERMANENT = 725;

if (import.meta.main) await serve(Deno.args[0] ?? "", Deno.args[1] ?? "");

async function serve(inside: string, outside: string): Promise<void> {
  const granted = new Map<string, string>();
  const http = Deno.serve({ hostname: inside, port: 0, onListen: () => {} }, async (request) => {
    if (request.method === "GET") return new Response(describeGateway());
    const call = readCall(request.headers.get("soapaction") ?? "", await request.text());
    return writeReply(call.action, await answerTo(call));
  });
  const location = `http://${inside}:${http.addr.port}/desc.xml`;
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: PORT });
  await socket.joinMulticastV4(GROUP, inside);
  console.log("ready");
  for await (const [request, from] of socket) {
    const text = new TextDecoder().decode(request);
    const isSearch = text.startsWith("M-SEARCH * HTTP/1.1\r\n") &&
      text.includes(`ST: ${TARGET}\r\n`);
    if (isSearch) await socket.send(searchAnswer(location, TARGET), from);
  }

  async function answerTo({ action, values }: SoapCall): Promise<SoapReply> {
    if (action === "GetExternalIPAddress") return { NewExternalIPAddress: outside };
    const port = values.get("NewExternalPort") ?? "";
    if (action === "DeletePortMapping") {
      await forwardPort(Number(port), granted.get(port) ?? "", false);
      console.log(`took ${port} back`);
      return {};
    }
    if (values.get("NewLeaseDuration") !== "0") return ONLY_PERMANENT;
    const to = `${values.get("NewInternalClient")}:${values.get("NewInternalPort")}`;
    if (!granted.has(port)) await forwardPort(Number(port), to, true);
    granted.set(port, to);
    console.log(`gave ${port} to ${to}`);
    return {};
  }
}
