import assert from "node:assert/strict";
import { inspect } from "node:util";
import { readProfile, readS3Credentials } from "../../../../src/blob/adapters/s3/s3_credentials.ts";
import { isKind } from "../compliance.ts";

const FILE = `# comment
[default]
aws_access_key_id = FILEID
aws_secret_access_key=file/secret=with=signs
[profile other]
AWS_ACCESS_KEY_ID=OTHERID
aws_secret_access_key=other
aws_session_token = token
[half]
aws_access_key_id=HALF
`;

function read(options: Partial<Parameters<typeof readS3Credentials>[0]>) {
  return readS3Credentials({ env: {}, readFile: () => Promise.resolve(FILE), ...options });
}

Deno.test("readS3Credentials() takes the environment before the usual file, and a named file before both", async () => {
  const env = { AWS_ACCESS_KEY_ID: "ENVID", AWS_SECRET_ACCESS_KEY: "env", HOME: "/home/x" };
  assert.equal((await read({ env })).accessKeyId, "ENVID");
  assert.equal(
    (await read({ env: { HOME: "/home/x" } })).secretAccessKey,
    "file/secret=with=signs",
  );
  assert.equal((await read({ env, file: "/f" })).accessKeyId, "FILEID");
  const other = await read({ env: { AWS_PROFILE: "other" }, file: "/f" });
  assert.deepEqual([other.accessKeyId, other.sessionToken], ["OTHERID", "token"]);
});

Deno.test("readS3Credentials() says what is missing, without what is there", async () => {
  await assert.rejects(read({ file: "/f", profile: "half" }), (error) => {
    assert.ok(isKind("unauthorized")(error));
    assert.ok(!String(error).includes("HALF"));
    return true;
  });
  await assert.rejects(read({ env: {} }), isKind("unauthorized"));
  const failing = () => Promise.reject(new Deno.errors.NotFound("no"));
  await assert.rejects(read({ file: "/f", readFile: failing }), /cannot be read/);
});

Deno.test("credentials are not shown by accident", async () => {
  const credentials = await read({ file: "/f" });
  assert.ok(!JSON.stringify(credentials).includes("secret"));
  assert.ok(!Deno.inspect(credentials).includes("secret"));
  assert.ok(!inspect({ credentials }).includes("secret"));
});

Deno.test("readProfile() finds sections however they are written", () => {
  assert.equal(readProfile(FILE, "none"), undefined);
  assert.equal(readProfile("[ a ]\nk = v\n[a]\nl=w", "a")?.k, "v");
  assert.equal(readProfile("k=v", "a"), undefined);
  assert.equal(readProfile("[a]\n__proto__ = x", "a")?.__proto__, "x");
});
