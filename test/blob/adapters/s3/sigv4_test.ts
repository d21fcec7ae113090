import assert from "node:assert/strict";
import {
  EMPTY_SHA256,
  encodeKey,
  encodeQuery,
  sha256Hex,
  signRequest,
} from "../../../../src/blob/adapters/s3/sigv4.ts";

/** The examples of "Signature Calculations: Transferring Payload in a Single Chunk" in Amazon's S3 reference. */
const EXAMPLES = {
  credentials: {
    accessKeyId: "AKIAIOSFODNN7EXAMPLE",
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  },
  region: "us-east-1",
  wallMs: Date.UTC(2013, 4, 24),
};
const HOST = "https://examplebucket.s3.amazonaws.com";

async function signatureOf(options: {
  readonly method?: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly payloadHash?: string;
}): Promise<{ readonly signature: string | undefined; readonly signed: string | undefined }> {
  const { authorization = "" } = await signRequest({
    ...EXAMPLES,
    method: options.method ?? "GET",
    url: new URL(options.url),
    headers: options.headers ?? {},
    payloadHash: options.payloadHash ?? EMPTY_SHA256,
  });
  return {
    signature: /Signature=([0-9a-f]{64})$/.exec(authorization)?.[1],
    signed: /SignedHeaders=([^,]+),/.exec(authorization)?.[1],
  };
}

Deno.test("signRequest() signs the published GET of an object", async () => {
  assert.deepEqual(
    await signatureOf({ url: `${HOST}/test.txt`, headers: { range: "bytes=0-9" } }),
    {
      signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
      signed: "host;range;x-amz-content-sha256;x-amz-date",
    },
  );
});

Deno.test("signRequest() signs the published PUT of an object", async () => {
  const { signature } = await signatureOf({
    method: "PUT",
    url: `${HOST}/${encodeKey("test$file.text")}`,
    headers: {
      date: "Fri, 24 May 2013 00:00:00 GMT",
      "x-amz-storage-class": "REDUCED_REDUNDANCY",
    },
    payloadHash: await sha256Hex(new TextEncoder().encode("Welcome to Amazon S3.")),
  });
  assert.equal(signature, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
});

Deno.test("signRequest() signs the published queries", async () => {
  assert.equal(
    (await signatureOf({ url: `${HOST}/?lifecycle` })).signature,
    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
  );
  assert.equal(
    (await signatureOf({ url: `${HOST}/?max-keys=2&prefix=J` })).signature,
    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
  );
});

Deno.test("signRequest() sends the token of temporary credentials, signed, and never a secret", async () => {
  const headers = await signRequest({
    ...EXAMPLES,
    credentials: { ...EXAMPLES.credentials, sessionToken: "a-token" },
    method: "GET",
    url: new URL(HOST),
    headers: {},
    payloadHash: EMPTY_SHA256,
  });
  assert.equal(headers["x-amz-security-token"], "a-token");
  assert.match(headers.authorization ?? "", /x-amz-date;x-amz-security-token,/);
  assert.ok(!JSON.stringify(headers).includes(EXAMPLES.credentials.secretAccessKey));
});

Deno.test("encodeKey() and encodeQuery() escape what is not unreserved", () => {
  assert.equal(encodeKey("a b/ü!'()*~-_.c"), "a%20b/%C3%BC%21%27%28%29%2A~-_.c");
  assert.equal(encodeQuery([["b", "+ &"], ["a", ""]]), "a=&b=%2B%20%26");
});
