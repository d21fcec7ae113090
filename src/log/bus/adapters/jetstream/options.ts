/** Settings of the JetStream adapter. */
import { BusError } from "../../error.ts";
import {
  type EngineAddress,
  parseEngineAddress,
  prefixOf,
  type Redact,
  timeout,
  wholeNumber,
} from "../engine/mod.ts";
import {
  CONNECT_TIMEOUT_MS,
  DEDUP_WINDOW_S,
  DEDUP_WINDOW_S_MAX,
  REPLICAS_MAX,
  REQUEST_TIMEOUT_MS,
} from "./limits.ts";

/** Settings of the JetStream adapter; all but `url` have defaults. */
export interface JetStreamAdapterOptions {
  /** `nats://USER:PASSWORD@HOST:PORT`, `nats://TOKEN@HOST:PORT`, or `tls://`; several for a cluster. */
  readonly url: string | readonly string[];
  /** In place of what the address has. */
  readonly user?: string;
  /** In place of what the address has. */
  readonly password?: string;
  /** In place of user and password. */
  readonly token?: string;
  /** Text of a file of credentials (`.creds`), in place of user and password. */
  readonly credentials?: string;
  /** PEM of the authority that signed the server's certificate, with `tls://`. */
  readonly tlsCa?: string;
  /** Streams are `<prefix>_shard_<n>` with the subject `<prefix>.shard.<n>`; `net` when left out. */
  readonly prefix?: string;
  /** Copies of each event in a cluster, 1 to 5; 1 when left out. */
  readonly replicas?: number;
  /** How long repeats are known, in seconds; an hour when left out. */
  readonly dedupWindowS?: number;
  /** What a stream keeps at most, the oldest going first; all when left out. */
  readonly streamEventsMax?: number;
  readonly streamBytesMax?: number;
  readonly streamAgeSMax?: number;
  /** 5,000 when left out. */
  readonly connectTimeoutMs?: number;
  /** 5,000 when left out. */
  readonly requestTimeoutMs?: number;
}

/** The same, checked. */
export interface JetStreamSettings {
  readonly addresses: readonly EngineAddress[];
  /** Of the first address, fit for errors. */
  readonly place: string;
  readonly redact: Redact;
  readonly login:
    | { readonly user: string; readonly pass: string }
    | { readonly token: string }
    | { readonly credentials: string }
    | undefined;
  readonly tls: { readonly ca: string | undefined } | undefined;
  readonly prefix: string;
  readonly replicas: number;
  readonly dedupWindowS: number;
  readonly streamEventsMax: number | undefined;
  readonly streamBytesMax: number | undefined;
  readonly streamAgeSMax: number | undefined;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

const PREFIX = /^[A-Za-z0-9_-]+$/;
const RULES = { engine: "NATS", schemes: ["nats", "tls"], portDefault: 4222 };

/** @throws BusError `config`. */
export function jetStreamSettings(options: JetStreamAdapterOptions): JetStreamSettings {
  const { url, password, token, credentials, tlsCa } = options;
  const addresses = (typeof url === "string" ? [url] : url).map((each) =>
    parseEngineAddress(each, RULES, [password, token, credentials])
  );
  const [first] = addresses;
  if (first === undefined) throw new BusError("config", "Cannot use NATS: it has no address");
  const isTls = addresses.some(({ scheme }) => scheme === "tls");
  if (!isTls && tlsCa !== undefined) {
    throw new BusError("config", "Cannot use tlsCa: no address of NATS is tls://");
  }
  const window = { min: 1, max: DEDUP_WINDOW_S_MAX, default: DEDUP_WINDOW_S };
  return {
    addresses,
    place: addresses.map(({ place }) => place).join(", "),
    redact: (text) => addresses.reduce((each, { redact }) => redact(each), text),
    login: loginOf(options, first),
    tls: isTls ? { ca: tlsCa } : undefined,
    prefix: prefixOf(options.prefix, PREFIX, "letters, digits, - and _"),
    replicas: wholeNumber("replicas", options.replicas, { min: 1, max: REPLICAS_MAX, default: 1 }),
    dedupWindowS: wholeNumber("dedupWindowS", options.dedupWindowS, window),
    streamEventsMax: bound("streamEventsMax", options.streamEventsMax),
    streamBytesMax: bound("streamBytesMax", options.streamBytesMax),
    streamAgeSMax: bound("streamAgeSMax", options.streamAgeSMax, DEDUP_WINDOW_S_MAX * 1_000),
    connectTimeoutMs: timeout("connectTimeoutMs", options.connectTimeoutMs, CONNECT_TIMEOUT_MS),
    requestTimeoutMs: timeout("requestTimeoutMs", options.requestTimeoutMs, REQUEST_TIMEOUT_MS),
  };
}

function loginOf(
  options: JetStreamAdapterOptions,
  address: EngineAddress,
): JetStreamSettings["login"] {
  if (options.credentials !== undefined) return { credentials: options.credentials };
  const user = options.user ?? address.user;
  const pass = options.password ?? address.password;
  const token = options.token ?? (pass === undefined ? user : undefined);
  if (token !== undefined) return { token };
  return user === undefined || pass === undefined ? undefined : { user, pass };
}

function bound(
  name: string,
  value: number | undefined,
  max = Number.MAX_SAFE_INTEGER,
): number | undefined {
  return value === undefined ? undefined : wholeNumber(name, value, { min: 1, max, default: 1 });
}
