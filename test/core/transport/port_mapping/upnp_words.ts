/** What UPnP gateways of pretence say and hear: searches, descriptions, calls. */

const WAN_TYPE = "urn:schemas-upnp-org:service:WANIPConnection:1";

/** One call that a pretended WAN connection got. */
export interface SoapCall {
  readonly action: string;
  readonly values: ReadonlyMap<string, string>;
}

/** What a WAN connection answers to a call: its values, or an error code. */
export type SoapReply = Readonly<Record<string, string>> | number;

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

/** Reads a call from its header and body. */
export function readCall(soapAction: string, body: string): SoapCall {
  const action = /^"?[^#"]+#(\w+)"?$/.exec(soapAction)?.[1] ?? "";
  const inner = new RegExp(`<u:${action}[^>]*>(.*)</u:${action}>`, "s").exec(body)?.[1] ?? "";
  const values = [...inner.matchAll(/<(\w+)>([^<]*)<\/\1>/g)];
  return { action, values: new Map(values.map(([, name = "", text = ""]) => [name, text])) };
}

/** What a WAN connection writes. */
export function writeReply(action: string, reply: SoapReply): Response {
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
