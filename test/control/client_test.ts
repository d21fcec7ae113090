import { deepStrictEqual, equal, ok, rejects } from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { connectControl } from "../../src/control/mod.ts";
import { startHarness } from "./harness.ts";

const withCode = (code: string) => (error: unknown) =>
  error instanceof NetError && error.code === code;

Deno.test("connectControl() runs many calls over one connection", async () => {
  await using harness = await startHarness();
  await using client = await connectControl({ socketPath: harness.path });
  const texts = Array.from({ length: 100 }, (_, i) => `text ${i}`);
  const results = await Promise.all(texts.map((text) => client.call("test.echo", { text })));
  deepStrictEqual(results, texts.map((text) => ({ text })));
  equal(harness.server.counters.connections_total, 1);
});

Deno.test("connectControl() rebuilds the node's errors", async () => {
  await using harness = await startHarness();
  await using client = await connectControl({ socketPath: harness.path });
  await rejects(
    client.call("test.missing"),
    (error: unknown) =>
      error instanceof NetError && error.code === "not_found" &&
      error.message === "Cannot find it" &&
      error.next === "look elsewhere" && error.data?.at === 3 && error.exitCode === 4,
  );
  await rejects(client.call("test.echo", {}), withCode("usage"));
  await rejects(client.call("no.such"), withCode("usage"));
  await rejects(client.call("test.throw"), withCode("internal"));
});

Deno.test("connectControl() says how to start a node when none runs", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/net.sock`;
  const isNotRunning = (error: unknown) =>
    error instanceof NetError && error.code === "not_running" && error.next === "net node start";
  await rejects(connectControl({ socketPath: path }), isNotRunning);
  const listener = Deno.listen({ transport: "unix", path: `${path}.tmp` });
  await Deno.rename(`${path}.tmp`, path);
  listener.close();
  await rejects(connectControl({ socketPath: path }), isNotRunning);
  const port = freePort();
  await rejects(connectControl({ tcp: { host: "127.0.0.1", port } }), isNotRunning);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("call() refuses a request that is too long for a line, and leaves the others alone", async () => {
  await using harness = await startHarness();
  await using client = await connectControl({ socketPath: harness.path });
  const other = client.call("test.echo", { text: "other" });
  const isTooLong = (error: unknown) =>
    withCode("limit")(error) && /has \d+ bytes, at most 1048576/.test(String(error));
  for (
    const text of ["x".repeat(1024 * 1024), "\u0001".repeat(200_000), "\u20ac".repeat(350_000)]
  ) {
    await rejects(client.call("test.echo", { text }), isTooLong);
  }
  deepStrictEqual(await other, { text: "other" });
  const overhead = '{"jsonrpc":"2.0","method":"test.echo","params":{"text":""},"id":5}'.length;
  const longest = "x".repeat(1024 * 1024 - overhead);
  deepStrictEqual(await client.call("test.echo", { text: longest }), { text: longest });
});

Deno.test("call() delivers progress before the result, only when asked", async () => {
  await using harness = await startHarness();
  await using client = await connectControl({ socketPath: harness.path });
  const seen: unknown[] = [];
  const result = await client.call("test.steps", { steps: 3 }, {
    onProgress: (progress) => void seen.push(progress),
  });
  deepStrictEqual(result, { steps: 3 });
  deepStrictEqual(seen, [{ done: 1 }, { done: 2 }, { done: 3 }]);
  await client.call("test.steps", { steps: 3 });
  equal(harness.server.counters.progress_total, 3);
});

Deno.test("call() reads no further while its progress handler is busy, and closes all the same", async () => {
  await using harness = await startHarness();
  const client = await connectControl({ socketPath: harness.path });
  const doors = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const came = Promise.withResolvers<void>();
  const seen: unknown[] = [];
  const running = client.call("test.steps", { steps: 3 }, {
    onProgress: (progress) => {
      seen.push(progress);
      came.resolve();
      return doors[seen.length - 1]?.promise;
    },
  });
  await came.promise;
  const other = client.call("test.echo", { text: "behind it" });
  let isAnswered = false;
  other.then(() => isAnswered = true);
  // Whatever the node sent has long come by the time that a second client was answered twice.
  await using second = await connectControl({ socketPath: harness.path });
  for (let i = 0; i < 2; i++) await second.call("test.echo", { text: "elsewhere" });
  deepStrictEqual([seen.length, isAnswered], [1, false]);
  for (const { resolve } of doors) resolve();
  deepStrictEqual(await running, { steps: 3 });
  deepStrictEqual(await other, { text: "behind it" });
  equal(seen.length, 3);
  const stuck = client.call("test.steps", { steps: 1 }, {
    onProgress: () => new Promise(() => {}),
  });
  stuck.catch(() => {});
  await client.close();
  await rejects(stuck, withCode("unreachable"));
});

Deno.test("call() fails with what its progress handler threw, and the connection goes on", async () => {
  await using harness = await startHarness();
  await using client = await connectControl({ socketPath: harness.path });
  const onProgress = () => {
    throw new Deno.errors.BrokenPipe("the reader has gone");
  };
  await rejects(client.call("test.steps", { steps: 3 }, { onProgress }), Deno.errors.BrokenPipe);
  deepStrictEqual(await client.call("test.echo", { text: "still here" }), { text: "still here" });
});

Deno.test("call() given up by its signal cancels the node's work", async () => {
  await using harness = await startHarness();
  await using client = await connectControl({ socketPath: harness.path });
  const controller = new AbortController();
  const waiting = client.call("test.wait", {}, { signal: controller.signal });
  await client.call("health.liveness");
  controller.abort(new Error("enough"));
  await rejects(waiting, /enough/);
  await client.call("health.liveness");
  equal(harness.server.counters.cancels_total, 1);
  await rejects(client.call("test.wait", {}, { signal: AbortSignal.abort() }));
});

Deno.test("close() after an abort still lets the node hear of it", async () => {
  await using harness = await startHarness();
  const client = await connectControl({ socketPath: harness.path });
  const controller = new AbortController();
  const waiting = client.call("test.wait", {}, { signal: controller.signal });
  await client.call("health.liveness");
  controller.abort();
  await rejects(waiting);
  await client.close();
  await using other = await connectControl({ socketPath: harness.path });
  while (harness.server.activeConnections > 1) await other.call("health.liveness");
  equal(harness.server.counters.cancels_total, 1);
});

Deno.test("call() fails as unreachable when the node goes away", async () => {
  const harness = await startHarness();
  const client = await connectControl({ socketPath: harness.path });
  await client.call("health.liveness");
  await harness.server.stop();
  await rejects(client.call("health.liveness"), withCode("unreachable"));
  await client.close();
  await rejects(client.call("health.liveness"), withCode("unreachable"));
  await harness[Symbol.asyncDispose]();
});

Deno.test("connectControl() takes a server that talks nonsense for lost", async () => {
  const folder = await Deno.makeTempDir();
  using listener = Deno.listen({ transport: "unix", path: `${folder}/x.sock` });
  const serving = listener.accept().then(async (conn) => {
    await conn.write(new TextEncoder().encode("nonsense\n"));
    conn.close();
  });
  const client = await connectControl({ socketPath: `${folder}/x.sock` });
  await rejects(client.call("health.liveness"), withCode("unreachable"));
  await serving;
  await client.close();
  ok(await Deno.remove(folder, { recursive: true }) === undefined);
});

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
