/**
 * Requests to one bucket of an S3-compatible store: signed, within a time, repeated with growing pauses where
 * that helps. What is stored under which key is the adapter's business.
 */
import type { Clock, RandomBytes } from "../../../base/mod.ts";
import { type AdapterCallOptions, BlobAdapterError } from "../adapter.ts";
import { readFault, S3_XML_BYTES_MAX, type S3Fault } from "./s3_xml.ts";
import {
  EMPTY_SHA256,
  encodeKey,
  encodeQuery,
  type S3Credentials,
  sha256Hex,
  signRequest,
} from "./sigv4.ts";

/** Tries of one request. */
export const S3_ATTEMPTS_MAX = 5;

/** Time until a store begins to answer; a part of 8 MiB goes up in it at 140 kB a second. */
export const S3_ATTEMPT_MS = 60_000;

/** Pause before the second try; it doubles, and half of it is chance. */
const PAUSE_MS = 100;
const PAUSE_MS_MAX = 5_000;
/** What a store asks to wait is heeded up to this. */
const RETRY_AFTER_MS_MAX = 20_000;

/** Where a bucket is. */
export interface S3Place {
  readonly bucket: string;
  /** Such as `eu-central-1`. */
  readonly region: string;
  /** Of other stores than Amazon's, such as `http://127.0.0.1:9000`. */
  readonly endpoint?: string;
  /** The bucket is named in the path, not in the host; stores of one's own mostly want that. */
  readonly isPathStyle?: boolean;
}

/** What {@linkcode S3Client} needs. */
export interface S3ClientDeps {
  readonly place: S3Place;
  readonly credentials: () => Promise<S3Credentials>;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** The runtime's when left out. */
  readonly fetch?: (url: URL, init: RequestInit) => Promise<Response>;
}

/** One request. */
export interface S3Request extends AdapterCallOptions {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Empty for the bucket itself. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
  /** Statuses beside those from 200 to 299 that are an answer, not a failure. */
  readonly accepts?: readonly number[];
}

/** Counters of the requests to one store. */
export function createS3Counters() {
  return { requests_total: 0, retries_total: 0, failures_total: 0 };
}

/**
 * Looks at a place.
 *
 * @throws BlobAdapterError `backend` naming what is wrong with it.
 */
export function checkPlace({ bucket, region, endpoint }: S3Place): void {
  const refuse = (reason: string) => {
    throw new BlobAdapterError("backend", `Cannot use S3 store: ${reason}`);
  };
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    refuse(`"${bucket.slice(0, 64)}" is no name of a bucket`);
  }
  if (!/^[a-z0-9-]{1,64}$/.test(region)) refuse(`"${region.slice(0, 64)}" is no region`);
  if (endpoint === undefined) return;
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const isPlain = url !== undefined && url.username === "" && url.password === "" &&
    url.search === "" && url.hash === "" && url.pathname === "/";
  if (!isPlain || !["http:", "https:"].includes(url.protocol)) {
    refuse("the endpoint must be http:// or https:// and a host, without a path or a password");
  }
}

/** Sends requests. */
export class S3Client {
  readonly counters: ReturnType<typeof createS3Counters> = createS3Counters();
  readonly #deps: S3ClientDeps;
  readonly #base: URL;

  /** @throws BlobAdapterError as {@linkcode checkPlace}. */
  constructor(deps: S3ClientDeps) {
    const { place } = deps;
    checkPlace(place);
    this.#deps = deps;
    const url = new URL(place.endpoint ?? `https://s3.${place.region}.amazonaws.com`);
    if (place.isPathStyle === true) url.pathname = `/${place.bucket}`;
    else url.host = `${place.bucket}.${url.host}`;
    this.#base = url;
  }

  /**
   * Sends a request until it is answered, or not worth another try. The body of the answer is to be read or
   * cancelled.
   *
   * @throws BlobAdapterError `unauthorized`, `timeout`, `backend`; the signal's reason.
   */
  async send(request: S3Request): Promise<Response> {
    const { counters } = this;
    const payloadHash = request.body === undefined ? EMPTY_SHA256 : await sha256Hex(request.body);
    for (let attempt = 1;; attempt++) {
      request.signal?.throwIfAborted();
      counters.requests_total += 1;
      const outcome = await this.#try(request, payloadHash);
      if (outcome.kind === "answer") return outcome.response;
      if (!outcome.isTransient || attempt >= S3_ATTEMPTS_MAX) {
        counters.failures_total += 1;
        throw outcome.error;
      }
      counters.retries_total += 1;
      await this.#rest(attempt, outcome.retryAfterMs, request.signal);
    }
  }

  /** Text of a short answer. */
  static async textOf(response: Response): Promise<string> {
    if (response.body === null) return "";
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let text = "";
    try {
      while (text.length < S3_XML_BYTES_MAX) {
        const { done, value } = await reader.read();
        if (done) return text + decoder.decode();
        text += decoder.decode(value, { stream: true });
      }
      return text.slice(0, S3_XML_BYTES_MAX);
    } finally {
      await reader.cancel().catch(() => {}); // Of what is not read any more.
    }
  }

