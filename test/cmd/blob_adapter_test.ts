import assert from "node:assert/strict";
import { runInMemory } from "./_harness.ts";

const ADDED = {
  "blob.adapter_add": { id: "x", kind: "s3", schemes: ["s3"], place: "p", error: null },
};

async function specOf(...args: readonly string[]): Promise<unknown> {
  const { code, calls, stderr } = await runInMemory(["blob", "adapter", "add", ...args], {
    node: ADDED,
  });
  assert.equal(code, 0, stderr);
  return calls[0]?.params;
}

Deno.test("blob adapter add makes the description of a folder, a bucket or nothing", async () => {
  assert.deepEqual(await specOf("disk", "--folder", "/srv/b"), {
    adapter: { kind: "file", id: "disk", folder: "/srv/b" },
  });
  assert.deepEqual(await specOf("n", "--noop"), { adapter: { kind: "noop", id: "n" } });
  assert.deepEqual(
    await specOf(
      "nas",
      "--bucket",
      "blobs",
      "--endpoint",
      "http://10.0.0.5:9000/",
      "--virtual-host",
    ),
    {
      adapter: {
        kind: "s3",
        id: "nas",
        bucket: "blobs",
        endpoint: "http://10.0.0.5:9000",
        path_style: false,
      },
    },
  );
  assert.deepEqual(
    await specOf(
      ...["cold", "--bucket", "b-1", "--region", "eu-1", "--prefix", "n/", "--path-style"],
      ...["--credentials", "/c", "--profile", "p"],
    ),
    {
      adapter: {
        kind: "s3",
        id: "cold",
        bucket: "b-1",
        region: "eu-1",
        path_style: true,
        prefix: "n/",
        profile: "p",
        credentials: "/c",
      },
    },
  );
});

Deno.test("blob adapter add wants one place", async () => {
  for (
    const args of [[], ["--folder", "/a", "--bucket", "abc"], ["--noop", "--folder", "/a"], [
      "--bucket",
      "abc",
      "--path-style",
      "--virtual-host",
    ]]
  ) {
    const { code, stderr } = await runInMemory(["blob", "adapter", "add", "x", ...args]);
    assert.equal(code, 2);
    assert.match(stderr, /^next: /m);
  }
});

Deno.test("blob adapter ls shows what is wrong beside what works", async () => {
  const node = {
    "blob.adapter_list": {
      adapters: [
        { id: "disk", kind: "file", schemes: ["file"], place: "/b", error: null },
        { id: "gone", kind: "file", schemes: [], place: "/g", error: "Cannot use folder" },
      ],
      channels: { news: "disk" },
    },
  };
  const { stdout } = await runInMemory(["blob", "adapter", "ls"], { node });
  assert.match(stdout, /^disk +file +file +\/b +ok$/m);
  assert.match(stdout, /^gone +file +\/g +Cannot use folder$/m);
  assert.match(stdout, /^news publishes with disk$/m);
});

Deno.test("blob adapter use takes a name or --none", async () => {
  const node = { "blob.adapter_use": { channel: "news", id: null } };
  const none = await runInMemory(["blob", "adapter", "use", "news", "--none"], { node });
  assert.deepEqual(none.calls[0]?.params, { channel: "news", id: null });
  for (const args of [["news"], ["news", "disk", "--none"]]) {
    assert.equal((await runInMemory(["blob", "adapter", "use", ...args], { node })).code, 2);
  }
});

Deno.test("blob adapter resolve shows texts, and says what to do with other bytes", async () => {
  const answer = (bytes: Uint8Array) => ({
    "blob.resolve": {
      channel: "news",
      seq: "1",
      uri: null,
      size: bytes.length,
      data: bytes.toBase64(),
    },
  });
  const args = ["blob", "adapter", "resolve", "news", "1"];
  const text = await runInMemory(args, { node: answer(new TextEncoder().encode("hi ü")) });
  assert.equal(text.stdout, "hi ü\n");
  const bytes = await runInMemory(args, { node: answer(Uint8Array.of(255, 0)) });
  assert.match(bytes.stdout, /no text: .*--output/);
});
