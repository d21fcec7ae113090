/**
 * A store that speaks S3, for tests: it checks every signature by its own reading of the specification, with other
 * code than that under test, and can be told to misbehave.
 */
import { Buffer } from "node:buffer";
import { createHash, createHmac } from "node:crypto";
import { systemClock } from "../../../../src/base/mod.ts";
import { HttpServer } from "../../../../src/gateway/http/http_server.ts";

/** Who may write to it. */
export const TEST_KEYS = { accessKeyId: "AKIDTEST", secretAccessKey: "secret/of+the=tests" };

/** What it does instead of the right thing; `undefined` for the right thing. */
export type S3Misdeed = (
  request: { readonly method: string; readonly url: URL; readonly count: number },
) =>
  | Response
  | "cut"
  | "hang"
  | undefined;

interface Upload {
  readonly key: string;
  readonly meta: Headers;
  readonly parts: Map<number, Uint8Array>;
  readonly initiated: string;
}

/** A store under test. */
export interface S3Server extends AsyncDisposable {
  readonly endpoint: string;
  readonly objects: Map<string, { readonly bytes: Uint8Array; readonly b3: string | null }>;
  readonly uploads: Map<string, Upload>;
  /** Method and path of every request, in their order. */
  readonly requests: string[];
  /** Signatures that were not right. */
  readonly refused: string[];
  misdeed: S3Misdeed | undefined;
}

/** Starts one with a bucket. */
export function startS3Server(bucket: string): S3Server {
  const store = new S3Store(bucket);
  // Ours, because it breaks answers off without a word.
  const server = new HttpServer({
    clock: systemClock,
    handle: (request) => store.answer(request),
    refuse: ({ status, message }) => new Response(message, { status }),
  });
  const { port } = server.listen({ host: "127.0.0.1", port: 0 });
  return Object.assign(store, {
    endpoint: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      store.release();
      await server.stop();
    },
  });
}

class S3Store {
  readonly objects = new Map<string, { readonly bytes: Uint8Array; readonly b3: string | null }>();
  readonly uploads = new Map<string, Upload>();
  readonly requests: string[] = [];
  readonly refused: string[] = [];
  misdeed: S3Misdeed | undefined;
  readonly #bucket: string;
  readonly #released = Promise.withResolvers<Response>();
  #count = 0;

  constructor(bucket: string) {
    this.#bucket = bucket;
  }

  release(): void {
    this.#released.resolve(new Response(null, { status: 500 }));
  }

  async answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const body = new Uint8Array(await request.arrayBuffer());
    this.requests.push(`${request.method} ${url.pathname}${url.search}`);
    const fault = checkSignature(request, url, body);
    if (fault !== undefined) {
      this.refused.push(fault);
      return error(403, "SignatureDoesNotMatch");
    }
    const misdeed = this.misdeed?.({ method: request.method, url, count: ++this.#count });
    if (misdeed === "hang") return await this.#released.promise;
    if (misdeed instanceof Response) return misdeed;
    const answer = this.#serve(request, url, body);
    return misdeed === "cut" ? await cut(answer) : answer;
  }

  #serve(request: Request, url: URL, body: Uint8Array): Response {
    const start = `/${this.#bucket}`;
    if (url.pathname !== start && !url.pathname.startsWith(`${start}/`)) {
      return error(404, "NoSuchBucket");
    }
    const key = decodeURIComponent(url.pathname.slice(start.length + 1));
    const query = url.searchParams;
    const { method } = request;
    if (key === "" && query.has("uploads")) return this.#listUploads();
    if (method === "POST" && query.has("uploads")) return this.#begin(key, request.headers);
    const uploadId = query.get("uploadId");
    if (uploadId !== null) return this.#upload(method, key, uploadId, query, body);
    if (method === "PUT") {
      this.objects.set(key, { bytes: body, b3: request.headers.get("x-amz-meta-b3") });
      return new Response(null, { headers: { etag: `"${hex("md5", body)}"` } });
    }
    if (method === "DELETE") {
      this.objects.delete(key);
      return new Response(null, { status: 204 });
    }
    return this.#read(method, key, request.headers.get("range"));
  }