  async #try(
    request: S3Request,
    payloadHash: string,
  ): Promise<
    | { readonly kind: "answer"; readonly response: Response }
    | {
      readonly kind: "failure";
      readonly error: BlobAdapterError;
      readonly isTransient: boolean;
      readonly retryAfterMs?: number;
    }
  > {
    const { clock, fetch = globalThis.fetch, place } = this.#deps;
    const { method, key, body, signal, headers = {}, accepts = [] } = request;
    const url = new URL(this.#base);
    if (key !== "") url.pathname = `${url.pathname.replace(/\/$/, "")}/${encodeKey(key)}`;
    url.search = encodeQuery(Object.entries(request.query ?? {}));
    const signed = await signRequest({
      method,
      url,
      headers,
      payloadHash,
      credentials: await this.#deps.credentials(),
      region: place.region,
      wallMs: clock.wallMs(),
    });
    const late = new AbortController();
    const cancel = clock.after(S3_ATTEMPT_MS, () => late.abort());
    const onAbort = () => late.abort();
    signal?.addEventListener("abort", onAbort, { once: true });
    let response: Response;
    let text: string;
    try {
      response = await fetch(url, {
        method,
        // Not signed: it belongs to the connection. Bytes must come as they are stored.
        headers: { ...signed, "accept-encoding": "identity" },
        body,
        redirect: "manual",
        signal: late.signal,
      });
      if (response.ok || accepts.includes(response.status)) return { kind: "answer", response };
      text = await S3Client.textOf(response);
    } catch (error) {
      signal?.throwIfAborted();
      const isLate = late.signal.aborted;
      return {
        kind: "failure",
        isTransient: true,
        error: new BlobAdapterError(
          isLate ? "timeout" : "backend",
          `Cannot reach S3 store at ${url.host}: ` +
            (isLate ? `no answer within ${S3_ATTEMPT_MS} ms` : reasonOf(error)),
          { cause: error, next: "see whether it runs, and whether the endpoint is right" },
        ),
      };
    } finally {
      cancel();
      signal?.removeEventListener("abort", onAbort);
    }
    const fault = readFault(text);
    const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
    return {
      kind: "failure",
      isTransient: isTransient(response.status, fault.code),
      error: describe(response, fault, place),
      ...(retryAfter >= 0 ? { retryAfterMs: retryAfter * 1000 } : {}),
    };
  }

  async #rest(
    attempt: number,
    askedMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { clock, random } = this.#deps;
    const whole = Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** (attempt - 1));
    const chance = (random(1)[0] ?? 0) / 255;
    const ownMs = whole / 2 + chance * whole / 2;
    const pauseMs = Math.max(ownMs, Math.min(askedMs ?? 0, RETRY_AFTER_MS_MAX));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const cancel = clock.after(pauseMs, resolve);
    const onAbort = () => reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
    } finally {
      cancel();
      signal?.removeEventListener("abort", onAbort);
    }
  }
}

/** Lets go of an answer whose body nobody wants. */
export async function cancelBody(response: Response): Promise<void> {
  await response.body?.cancel();
}

const TRANSIENT_CODES = new Set([
  "InternalError",
  "OperationAborted",
  "RequestTimeout",
  "ServiceUnavailable",
  "SlowDown",
]);

function isTransient(status: number, code: string): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501) ||
    TRANSIENT_CODES.has(code);
}

function describe(response: Response, fault: S3Fault, place: S3Place): BlobAdapterError {
  const { status, headers } = response;
  const said = fault.code === "" ? `status ${status}` : `${fault.code}, status ${status}`;
  const region = fault.region ?? headers.get("x-amz-bucket-region") ?? undefined;
  if (status >= 300 && status < 400) {
    return new BlobAdapterError("backend", `Cannot use bucket "${place.bucket}": it is elsewhere`, {
      next: region === undefined
        ? "give its own --region and --endpoint"
        : `give --region ${region.slice(0, 64).replace(/[^A-Za-z0-9-]/g, "")}`,
    });
  }
  if (status === 401 || status === 403) {
    return new BlobAdapterError(
      "unauthorized",
      `Cannot use bucket "${place.bucket}": the store refuses (${said})`,
      {
        next: fault.code === "RequestTimeTooSkewed"
          ? "set the clock of this machine"
          : "see whether the credentials are those of the bucket and allow this",
      },
    );
  }
  return new BlobAdapterError(
    "backend",
    `Cannot use bucket "${place.bucket}": the store answers ${said}`,
    {
      next: fault.code === "NoSuchBucket"
        ? "make the bucket first, or correct its name"
        : "try again later, or see the log of the store",
    },
  );
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
