/** Calls of a WAN connection in SOAP, and what comes back (UPnP Device Architecture 1.1, 3.2). */
import { parseXml, xmlChild } from "./xml.ts";

/** Error codes of WANIPConnection that have a remedy. */
export const UPNP_CONFLICT = 718;
export const UPNP_SAME_PORTS_REQUIRED = 724;
export const UPNP_ONLY_PERMANENT_LEASES = 725;

/** What a call gave. */
export type SoapAnswer =
  | { readonly kind: "values"; readonly values: ReadonlyMap<string, string> }
  | { readonly kind: "fault"; readonly code: number; readonly description: string };

/** More of a description is not worth showing. */
const DESCRIPTION_CHARACTERS_MAX = 80;

/**
 * The body of a call.
 *
 * @param service Type of the service, one of ours.
 * @param values Arguments in the order that the service declares.
 */
export function encodeSoapCall(
  service: string,
  action: string,
  values: readonly (readonly [name: string, value: string])[],
): string {
  const members = values.map(([name, value]) => `<${name}>${escapeXml(value)}</${name}>`).join("");
  return '<?xml version="1.0"?>\n' +
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ' +
    's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>' +
    `<u:${action} xmlns:u="${escapeXml(service)}">${members}</u:${action}>` +
    "</s:Body></s:Envelope>";
}

/** Reads what came back from calling `action`; `undefined` for what is no answer to it. */
export function decodeSoapAnswer(text: string, action: string): SoapAnswer | undefined {
  const root = parseXml(text);
  const body = root?.name === "Envelope" ? xmlChild(root, "Body") : undefined;
  const fault = xmlChild(body, "Fault");
  if (fault !== undefined) {
    const error = xmlChild(fault, "detail", "UPnPError");
    const code = xmlChild(error, "errorCode")?.text ?? "";
    if (!/^[0-9]{1,5}$/.test(code)) return undefined;
    const description = xmlChild(error, "errorDescription")?.text ?? "";
    return {
      kind: "fault",
      code: Number(code),
      description: printable(description.slice(0, DESCRIPTION_CHARACTERS_MAX)),
    };
  }
  const answer = xmlChild(body, `${action}Response`);
  if (answer === undefined) return undefined;
  return {
    kind: "values",
    values: new Map(answer.children.map(({ name, text }) => [name, text] as const)),
  };
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** It goes into messages: what could steer a terminal is left out. */
function printable(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ");
}
