/** Settings of the Redis adapter. */
import { BusError } from "../../error.ts";
import {
  type EngineAddress,
  parseEngineAddress,
  prefixOf,
  timeout,
  wholeNumber,
} from "../engine/mod.ts";
import {
  COMMAND_TIMEOUT_MS,
  CONNECT_TIMEOUT_MS,
  PIPELINE_EVENTS,
  PIPELINE_EVENTS_MAX,
} from "./limits.ts";

/** Settings of the Redis adapter; all but `url` have defaults. */
export interface RedisAdapterOptions {
  /** `redis://USER:PASSWORD@HOST:PORT/DB`, or `rediss://` for TLS. */
  readonly url: string;
  /** In place of what the address has. */
  readonly user?: string;
  /** In place of what the address has. */
  readonly password?: string;
  /** PEM of the authority that signed the server's certificate, with `rediss://`. */
  readonly tlsCa?: string;
  /** Keys are `<prefix>:shard:<n>`; `net` when left out. */
  readonly prefix?: string;
  /** Events in one MULTI, 1 to 10,000; 1,000 when left out. */
  readonly pipelineEventsMax?: number;
  /** About how many events a stream keeps (`MAXLEN ~`); all when left out. */
  readonly streamEventsMax?: number;
  /** 5,000 when left out. */
  readonly connectTimeoutMs?: number;
  /** 1,000 when left out. */
  readonly commandTimeoutMs?: number;
}

/** The same, checked. */
export interface RedisSettings {
  readonly address: EngineAddress;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  readonly tls: { readonly ca: string | undefined } | undefined;
  readonly prefix: string;
  readonly pipelineEventsMax: number;
  readonly streamEventsMax: number | undefined;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
}

const DATABASE = /^\d{1,9}$/;
/** Redis takes any bytes in a key; these are hard to see or to type. */
// deno-lint-ignore no-control-regex
const PREFIX = /^[^\s\u0000-\u001f\u007f]+$/;

/** @throws BusError `config`. */
export function redisSettings(options: RedisAdapterOptions): RedisSettings {
  const address = parseEngineAddress(
    options.url,
    { engine: "Redis", schemes: ["redis", "rediss"], portDefault: 6379 },
    [options.password],
  );
  const [database = ""] = address.rest.split("?");
  if (database !== "" && !DATABASE.test(database)) {
    throw new BusError("config", "Cannot use the address of Redis: its database is not a number");
  }
  if (address.scheme !== "rediss" && options.tlsCa !== undefined) {
    throw new BusError("config", "Cannot use tlsCa: the address of Redis is not rediss://");
  }
  return {
    address,
    user: options.user ?? address.user,
    password: options.password ?? address.password,
    database: Number(database),
    tls: address.scheme === "rediss" ? { ca: options.tlsCa } : undefined,
    prefix: prefixOf(options.prefix, PREFIX, "visible characters without spaces"),
    pipelineEventsMax: wholeNumber("pipelineEventsMax", options.pipelineEventsMax, {
      min: 1,
      max: PIPELINE_EVENTS_MAX,
      default: PIPELINE_EVENTS,
    }),
    streamEventsMax: options.streamEventsMax === undefined
      ? undefined
      : wholeNumber("streamEventsMax", options.streamEventsMax, {
        min: 1,
        max: Number.MAX_SAFE_INTEGER,
        default: 1,
      }),
    connectTimeoutMs: timeout("connectTimeoutMs", options.connectTimeoutMs, CONNECT_TIMEOUT_MS),
    commandTimeoutMs: timeout("commandTimeoutMs", options.commandTimeoutMs, COMMAND_TIMEOUT_MS),
  };
}
