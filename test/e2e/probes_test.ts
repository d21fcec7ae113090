/** What orchestrators see of a node: its probes, its metrics, and how it drains and stops. */
import assert from "node:assert/strict";
import { readExposition } from "../observe/exposition_reader.ts";
import { assertFails, makeWorkspace, patternBytes, type TestNode, waitFor } from "./harness.ts";
import { rpcRequest } from "./rpc.ts";

Deno.test("V29: a node that is drained ends its work, takes none, and answers every probe", async (t) => {
  await using workspace = await makeWorkspace();
  const node = await workspace.startNode({ flags: ["--udp", "127.0.0.1:0", "--http", "0"] });
  const { home } = node;
  const place = await node.call("node.http", { secret: true });
  const [url, secret] = [String(place.url), String(place.secret)];
  const get = async (path: string, accept = "*/*") => {
    const answer = await fetch(`${url}${path}`, { headers: { accept } });
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  };

  await t.step("the HTTP paths and the triad say the same", async () => {
    for (const [path, method] of [["/livez", "liveness"], ["/readyz", "readiness"]] as const) {
      const { status, text } = await get(path);
      assert.equal(status, 200, path);
      assert.deepEqual(JSON.parse(text), await node.call(`health.${method}`), path);
    }
    const check = JSON.parse((await get("/healthz")).text);
    assert.equal(check.healthy, true);
    const asked = await node.call("health.check") as typeof check;
    assert.deepEqual(Object.keys(check.subsystems), Object.keys(asked.subsystems));
    assert.ok(Object.keys(check.subsystems).length > 10);
    const version = JSON.parse((await get("/version")).text);
    const identity = await node.call("identity.get") as Record<string, unknown>;
    assert.deepEqual([version.service, version.version], [identity.primal, identity.version]);
  });

  await t.step("metrics keep to the formats", async () => {
    const text = await get("/metrics");
    assert.equal(text.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    const read = readExposition(text.text);
    const value = (name: string) => read.get(name)?.samples.get(`${name}{}`) ?? NaN;
    assert.deepEqual([value("net_up"), value("net_ready"), value("net_draining")], [1, 1, 0]);
    assert.ok(value("process_resident_memory_bytes") > 10_000_000);
    assert.equal(value("net_metrics_read_failures_total"), 0);
    const states = read.get("net_service_state")?.samples;
    assert.equal(states?.get('net_service_state{service="mesh",state="healthy"}'), 1);
    const families = [
      "net_transport_rx_datagrams_total",
      "net_control_requests_total",
      "http_requests_total",
      "dataforts_blob_disk_used_bytes",
      "net_log_files_open",
    ];
    assert.deepEqual(families.filter((name) => !read.has(name)), []);
    const open = await get("/metrics", "application/openmetrics-text;version=1.0.0");
    readExposition(open.text, "openmetrics");
    const printed = await home.net(["node", "metrics"]);
    assert.deepEqual([...readExposition(printed.stdout).keys()].sort(), [...read.keys()].sort());
  });

  const put = slowPut(url, secret);
  const upload = await node.call("blob.upload_begin");
  await t.step("work under way is waited for, and new work is refused", async () => {
    await waitFor("the put to be under way", async () => {
      const { text } = await get("/metrics");
      return readExposition(text).get("inflight_requests")?.samples.get("inflight_requests{}") ===
        1;
    });
    const late = assertFails(await home.net(["node", "drain", "--timeout", "100ms"]), 7, "timeout");
    assert.match(late, /1 uploads?.*1 http|1 http.*1 uploads?/);
    const refused = await get("/o/b3:".padEnd(70, "0"));
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get("retry-after"), "3");
    assert.equal(JSON.parse(refused.text).code, "draining");
    const reply = await rpcRequest({ socketPath: node.socketPath }, "blob.list");
    assert.equal(reply.error?.code, -32000);
    assert.match(JSON.stringify(reply.error?.data), /net node drain --cancel/);
    for (const method of ["liveness", "readiness", "check", "version"]) {
      assert.ok((await node.call(`health.${method}`)) !== undefined, method);
    }
    assert.equal((await get("/livez")).status, 200);
    const ready = await get("/readyz");
    assert.deepEqual([ready.status, JSON.parse(ready.text).missing], [503, ["draining"]]);
    const probe = await home.net(["node", "health", "--ready"]);
    assert.deepEqual([probe.code, probe.stdout], [1, "not ready: draining\n"]);
    assert.equal((await node.status()).phase, "draining");
  });

  await t.step(
    "it is drained when that has ended, and serves again when it is told to",
    async () => {
      const piece = { upload: upload.upload, data: btoa("piece") };
      await node.call("blob.upload_append", piece);
      await node.call("blob.upload_finish", { upload: upload.upload });
      await put.finish();
      const drained = await home.json(["node", "drain"]);
      assert.equal(drained.status, "drained");
      assert.equal((await node.status()).phase, "drained");
      await node.call("health.resume");
      assert.equal((await get("/readyz")).status, 200);
      assert.equal((await get(`/o/${await put.address}`)).status, 200);
    },
  );

  await t.step("SIGTERM lets a put end that is under way", async () => {
    const last = slowPut(url, secret);
    await waitFor("the put to be under way", async () => {
      const { text } = await get("/metrics");
      return readExposition(text).get("inflight_requests")?.samples.get("inflight_requests{}") ===
        1;
    });
    const ended = node.kill("SIGTERM");
    await waitFor("the node to stop", async () => (await get("/readyz")).status === 503);
    await last.finish();
    assert.match(await last.address, /^b3:/);
    assert.equal((await ended).code, 0, node.log());
    assert.doesNotMatch(node.log(), /work_abandoned/);
    assert.equal(isAlive(node), false);
  });
});

/** A put whose second half waits. */
function slowPut(url: string, secret: string) {
  const bytes = patternBytes(300_000, 3);
  const { promise, resolve } = Promise.withResolvers<void>();
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      if (sent === 1) await promise;
      if (sent === 2) return controller.close();
      controller.enqueue(bytes.subarray(sent * 150_000, ++sent * 150_000));
    },
  });
  const address = fetch(`${url}/o`, {
    method: "PUT",
    body,
    headers: { authorization: `Bearer ${secret}` },
  }).then(async (answer) => {
    assert.equal(answer.status, 200);
    return String((await answer.json()).cid);
  });
  address.catch(() => {});
  return {
    address,
    finish: async () => {
      resolve();
      await address;
    },
  };
}

function isAlive({ pid }: TestNode): boolean {
  try {
    Deno.statSync(`/proc/${pid}`);
    return true;
  } catch {
    return false;
  }
}
