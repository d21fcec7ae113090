/**
 * Settings of the log and of the event bus: how they are written, and their layers.
 *
 * The address of a bus engine may hold a password, so it is in no message.
 */
import { NetError, parseId } from "../base/mod.ts";
import type { Layers } from "./layers.ts";
import { parseDuration } from "./parse.ts";
import { absolutePath } from "./paths.ts";

/** Engines that can keep what the bus has gathered. */
export const BUS_ENGINES = ["log", "noop", "redis", "jetstream", "mesh"] as const;
/** One of {@linkcode BUS_ENGINES}. */
export type BusEngine = (typeof BUS_ENGINES)[number];

/** Most shards of the bus (`storage.md` 2.1). */
const BUS_SHARDS_MAX = 65_535;

/** Most nodes that can be named to feed the bus. */
const BUS_SOURCES_MAX = 64;

/** Smaller segments are more files than events are worth; larger ones do not fit 32-bit places (3.3). */
const SEGMENT_BYTES_MIN = 64 * 1024;
const SEGMENT_BYTES_MAX = 3 * 1024 ** 3;

/** The platform's timers hold no more: 24.8 days. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** When what was appended to a log is put on the device. */
export type FsyncSpec =
  | { readonly kind: "never" }
  | { readonly kind: "every-n"; readonly records: number }
  | { readonly kind: "interval"; readonly ms: number }
  | { readonly kind: "interval-or-bytes"; readonly ms: number; readonly bytes: number };

/** What of a log may be forgotten, oldest first. */
export interface RetentionSpec {
  readonly eventsMax?: number;
  readonly bytesMax?: number;
  readonly ageMaxMs?: number;
}

/** Bytes of a size: a number with `B`, `K`, `M`, `G` or `T` as powers of 1024, such as `512M` or `1.5GiB`. */
export function parseSize(text: string): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,15}(?:\.\d{1,3})?)([KMGT]?)(?:i?B)?$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const power = unit === "" ? 0 : "KMGT".indexOf(unit.toUpperCase()) + 1;
  const bytes = Math.floor(Number(digits) * 1024 ** power);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** `never`, `every:N`, `interval:TIME`, `bytes:SIZE`, or `interval:TIME,bytes:SIZE`. */
export function parseFsync(text: string): FsyncSpec | undefined {
  if (text === "never") return { kind: "never" };
  const parts = readParts(text);
  if (parts === undefined) return undefined;
  const { every, interval, bytes, ...others } = parts;
  if (Object.keys(others).length > 0) return undefined;
  if (every !== undefined) {
    const records = parseCount(every);
    const isAlone = interval === undefined && bytes === undefined;
    return isAlone && records !== undefined ? { kind: "every-n", records } : undefined;
  }
  const ms = interval === undefined ? 0 : parseDuration(interval) ?? 0;
  if (interval !== undefined && (ms < 1 || ms > TIMER_MS_MAX)) return undefined;
  if (bytes === undefined) return ms > 0 ? { kind: "interval", ms } : undefined;
  const size = parseSize(bytes) ?? 0;
  return size > 0 ? { kind: "interval-or-bytes", ms, bytes: size } : undefined;
}

/** `all`, or any of `events:N`, `bytes:SIZE`, `age:TIME` with commas between. */
export function parseRetention(text: string): RetentionSpec | undefined {
  if (text === "all") return {};
  const parts = readParts(text);
  if (parts === undefined) return undefined;
  const { events, bytes, age, ...others } = parts;
  if (Object.keys(others).length > 0) return undefined;
  const spec = {
    ...(events === undefined ? {} : { eventsMax: parseCount(events) }),
    ...(bytes === undefined ? {} : { bytesMax: parseSize(bytes) }),
    ...(age === undefined ? {} : { ageMaxMs: parseAge(age) }),
  };
  const isValid = Object.values(spec).every((value) => value !== undefined && value > 0);
  return isValid ? spec : undefined;
}

/** What a full ring of the bus does. */
export type BusFullSpec =
  | { readonly kind: "drop-newest" | "drop-oldest" | "fail-producer" }
  | { readonly kind: "sample"; readonly rate: number };

/** `drop-newest`, `drop-oldest`, `fail`, or `sample:N`. */
export function parseBusFull(text: string): BusFullSpec | undefined {
  if (text === "drop-newest" || text === "drop-oldest") return { kind: text };
  if (text === "fail" || text === "fail-producer") return { kind: "fail-producer" };
  const rate = parseCount(/^sample:(.+)$/.exec(text)?.[1] ?? "");
  return rate === undefined ? undefined : { kind: "sample", rate };
}

/** Settings of the log and the bus; what is `undefined` follows the service. */
export interface LogSettings {
  /** When appended events go to the device. */
  readonly logFsync: FsyncSpec | undefined;
  /** What may be forgotten. */
  readonly logKeep: RetentionSpec | undefined;
  /** Payload bytes of one segment on disk. */
  readonly logSegment: number | undefined;
  /** How often retention runs in milliseconds; 0 for never by itself. */
  readonly logSweepMs: number | undefined;
  /** Engine that keeps what the bus has gathered; `undefined` for the log. */
  readonly bus: BusEngine | undefined;
  /** Address of that engine, or `@` and the absolute path of a file with it; a secret, never logged. */
  readonly busUrl: string | undefined;
  /** Node that gets the events, with the engine `mesh`. */
  readonly busPeer: bigint | undefined;
  /** Nodes whose buses may feed this one's; none of them when empty. */
  readonly busAccept: readonly bigint[] | "any";
  readonly busShards: number | undefined;
  readonly busFull: BusFullSpec | undefined;
}

