/** Fetching from servers: interrupted, lying, silent, redirecting. */
import assert from "node:assert/strict";
import { createHttpClient } from "../../../src/deploy/fetch/http_client.ts";
import {
  type Answer,
  brokenAnswer,
  fileAnswer,
  listFiles,
  makeExecutable,
  metadataText,
  missing,
  runFetch,
  startServer,
  sumsOf,
  withFolder,
  writeFiles,
} from "./_kit.ts";

const GOOD = makeExecutable(400_000);
const SUMS = sumsOf(GOOD);
const PATH = "/kit/primals/x86_64/a";

/** One member fetched from one server. */
async function fetchFrom(answer: Answer, options: Parameters<typeof runFetch>[2] = {}) {
  let asked: readonly string[] = [];
  let files: readonly string[] = [];
  let report: Awaited<ReturnType<typeof runFetch>> | undefined;
  await withFolder(async (root) => {
    await using server = startServer(answer);
    await writeFiles(root, { "a/metadata.toml": metadataText("a", SUMS.sha256) });
    report = await runFetch(root, ["a"], { sources: [`${server.url}/kit`], ...options });
    asked = server.asked;
    files = await listFiles(root);
    if (report.outcomes[0]?.status === "fetched") {
      assert.deepEqual(await Deno.readFile(`${root}/primals/x86_64/a`), GOOD);
    }
  });
  assert.ok(report !== undefined);
  return { outcome: report.outcomes[0], asked, files };
}

Deno.test("a server's file is looked for in the places of a toolkit", async () => {
  const { outcome, asked } = await fetchFrom((request, path) =>
    path === PATH ? fileAnswer(request, GOOD, '"1"') : missing()
  );
  assert.equal(outcome?.status, "fetched");
  assert.match(outcome?.source ?? "", /\/kit\/primals\/x86_64\/a$/);
  assert.deepEqual(asked, ["/kit/manifest.lock", PATH]);
  const { outcome: none } = await fetchFrom(missing);
  assert.equal(none?.error?.code, "not_found");
});

Deno.test("a broken connection is gone on from where it broke", async () => {
  let breaks = 3;
  const { outcome, asked, files } = await fetchFrom((request, path) => {
    if (path !== PATH) return missing();
    if (breaks === 3) {
      breaks -= 1;
      return brokenAnswer(GOOD, 150_000, '"1"');
    }
    if (breaks-- > 0) return new Response("busy", { status: 503 });
    return fileAnswer(request, GOOD, '"1"');
  });
  assert.equal(outcome?.status, "fetched", outcome?.error?.message);
  assert.match(asked.at(-1) ?? "", / bytes=[1-9]\d*-$/);
  assert.deepEqual(files, ["a/metadata.toml 644", "primals/x86_64/a 755"]);
});

Deno.test("a file that changed in between is fetched anew", async () => {
  let count = 0;
  const { outcome } = await fetchFrom((request, path) => {
    if (path !== PATH) return missing();
    count += 1;
    return count === 1
      ? brokenAnswer(makeExecutable(400_000, 62, 5), 150_000, '"old"')
      : fileAnswer(request, GOOD, '"new"');
  });
  assert.equal(outcome?.status, "fetched", outcome?.error?.message);
});

Deno.test("a server that ignores or mangles ranges still gives the right file", async () => {
  for (
    const answer of [
      () => new Response(GOOD, { headers: { etag: '"1"' } }),
      // A part that was not asked for; then, when asked for the whole, the whole.
      (request: Request) =>
        request.headers.has("range")
          ? new Response(GOOD.subarray(7), {
            status: 206,
            headers: { "content-range": `bytes 7-399999/400000` },
          })
          : new Response(GOOD),
      (request: Request) =>
        request.headers.has("range") ? new Response(null, { status: 416 }) : new Response(GOOD),
    ]
  ) {
    let count = 0;
    const { outcome } = await fetchFrom((request, path) => {
      if (path !== PATH) return missing();
      return count++ === 0 ? brokenAnswer(GOOD, 150_000, '"1"') : answer(request);
    });
    assert.equal(outcome?.status, "fetched", outcome?.error?.message);
  }
});

