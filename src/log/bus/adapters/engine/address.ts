/**
 * Addresses of engines, `scheme://user:password@host:port/rest`, and keeping what is secret in them out of every
 * error and log.
 *
 * Passwords with an unencoded `@`, `/` or `#` are common, and a URL parser would take half of one for the host, to
 * show it in an error later. Here all before the last `@` is user and password.
 */
import { BusError } from "../../error.ts";
import { ENGINE_TEXT_LENGTH_MAX } from "./limits.ts";

/** Takes secrets out of a text. */
export type Redact = (text: string) => string;

/** An address taken apart. */
export interface EngineAddress {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Behind the port, without its first `/`. */
  readonly rest: string;
  /** `host:port`, fit for errors. */
  readonly place: string;
  readonly redact: Redact;
}

/** What {@linkcode parseEngineAddress} accepts. */
export interface EngineAddressRules {
  /** What the engine is called in errors. */
  readonly engine: string;
  readonly schemes: readonly string[];
  readonly portDefault: number;
}

const ADDRESS = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is;
const PLACE = /^(?:\[([0-9a-f:.]+)\]|([^\s:/?#@[\]]+))(?::(\d{1,5}))?(?:\/(.*))?$/is;
const HIDDEN = "***";
/** A shorter secret would show itself by what is missing from a text. */
const SECRET_LENGTH_MIN = 4;

/**
 * Takes an address apart.
 *
 * @param secrets What else must not be seen, for example a password that came by other ways.
 * @throws BusError `config`, which says nothing of the address but its scheme.
 */
export function parseEngineAddress(
  address: string,
  { engine, schemes, portDefault }: EngineAddressRules,
  secrets: readonly (string | undefined)[] = [],
): EngineAddress {
  const wrong = (what: string) =>
    new BusError("config", `Cannot use the address of ${engine}: ${what}`, {
      next: `write it as ${schemes[0]}://USER:PASSWORD@HOST:PORT`,
    });
  const [, scheme = "", behind = ""] = ADDRESS.exec(address) ?? [];
  if (!schemes.includes(scheme.toLowerCase())) {
    throw wrong(`its scheme must be one of ${schemes.join(", ")}`);
  }
  const at = behind.lastIndexOf("@");
  const credentials = at < 0 ? undefined : behind.slice(0, at);
  const [, host6, hostName, port, rest = ""] = PLACE.exec(behind.slice(at + 1)) ?? [];
  const host = host6 ?? hostName;
  if (host === undefined) throw wrong("its host is missing or not one");
  const portNumber = port === undefined ? portDefault : Number(port);
  if (portNumber < 1 || portNumber > 0xffff) throw wrong("its port must be between 1 and 65535");
  const colon = credentials?.indexOf(":") ?? -1;
  const user = colon < 0 ? credentials : credentials?.slice(0, colon);
  const password = colon < 0 ? undefined : credentials?.slice(colon + 1);
  const hidden = [address, credentials, password, decoded(password), ...secrets];
  // A user without a password is a token on NATS.
  if (password === undefined) hidden.push(user, decoded(user));
  return {
    scheme: scheme.toLowerCase(),
    host,
    port: portNumber,
    user: emptyAsNone(decoded(user)),
    password: emptyAsNone(decoded(password)),
    rest,
    place: host6 === undefined ? `${host}:${portNumber}` : `[${host}]:${portNumber}`,
    redact: createRedact(hidden),
  };
}

/** Hides the given secrets, and whatever else looks like a user and password of an address. */
export function createRedact(secrets: readonly (string | undefined)[]): Redact {
  const known = [...new Set(secrets)].filter((secret) => secret !== undefined && secret !== "")
    .sort((a, b) => (b?.length ?? 0) - (a?.length ?? 0)) as string[];
  return (text) => {
    for (const secret of known) {
      if (!text.includes(secret)) continue;
      if (secret.length < SECRET_LENGTH_MIN) return HIDDEN;
      text = text.replaceAll(secret, HIDDEN);
    }
    return text.replace(/([a-z][a-z0-9+.-]*:\/\/)\S*@/gi, `$1${HIDDEN}@`)
      .slice(0, ENGINE_TEXT_LENGTH_MAX);
  };
}

function decoded(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function emptyAsNone(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
