/**
 * The object surface (`onions.md` 17, `dataforts.md` 24, `decisions.md` 16): blobs of this node and of the mesh
 * by their address, `PUT|POST /o` and `GET|HEAD /o/b3:…`.
 *
 * What the routes need of the node is an {@linkcode ObjectSource}; who may write is decided by an
 * {@linkcode WriteGuard}.
 */
import { NetError } from "../../base/mod.ts";
import { parseAddress } from "../../blob/mod.ts";
import type { GatewayCounters } from "../gateway_counters.ts";
import { jsonResponse } from "../problem.ts";
import { type GatewayRequest, type GatewayRoute, ProblemError } from "../route.ts";
import { parseByteRange } from "./byte_range.ts";
import { byteBody } from "./byte_body.ts";
import { ObjectBody } from "./object_body.ts";
import type { FoundObject, ObjectSource } from "./object_source.ts";
import { checkConditions, entityTag, isRangeWanted } from "./preconditions.ts";
import type { WriteGuard } from "./write_guard.ts";

/** What {@linkcode objectRoutes} needs. */
export interface ObjectRoutesDeps {
  readonly source: ObjectSource;
  readonly guard: WriteGuard;
  readonly counters: GatewayCounters;
}

/** Time until an answer begins: other nodes may have to be found and asked. */
const FETCH_ANSWER_MS = 30_000;

/** After the last byte of a put: chunks are made durable and recorded. */
const PUT_ANSWER_MS = 60_000;

/** The routes of the object surface. */
export function objectRoutes(deps: ObjectRoutesDeps): readonly GatewayRoute[] {
  const put = (request: GatewayRequest) => putObject(deps, request);
  const get = (request: GatewayRequest) => getObject(deps, request);
  return [
    // No bound of its own: the room of the store is the bound.
    {
      path: "/o",
      handlers: { PUT: put, POST: put },
      answerMs: PUT_ANSWER_MS,
      bodyBytesMax: Infinity,
    },
    { path: "/o/:cid", handlers: { GET: get, HEAD: get }, answerMs: FETCH_ANSWER_MS },
  ];
}

async function putObject(
  { source, guard }: ObjectRoutesDeps,
  request: GatewayRequest,
): Promise<Response> {
  guard.requireWrite(request);
  const freeBytes = source.freeBytes();
  if ((request.bodyBytes ?? 0) > freeBytes) {
    throw new NetError(
      "no_space",
      `Cannot store object: it has ${request.bodyBytes} bytes, ${freeBytes} are free`,
      { next: "free some room with net blob rm or net blob gc, or raise the quota" },
    );
  }
  const empty = { read: () => Promise.resolve(null) };
  const { signal } = request;
  const { address, size } = await source.put(request.body ?? empty, { signal });
  return jsonResponse({ cid: address, size }, 200, {
    etag: entityTag(address),
    location: `/o/${address}`,
  });
}

async function getObject(deps: ObjectRoutesDeps, request: GatewayRequest): Promise<Response> {
  const cid = request.param("cid");
  const hash = cid.startsWith("b3:") ? parseAddress(cid) : undefined;
  if (hash === undefined) {
    throw new ProblemError(
      400,
      "bad_request",
      `Cannot read address "${cid.slice(0, 80)}": must be b3: and 64 hex digits in lower case`,
      { next: "net blob ls lists the addresses of this node" },
    );
  }
  const { source } = deps;
  const { headers, signal } = request;
  const tag = entityTag(cid);
  const object = await source.find(hash, { signal });
  const condition = checkConditions(headers, tag);
  if (condition === "failed") {
    throw new ProblemError(
      412,
      "precondition_failed",
      "Cannot give object: If-Match names another",
    );
  }
  const fields = { etag: tag, "accept-ranges": "bytes", ...CACHED };
  if (condition === "not_modified") return new Response(null, { status: 304, headers: fields });
  // Ranges are defined for GET alone.
  const isRanged = request.method === "GET" && isRangeWanted(headers, tag);
  const range = parseByteRange(isRanged ? headers.get("range") : null, object.size);
  if (range.kind === "unsatisfiable") {
    throw new ProblemError(
      416,
      "range_not_satisfiable",
      `Cannot give range: there are ${object.size} bytes`,
      {
        headers: { "content-range": `bytes */${object.size}`, etag: tag },
      },
    );
  }
  if (range.kind === "whole") return await whole(deps, request, object, fields);
  const { start, end } = range;
  return new Response(await openRange(deps, object, { start, end, signal }), {
    status: 206,
    headers: {
      ...fields,
      "content-type": TYPE,
      "content-length": String(end - start),
      "content-range": `bytes ${start}-${end - 1}/${object.size}`,
    },
  });
}

/** What is stored is of no known kind, and must not be taken for a page. */
const TYPE = "application/octet-stream";

/** The bytes behind an address never change. */
const CACHED = { "cache-control": "public, max-age=31536000, immutable" };

async function whole(
  deps: ObjectRoutesDeps,
  request: GatewayRequest,
  object: FoundObject,
  fields: Readonly<Record<string, string>>,
): Promise<Response> {
  const short = request.method === "HEAD" ? undefined : await deps.source.readShort(object);
  const isStream = request.method !== "HEAD" && short === undefined;
  const body = isStream ? (await openWhole(deps, request, object)).readable : short;
  return new Response(body, {
    headers: { ...fields, "content-type": TYPE, "content-length": String(object.size) },
  });
}

/** Begins to read an object; fails as long as another answer can be given. */
async function openWhole(
  { source, counters }: ObjectRoutesDeps,
  request: GatewayRequest,
  object: FoundObject,
): Promise<ObjectBody> {
  const left = new AbortController();
  const body = new ObjectBody((reason) => left.abort(reason));
  const signal = AbortSignal.any([request.signal, left.signal]);
  source.read(object, body, { signal }).catch((error) => {
    if (isIntegrity(error)) counters.integrityFails += 1;
    body.fail(error);
  });
  await body.begun;
  return body;
}

/** Begins to read a part; fails as long as another answer can be given. */
async function openRange(
  { source, counters }: ObjectRoutesDeps,
  object: FoundObject,
  { start, end, signal }: {
    readonly start: number;
    readonly end: number;
    readonly signal: AbortSignal;
  },
): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  const pieces = source.readRange(object, start, end, { signal })[Symbol.asyncIterator]();
  const next = async () => {
    try {
      return await pieces.next();
    } catch (error) {
      if (isIntegrity(error)) counters.integrityFails += 1;
      throw error;
    }
  };
  let first: IteratorResult<Uint8Array> | undefined = await next();
  return byteBody({
    next: async () => {
      const { done, value } = first ?? await next();
      first = undefined;
      return done === true ? undefined : value;
    },
    cancel: async () => void await pieces.return?.(),
  });
}

function isIntegrity(error: unknown): boolean {
  return error instanceof NetError && error.code === "integrity";
}
