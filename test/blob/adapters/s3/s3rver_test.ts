/**
 * The S3 adapter against a store of others, s3rver, which looks at who signs but not at the signature. `.ci/run` installs it; by hand:
 * `npm install --prefix build/s3rver --no-save s3rver@3.7.1`. Without it this is left out.
 */
import assert from "node:assert/strict";
import { systemClock, systemRandom, utf8 } from "../../../../src/base/mod.ts";
import { createS3Adapter } from "../../../../src/blob/mod.ts";
import { checkAdapter, isKind, smallRef } from "../compliance.ts";

const PLACE = new URL("../../../../build/s3rver/", import.meta.url).pathname;
const BUCKET = "blobs-of-tests";

const SERVER = `
import S3rver from "s3rver";
const [directory] = process.argv.slice(1);
const server = new S3rver({
  address: "127.0.0.1", port: 0, silent: true, directory, configureBuckets: [{ name: "${BUCKET}" }],
});
const { port } = await server.run();
console.log(port);
`;

const isThere = await Deno.stat(`${PLACE}node_modules/s3rver`).then(() => true, () => false);

Deno.test({
  name: "the S3 adapter keeps what adapters promise with s3rver, in one piece and in parts",
  ignore: !isThere,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const server = new Deno.Command("node", {
      args: ["--input-type=module", "--eval", SERVER, folder],
      cwd: PLACE,
      stdout: "piped",
      stderr: "null",
    }).spawn();
    try {
      const reader = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
      const port = Number((await reader.read()).value?.trim());
      assert.ok(port > 0, "the server has started");
      const open = (prefix: string, accessKeyId = "S3RVER") =>
        createS3Adapter({
          id: "store",
          place: {
            bucket: BUCKET,
            region: "us-east-1",
            endpoint: `http://127.0.0.1:${port}`,
            isPathStyle: true,
          },
          prefix,
          credentials: () => Promise.resolve({ accessKeyId, secretAccessKey: "S3RVER" }),
          clock: systemClock,
          random: systemRandom,
        });
      await checkAdapter(open("short/"));
      await checkAdapter(open("long/"), { longBytes: 17 * 1024 * 1024 });
      assert.equal(await open("short/").sweep(), 0);
      const ref = smallRef(utf8("x"), "s3");
      await assert.rejects(open("", "another").store(ref, utf8("x")), isKind("unauthorized"));
      await reader.cancel();
    } finally {
      server.kill();
      await server.status;
      await Deno.remove(folder, { recursive: true });
    }
  },
});
