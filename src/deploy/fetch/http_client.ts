/**
 * HTTP for fetching: redirects followed by hand, no password anywhere, no body that is something else
 * than the file, and a limit on silence.
 */
import { NetError } from "../../base/mod.ts";
import { PassingError } from "./retry.ts";
import type { OpenedFile, OpenFrom } from "./source.ts";

/** Most redirects: GitHub needs one. */
const REDIRECTS_MAX = 5;
/** Longest that a server's `Retry-After` counts for. */
const RETRY_AFTER_S_MAX = 60;

/** What a client is made of. */
export interface HttpClientOptions {
  /** Longest time without a byte, in milliseconds. */
  readonly stallMs: number;
  readonly fetch?: typeof fetch;
}

/** Asks servers for files. */
export interface HttpClient {
  /** Opens a file: see {@linkcode RemoteFile}. */
  open(url: string, from: OpenFrom, signal: AbortSignal): Promise<OpenedFile>;
  /** The whole of a small file as text; `undefined` when there is none. */
  readText(
    url: string,
    bytesMax: number,
    signal: AbortSignal,
    accept?: string,
  ): Promise<string | undefined>;
}

/** Makes a client. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const open = (url: string, from: OpenFrom, signal: AbortSignal, accept?: string) =>
    openUrl(url, from, { ...options, signal, accept });
  return {
    open,
    readText: async (url, bytesMax, signal, accept) => {
      try {
        const from = { offset: 0, validator: undefined };
        return await readAll(await open(url, from, signal, accept), bytesMax, url);
      } catch (error) {
        if (error instanceof NetError && error.code === "not_found") return undefined;
        throw error;
      }
    },
  };
}

interface RequestOptions extends HttpClientOptions {
  readonly signal: AbortSignal;
  readonly accept: string | undefined;
}

async function openUrl(url: string, from: OpenFrom, options: RequestOptions): Promise<OpenedFile> {
  const silence = new Silence(options.stallMs, options.signal);
  try {
    const response = await follow(url, headersFor(from, options.accept), options, silence.signal);
    try {
      return { ...readHead(response, from, url), body: silence.watch(bodyOf(response), url) };
    } catch (error) {
      await response.body?.cancel().catch(() => {});
      throw error;
    }
  } catch (error) {
    silence.end();
    options.signal.throwIfAborted();
    if (error instanceof NetError || error instanceof PassingError) throw error;
    throw new PassingError(`${url}: ${reasonOf(error)}`, { cause: error });
  }
}

function headersFor({ offset, validator }: OpenFrom, accept: string | undefined): Headers {
  // A body that was compressed on the way has other offsets than the file.
  const headers = new Headers({ "accept-encoding": "identity", "user-agent": "net-fetch" });
  if (accept !== undefined) headers.set("accept", accept);
  if (offset > 0) {
    headers.set("range", `bytes=${offset}-`);
    if (validator !== undefined) headers.set("if-range", validator);
  }
  return headers;
}

/** The answer at the end of all redirects; from https they lead to https only. */
async function follow(
  first: string,
  headers: Headers,
  options: RequestOptions,
  signal: AbortSignal,
): Promise<Response> {
  let url = new URL(first);
  for (let redirects = 0;; redirects++) {
    const response = await (options.fetch ?? fetch)(url, { headers, redirect: "manual", signal });
    const { status } = response;
    if (![301, 302, 303, 307, 308].includes(status)) {
      if (status === 200 || status === 206) return response;
      await response.body?.cancel();
      throw statusError(first, response);
    }
    await response.body?.cancel();
    if (redirects >= REDIRECTS_MAX) throw refusal(first, `more than ${REDIRECTS_MAX} redirects`);
    const location = response.headers.get("location");
    const next = location === null ? null : URL.parse(location, url);
    if (next === null) throw refusal(first, "a redirect leads nowhere");
    if (next.protocol !== "https:" && !(next.protocol === "http:" && url.protocol === "http:")) {
      throw refusal(first, `a redirect leads from ${url.protocol} to ${next.protocol}`);
    }
    if (next.username !== "" || next.password !== "") {
      throw refusal(first, "a redirect has a password in it");
    }
    url = next;
  }
}