/** Reads the settings of the log and the bus. */
export function readLogSettings(layers: Layers, cwd: string): LogSettings {
  const bus = layers.read(
    "bus",
    (text) => BUS_ENGINES.find((engine) => engine === text),
    `must be one of ${BUS_ENGINES.join(", ")}`,
  );
  const given = layers.given("busUrl");
  const needsUrl = bus === "redis" || bus === "jetstream";
  if (needsUrl && given === undefined) {
    throw new NetError("usage", `Cannot use the bus engine ${bus}: its address is missing`, {
      next: "give --bus-url URL, --bus-url @FILE or NET_BUS_URL",
    });
  }
  if (given?.origin === "flag" && !needsUrl) {
    throw new NetError("usage", "Cannot use --bus-url: the bus needs no address", {
      next: "add --bus redis or --bus jetstream",
    });
  }
  return {
    logFsync: layers.read(
      "logFsync",
      parseFsync,
      "must be never, every:N, interval:TIME or interval:TIME,bytes:SIZE",
    ),
    logKeep: layers.read(
      "logKeep",
      parseRetention,
      "must be all, or events:N, bytes:SIZE, age:TIME with commas between",
    ),
    logSegment: layers.read(
      "logSegment",
      parseSegment,
      "must be a size of 64K to 3G, such as 256M",
    ),
    logSweepMs: layers.read("logSweep", parseSweep, "must be a duration up to 24h, or never"),
    bus,
    busUrl: needsUrl ? atPath(given?.text, cwd) : undefined,
    busPeer: readBusPeer(layers, bus),
    busAccept: readBusAccept(layers),
    busShards: layers.read("busShards", parseShards, `must be 1 to ${BUS_SHARDS_MAX}`),
    busFull: layers.read(
      "busFull",
      parseBusFull,
      "must be drop-newest, drop-oldest, fail or sample:N",
    ),
  };
}

/** The node that gets the events, if one does. */
function readBusPeer(layers: Layers, bus: BusEngine | undefined): bigint | undefined {
  const given = layers.given("busPeer");
  const peer = layers.parse(given, parseNodeId, "must be a node id of 16 hex digits");
  if (bus === "mesh" && peer === undefined) {
    throw new NetError(
      "usage",
      "Cannot use the bus engine mesh: it is not said who gets the events",
      {
        next: "give --bus-peer NODEID or NET_BUS_PEER; net node status there prints the id",
      },
    );
  }
  if (given?.origin === "flag" && bus !== "mesh") {
    throw new NetError("usage", "Cannot use --bus-peer: the bus hands its events to no node", {
      next: "add --bus mesh",
    });
  }
  return bus === "mesh" ? peer : undefined;
}

function readBusAccept(layers: Layers): readonly bigint[] | "any" {
  const parse = (text: string) => text === "any" ? text : parseNodeId(text);
  const required = "must be a node id of 16 hex digits, or any";
  const accepted = layers.readAll("busAccept", parse, required, BUS_SOURCES_MAX);
  const ids = accepted.filter((one): one is bigint => one !== "any");
  if (ids.length === accepted.length) return ids;
  if (ids.length === 0) return "any";
  throw new NetError("usage", "Cannot use --bus-accept: any and a node id exclude each other", {
    next: "leave one of the two out",
  });
}

/** `NAME:VALUE` with commas between, each name once. */
function readParts(text: string): Readonly<Record<string, string | undefined>> | undefined {
  const parts: Record<string, string> = Object.create(null);
  for (const part of text.split(",")) {
    const [, name, value] = /^([a-z]+):(.+)$/.exec(part.trim()) ?? [];
    if (name === undefined || value === undefined || name in parts) return undefined;
    parts[name] = value;
  }
  return parts;
}

function parseNodeId(text: string): bigint | undefined {
  return parseId(text);
}

function parseCount(text: string): number | undefined {
  const count = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(count) ? count : undefined;
}

/** As {@linkcode parseDuration}, and days without an end: nothing waits for them. */
function parseAge(text: string): number | undefined {
  const [, days] = /^(\d{1,5})d$/.exec(text) ?? [];
  return days === undefined ? parseDuration(text) : Number(days) * 86_400_000;
}

function parseSegment(text: string): number | undefined {
  const bytes = parseSize(text) ?? 0;
  return bytes >= SEGMENT_BYTES_MIN && bytes <= SEGMENT_BYTES_MAX ? bytes : undefined;
}

function parseSweep(text: string): number | undefined {
  if (text === "never") return 0;
  const ms = parseDuration(text) ?? 0;
  return ms > 0 && ms <= 86_400_000 ? ms : undefined;
}

function parseShards(text: string): number | undefined {
  const shards = parseCount(text);
  return shards !== undefined && shards <= BUS_SHARDS_MAX ? shards : undefined;
}

function atPath(text: string | undefined, cwd: string): string | undefined {
  return text?.startsWith("@") ? `@${absolutePath(text.slice(1), cwd)}` : text;
}