Deno.test("bytes of two files put together are noticed, and the whole is fetched anew", async () => {
  let count = 0;
  const { outcome } = await fetchFrom((request, path) => {
    if (path !== PATH) return missing();
    // Without any validator only the checksum can tell.
    const bytes = count++ === 0 ? makeExecutable(400_000, 62, 5) : GOOD;
    const start = Number(/(\d+)-/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
    if (count === 1) {
      const response = brokenAnswer(bytes, 150_000, "");
      response.headers.delete("etag");
      return response;
    }
    return start === 0 ? new Response(bytes) : new Response(bytes.subarray(start), {
      status: 206,
      headers: { "content-range": `bytes ${start}-399999/400000` },
    });
  });
  assert.equal(outcome?.status, "fetched", outcome?.error?.message);
  assert.equal(count, 3);
});

Deno.test("a server that fails for good is given up with what it said", async () => {
  const { outcome, asked } = await fetchFrom((_, path) =>
    path === PATH ? new Response("busy", { status: 500 }) : missing()
  );
  assert.equal(outcome?.error?.code, "network");
  assert.match(outcome?.error?.message ?? "", /status 500 \(4 attempts\)/);
  assert.equal(asked.filter((path) => path === PATH).length, 4);
  const refused = await fetchFrom((_, path) =>
    path === PATH ? new Response("no", { status: 403 }) : missing()
  );
  assert.equal(refused.outcome?.error?.code, "not_allowed");
  // The manifest that cannot be asked for is no reason to give up a member that was named.
  const half = await fetchFrom((request, path) =>
    path === PATH ? fileAnswer(request, GOOD, '"1"') : new Response("busy", { status: 500 })
  );
  assert.equal(half.outcome?.status, "fetched");
});

Deno.test("a silent server is given up after the time without a byte", async () => {
  const { outcome, files } = await fetchFrom((_, path) => {
    if (path !== PATH) return missing();
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(GOOD.subarray(0, 100)),
      pull: () => new Promise(() => {}),
    });
    return new Response(body, { headers: { "content-length": "400000" } });
  }, { stallMs: 60, policy: { attemptsMax: 2, pauseMs: 1, pauseMsMax: 1 } });
  assert.equal(outcome?.error?.code, "network");
  assert.match(outcome?.error?.message ?? "", /nothing came for 60 ms/);
  // What came stays for the next run, and nobody can execute it.
  assert.deepEqual(files.filter((file) => file.endsWith(" 755")), []);
});

Deno.test("redirects are followed five times, and never to another kind of address", async () => {
  const redirect = (location: string) => new Response(null, { status: 302, headers: { location } });
  const good = await fetchFrom((request, path) => {
    if (path === PATH) return redirect("/cdn/1");
    if (path === "/cdn/1") return redirect("2?token=x");
    return path === "/cdn/2" ? fileAnswer(request, GOOD, '"1"') : missing();
  });
  assert.equal(good.outcome?.status, "fetched", good.outcome?.error?.message);
  for (
    const [location, pattern] of [
      [PATH, /more than 5 redirects/],
      ["file:///etc/passwd", /from http: to file:/],
      ["http://user:pw@127.0.0.1/", /password/],
    ] as const
  ) {
    const { outcome } = await fetchFrom((_, path) =>
      path === PATH ? redirect(location) : missing()
    );
    assert.equal(outcome?.error?.code, "network");
    assert.match(outcome?.error?.message ?? "", pattern);
  }
});

Deno.test("a file that is too large is refused by its length, and while it comes", async () => {
  for (const hasLength of [true, false]) {
    const { outcome, files } = await fetchFrom((_, path) => {
      if (path !== PATH) return missing();
      return new Response(hasLength ? GOOD : new Blob([GOOD]).stream());
    }, { sizeMax: 100_000 });
    assert.equal(outcome?.error?.code, "limit", outcome?.error?.message);
    assert.deepEqual(files, ["a/metadata.toml 644"]);
  }
});

Deno.test("a compressed answer is refused: its offsets are not the file's", async () => {
  const { outcome } = await fetchFrom((_, path) => {
    if (path !== PATH) return missing();
    return new Response(GOOD, { headers: { "content-encoding": "br" } });
  });
  assert.match(outcome?.error?.message ?? "", /compressed|error/i);
  assert.equal(outcome?.status, "failed");
});

Deno.test("createHttpClient() does not tell the signature of the address where a redirect led", async () => {
  const text = "error sending request for url (https://store.test/a?sig=hunter2&x=1): refused";
  const client = createHttpClient({
    stallMs: 1000,
    fetch: () => Promise.reject(new TypeError(text, { cause: new Error(text) })),
  });
  const from = { offset: 0, validator: undefined };
  await assert.rejects(
    client.open("https://a.test/a", from, new AbortController().signal),
    (error: Error) => error.message.includes("store.test/a?…") && !/hunter2/.test(error.message),
  );
});