function statusError(url: string, { status, headers }: Response): Error {
  if (status === 404 || status === 410) return new NetError("not_found", `there is no ${url}`);
  if (status === 416) {
    return new PassingError(`${url}: it is shorter than what is here`, { isFromStart: true });
  }
  if (status === 408 || status === 429 || status >= 500) {
    const after = Number(headers.get("retry-after"));
    const afterMs = after > 0 ? 1_000 * Math.min(after, RETRY_AFTER_S_MAX) : undefined;
    return new PassingError(`${url}: status ${status}`, { afterMs });
  }
  // GitHub says so when an address has asked 60 times within the hour.
  if (status === 403 && headers.get("x-ratelimit-remaining") === "0") {
    return new NetError("limit", `${url}: the server's limit of requests is reached`, {
      next: "wait for an hour, or give a folder or another address with --source",
    });
  }
  return new NetError(
    status === 401 || status === 403 ? "not_allowed" : "network",
    `${url}: status ${status}`,
    { next: "check the address behind --source" },
  );
}

/** Offset, size and validator out of an answer of status 200 or 206. */
function readHead(
  response: Response,
  { offset }: OpenFrom,
  url: string,
): Omit<OpenedFile, "body"> {
  const { headers, status } = response;
  const encoding = headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity") {
    throw refusal(url, `the server compressed it: ${encoding.slice(0, 40)}`);
  }
  const tag = headers.get("etag");
  // A weak tag says that files are alike, not that their bytes are.
  const validator = tag !== null && /^"[!-~]{0,256}"$/.test(tag)
    ? tag
    : headers.get("last-modified")?.slice(0, 64);
  if (status === 200) {
    const length = headers.get("content-length");
    const size = length !== null && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
    return { start: 0, size, validator };
  }
  const [, start, end, total] =
    /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(headers.get("content-range") ?? "") ?? [];
  if (offset === 0 || Number(start) !== offset || Number(end) < offset) {
    throw new PassingError(`${url}: the server sent a part that was not asked for`, {
      isFromStart: true,
    });
  }
  const size = total === undefined || total === "*" ? Number(end) + 1 : Number(total);
  return { start: offset, size, validator };
}

function bodyOf(response: Response): ReadableStream<Uint8Array> {
  return response.body ?? new Blob([]).stream();
}

async function readAll(opened: OpenedFile, bytesMax: number, url: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of opened.body) {
    length += piece.length;
    // Leaving the loop cancels the body.
    if (length > bytesMax) throw refusal(url, `it has more than ${bytesMax} bytes`);
    pieces.push(piece);
  }
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return new TextDecoder().decode(bytes);
}

function refusal(url: string, why: string): NetError {
  return new NetError("network", `Cannot fetch ${url}: ${why}`, {
    next: "check the address behind --source",
  });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  // Where a redirect led may have a signature in it, and whoever has that may fetch.
  return `${error.message}${cause}`.replace(/\?[^\s)"]+/g, "?…").slice(0, 300);
}

/** Aborts a request when nothing has come for a while. */
class Silence {
  readonly #controller = new AbortController();
  readonly #stop = () => this.#controller.abort(this.#outer.reason);
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly stallMs: number, outer: AbortSignal) {
    this.#outer = outer;
    if (outer.aborted) this.#stop();
    outer.addEventListener("abort", this.#stop, { once: true });
    this.#touch();
  }

  readonly #outer: AbortSignal;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener("abort", this.#stop);
  }

  /** The same bytes; what breaks them off is a failure that may pass. */
  watch(body: ReadableStream<Uint8Array>, url: string): ReadableStream<Uint8Array> {
    const reader = body.getReader();
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        try {
          this.#touch();
          const { done, value } = await reader.read();
          if (done) {
            this.end();
            controller.close();
          } else controller.enqueue(value);
        } catch (error) {
          this.end();
          controller.error(
            this.#outer.aborted
              ? this.#outer.reason
              : new PassingError(`${url}: ${reasonOf(error)}`, { cause: error }),
          );
        }
      },
      cancel: async (reason) => {
        this.end();
        await reader.cancel(reason);
      },
    }, { highWaterMark: 0 });
  }

  #touch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#controller.abort(new Error(`nothing came for ${this.stallMs} ms`));
    }, this.stallMs);
  }
}
