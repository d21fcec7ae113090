/**
 * Signatures of requests to S3-compatible stores: AWS Signature Version 4, in headers.
 *
 * Ours instead of a package: it is this page, it is checked against the published examples, and the secret stays
 * in one place. Pure but for WebCrypto.
 */

/** Who signs; never printed. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string;
}

/** A request to sign. */
export interface SignOptions {
  readonly method: string;
  /** Its path must be encoded as it is sent. */
  readonly url: URL;
  /** All of them are signed, beside those that are added here. Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** SHA-256 of the body in hex. */
  readonly payloadHash: string;
  readonly credentials: S3Credentials;
  readonly region: string;
  /** Unix milliseconds. */
  readonly wallMs: number;
  /** `s3` when left out. */
  readonly service?: string;
}

const ALGORITHM = "AWS4-HMAC-SHA256";
const encoder = new TextEncoder();

/** SHA-256 of no bytes. */
export const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/**
 * The headers of a signed request: those given, `x-amz-date`, `x-amz-content-sha256`, `authorization`, and the
 * token of temporary credentials. `host` is signed too, but left to whoever sends.
 */
export async function signRequest(options: SignOptions): Promise<Record<string, string>> {
  const { method, url, credentials, payloadHash, region, service = "s3" } = options;
  const time = new Date(options.wallMs).toISOString().replace(/[-:]|\.\d{3}/g, "");
  const day = time.slice(0, 8);
  const headers: Record<string, string> = {
    ...options.headers,
    "x-amz-content-sha256": payloadHash,
    "x-amz-date": time,
    ...(credentials.sessionToken === undefined
      ? {}
      : { "x-amz-security-token": credentials.sessionToken }),
  };
  const signed = Object.entries({ ...headers, host: url.host })
    .map(([name, value]) => [name.toLowerCase(), value.trim().replace(/ +/g, " ")] as const)
    .sort(([a], [b]) => a < b ? -1 : 1);
  const names = signed.map(([name]) => name).join(";");
  const canonical = [
    method,
    url.pathname,
    encodeQuery(url.searchParams),
    ...signed.map(([name, value]) => `${name}:${value}`),
    "",
    names,
    payloadHash,
  ].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = [ALGORITHM, time, scope, await sha256Hex(encoder.encode(canonical))].join("\n");
  let key = encoder.encode(`AWS4${credentials.secretAccessKey}`);
  for (const part of [day, region, service, "aws4_request", toSign]) key = await hmac(key, part);
  const authorization = `${ALGORITHM} Credential=${credentials.accessKeyId}/${scope}, ` +
    `SignedHeaders=${names}, Signature=${key.toHex()}`;
  return { ...headers, authorization };
}

/** A key as the path of a URL: every byte but the unreserved ones and `/` is escaped. */
export function encodeKey(key: string): string {
  return key.split("/").map(encodeStrictly).join("/");
}

/** SHA-256 in hex. */
export async function sha256Hex(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** A query as it is signed, and may be sent: sorted, every byte but the unreserved ones escaped. */
export function encodeQuery(query: Iterable<readonly [string, string]>): string {
  return [...query]
    .map(([name, value]) => `${encodeStrictly(name)}=${encodeStrictly(value)}`)
    .sort((a, b) => a < b ? -1 : 1)
    .join("&");
}

function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

async function hmac(
  key: Uint8Array<ArrayBuffer>,
  text: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, algorithm, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, encoder.encode(text)));
}