  #read(method: string, key: string, range: string | null): Response {
    const object = this.objects.get(key);
    if (object === undefined) return error(404, "NoSuchKey", method === "HEAD");
    const from = Number(/^bytes=([0-9]+)-$/.exec(range ?? "")?.[1] ?? 0);
    const bytes = object.bytes.slice(from);
    const headers = new Headers({ "content-length": String(bytes.length) });
    if (object.b3 !== null) headers.set("x-amz-meta-b3", object.b3);
    return new Response(method === "HEAD" ? null : bytes, {
      status: range === null ? 200 : 206,
      headers,
    });
  }

  #begin(key: string, meta: Headers): Response {
    const id = `upload+${this.uploads.size + 1}`;
    this.uploads.set(id, { key, meta, parts: new Map(), initiated: new Date().toISOString() });
    return xml(
      `<InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
    );
  }

  #upload(
    method: string,
    key: string,
    id: string,
    query: URLSearchParams,
    body: Uint8Array,
  ): Response {
    const upload = this.uploads.get(id);
    if (upload === undefined || upload.key !== key) return error(404, "NoSuchUpload");
    if (method === "DELETE") {
      this.uploads.delete(id);
      return new Response(null, { status: 204 });
    }
    if (method === "PUT") {
      upload.parts.set(Number(query.get("partNumber")), body);
      return new Response(null, { headers: { etag: `"${hex("md5", body)}"` } });
    }
    const listed = [
      ...new TextDecoder().decode(body).matchAll(
        /<PartNumber>([0-9]+)<\/PartNumber><ETag>([^<]+)<\/ETag>/g,
      ),
    ];
    const parts: Uint8Array[] = [];
    for (const [index, [, number, tag]] of listed.entries()) {
      const part = upload.parts.get(Number(number));
      if (part === undefined || `"${hex("md5", part)}"` !== tag?.replaceAll("&quot;", '"')) {
        return error(400, "InvalidPart");
      }
      if (index < listed.length - 1 && part.length < 5 * 1024 * 1024) {
        return error(400, "EntityTooSmall");
      }
      parts.push(part);
    }
    this.objects.set(key, { bytes: Buffer.concat(parts), b3: upload.meta.get("x-amz-meta-b3") });
    this.uploads.delete(id);
    return xml("<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>");
  }

  #listUploads(): Response {
    const uploads = [...this.uploads].map(([id, { key, initiated }]) =>
      `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${initiated}</Initiated></Upload>`
    );
    return xml(`<ListMultipartUploadsResult>${uploads.join("")}</ListMultipartUploadsResult>`);
  }
}

/** An answer that breaks off in its middle. */
async function cut(answer: Response): Promise<Response> {
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const half = bytes.slice(0, bytes.length >> 1);
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(half),
    pull: (controller) => controller.error(new Error("cut")),
  });
  return new Response(stream, answer);
}

/** Why a signature is not right, by the steps of the specification. */
function checkSignature(request: Request, url: URL, body: Uint8Array): string | undefined {
  const { headers } = request;
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/
      .exec(headers.get("authorization") ?? "");
  if (match === null) return "no signature";
  const [, keyId = "", day = "", region = "", signedNames = "", signature] = match;
  if (keyId !== TEST_KEYS.accessKeyId) return "another key";
  const payloadHash = headers.get("x-amz-content-sha256") ?? "";
  if (payloadHash !== hex("sha256", body)) return "the body is another";
  const time = headers.get("x-amz-date") ?? "";
  if (!time.startsWith(day)) return "another day";
  for (const [name] of headers) {
    if (name.startsWith("x-amz-") && !signedNames.split(";").includes(name)) {
      return `${name} is not signed`;
    }
  }
  if (!signedNames.split(";").includes("host")) return "the host is not signed";
  const query = [...url.searchParams]
    .map(([name, value]) => [rfc3986(name), rfc3986(value)])
    .sort(([a = ""], [b = ""]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map((pair) => pair.join("="));
  const path = url.pathname.split("/").map((part) => rfc3986(decodeURIComponent(part))).join("/");
  const fields = signedNames.split(";").map((name) =>
    `${name}:${(headers.get(name) ?? "").trim()}\n`
  );
  const canonical = `${request.method}\n${path}\n${query.join("&")}\n${
    fields.join("")
  }\n${signedNames}\n${payloadHash}`;
  const toSign = `AWS4-HMAC-SHA256\n${time}\n${day}/${region}/s3/aws4_request\n${
    hex("sha256", Buffer.from(canonical))
  }`;
  const mac = (key: string | Buffer, text: string) =>
    createHmac("sha256", key).update(text).digest();
  const key = mac(
    mac(mac(mac(`AWS4${TEST_KEYS.secretAccessKey}`, day), region), "s3"),
    "aws4_request",
  );
  return mac(key, toSign).toString("hex") === signature ? undefined : "the signature is another";
}

function rfc3986(text: string): string {
  return [...Buffer.from(text)].map((byte) => {
    const letter = String.fromCharCode(byte);
    return /[A-Za-z0-9._~-]/.test(letter)
      ? letter
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
}

function hex(algorithm: string, bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest("hex");
}

function xml(text: string): Response {
  return new Response(`<?xml version="1.0" encoding="UTF-8"?>\n${text}`, {
    headers: { "content-type": "application/xml" },
  });
}

/** A failure as S3 words it. */
export function error(status: number, code: string, isBodiless = false): Response {
  const text = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>m</Message></Error>`;
  return new Response(isBodiless ? null : text, { status });
}
