/**
 * The golden documents of calls: their services over two nodes with engines, links and sessions of their own, and
 * what they say of bytes and names.
 */
import assert from "node:assert/strict";
import * as v from "valibot";
import { utf8 } from "../../../src/base/mod.ts";
import type { RpcService } from "../../../src/services/mod.ts";
import {
  clientStream,
  type ClientStreamCall,
  createTypedClient,
  defineService,
  duplex,
  type DuplexCall,
  RpcError,
  RpcFlag,
  RpcMetrics,
  serveTyped,
  unary,
} from "../../../src/rpc/mod.ts";
import { toObserverEvent } from "../../../src/rpc/metrics/observer_event.ts";
import { writeChunk, writeRequest, writeRequestGrant } from "../../../src/rpc/wire/mod.ts";
import { RpcKit } from "../../services/rpc/rpc_kit.ts";
import { chunkOf, MemoryLink, requestOf } from "../../rpc/memory_links.ts";
import { createClientKit, PEER, SERVICE } from "../../rpc/client/client_kit.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import type { VectorSuite } from "../suite.ts";
import {
  bytesOf,
  has,
  listOf,
  numberOf,
  objectOf,
  recordOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";

/** Suites of this file by vector file. */
export const NRPC_GOLDEN_SUITES: Readonly<Record<string, VectorSuite>> = {
  "nrpc/golden_unary.json": (document) => {
    const name = textOf(objectOf(document, "the file"), "service");
    return {
      ok_cases: (vector) => callGolden(name, vector),
      error_cases: (vector) => failGolden(name, vector),
    };
  },
  "nrpc/golden_streaming.json": (document) => {
    const file = objectOf(document, "the file");
    const { description: _, ...snapshots } = recordOf(file, "wire_snapshots");
    const services = listOf(file, "services").map((each) => objectOf(each, "service"));
    const placement = recordOf(recordOf(file, "canonical_flag_end_placement"), "examples");
    return {
      wire_snapshots: { cases: namedObjects(snapshots), check: checkSnapshot },
      canonical_flag_end_placement: {
        cases: Object.keys(placement).map((name) => ({ name })),
        check: checkEndPlacement,
      },
      services: {
        cases: services.flatMap((service) =>
          listOf(service, "ok_cases").map((each) => ({
            ...objectOf(each, "case"),
            service: textOf(service, "service"),
          }))
        ),
        check: streamGolden,
      },
      "error_cases.cases": failStream,
      metrics: {
        cases: [recordOf(file, "metrics_snapshot_invariants")],
        check: checkMetricNames,
      },
      observer: { cases: [recordOf(file, "observer_invariants")], check: checkObserverNames },
    };
  },
};

function checkSnapshot(vector: VectorObject): void {
  const bytes = bytesOf(vector, "hex");
  const inputs = recordOf(vector, "inputs");
  assert.equal(bytes.length, numberOf(vector, "byte_count"));
  const target = new Uint8Array(bytes.length);
  const flags = has(inputs, "flags_hex") ? Number(textOf(inputs, "flags_hex")) : 0;
  const body = has(inputs, "body_utf8") ? utf8(textOf(inputs, "body_utf8")) : utf8("");
  if (has(inputs, "credits")) {
    writeRequestGrant(target, 0, numberOf(inputs, "call_id"), 0, numberOf(inputs, "credits"));
  } else if (has(inputs, "service")) {
    writeRequest(target, 0, utf8(textOf(inputs, "service")), 0, flags, [], body);
  } else writeChunk(target, 0, numberOf(inputs, "call_id"), 0, flags, [], body);
  assert.deepEqual(target, bytes);
}

/** Uploads as the client's engine sends them: which frame says that it is the last. */
async function checkEndPlacement(vector: VectorObject): Promise<void> {
  const items = { zero_items: 0, one_item: 1, n_items: 3 }[textOf(vector, "name")];
  assert.ok(items !== undefined);
  const { client, link } = createClientKit({ isExtended: false });
  const call = await client.callClientStream(PEER, SERVICE);
  for (let item = 1; item < items; item++) await call.send(Uint8Array.of(item));
  const answer = items === 0 ? call.finish() : call.finish(Uint8Array.of(items));
  answer.catch(() => {});
  assert.ok(link instanceof MemoryLink);
  const [first, ...chunks] = link.take();
  assert.ok(first !== undefined);
  const { flags, body } = requestOf(first);
  const isWhole = items < 2;
  const end = isWhole ? RpcFlag.requestEnd : 0;
  assert.equal(flags, RpcFlag.clientStreaming | end);
  assert.equal(body.length, Math.min(items, 1));
  assert.equal(chunks.length, Math.max(0, items - 1));
  for (const [at, chunk] of chunks.entries()) {
    const isLast = at === chunks.length - 1;
    assert.equal(chunkOf(chunk).flags, isLast ? RpcFlag.requestEnd : 0);
  }
  call.cancel();
}

function checkMetricNames(vector: VectorObject): void {
  const metrics = new RpcMetrics({ clock: new ManualClock() });
  for (const name of ["b", "a"]) metrics.of(name).calls += 1;
  const snapshot = metrics.snapshot();
  const fields = listOf(vector, "service_metrics_fields").map((field) =>
    textOf(objectOf(field, "field"), "name")
  );
  assert.deepEqual(snapshot.services.map(({ service }) => service), ["a", "b"]);
  for (const service of snapshot.services) assert.deepEqual(Object.keys(service), fields);
  assert.equal(snapshot.observer_dropped_total, 0);
}

function checkObserverNames(vector: VectorObject): void {
  const event = toObserverEvent({
    caller: 1n,
    callee: 2n,
    method: "echo",
    latencyMs: 3,
    outcome: "ok",
    error: undefined,
    requestBytes: 4,
    responseBytes: 5,
    direction: "outbound",
    unixMs: 6,
  });
  const fields = listOf(vector, "fields").map((field) => textOf(objectOf(field, "field"), "name"));
  assert.deepEqual(Object.keys(event), fields);
}

const Item = v.object({ text: v.string(), numbers: v.array(v.number()) });
type Item = v.InferOutput<typeof Item>;
const Echo = v.object({ echo: v.string(), sum: v.number() });
const Total = v.object({ echo: v.string(), total: v.number(), count: v.number() });
const ClientSum = defineService("cross_lang_client_stream_sum", clientStream(Item, Total));
const DuplexEcho = defineService("cross_lang_duplex_echo", duplex(Item, Echo));
const sum = ({ numbers }: Item) => numbers.reduce((total, number) => total + number, 0);

/** Runs with a caller and a server that have a session. */
async function withNodes(
  run: (kit: RpcKit, caller: RpcService, server: RpcService) => Promise<void>,
): Promise<void> {
  using kit = new RpcKit();
  const [caller, server] = [await kit.node(1), await kit.node(2)];
  await kit.connect(caller, server);
  await run(kit, caller.rpc, server.rpc);
}

function defineEcho(name: string) {
  return defineService(name, unary(Item, Echo));
}

async function callGolden(name: string, vector: VectorObject): Promise<void> {
  const service = defineEcho(name);
  await withNodes(async (kit, caller, server) => {
    serveTyped(server, service, (item) => ({ echo: item.text, sum: sum(item) }));
    const request = v.parse(Item, vector.request_json);
    const answer = await kit.settled(createTypedClient(service, caller)(request));
    assert.deepEqual(answer, vector.expected_response_json);
  });
}

async function failGolden(name: string, vector: VectorObject): Promise<void> {
  await withNodes(async (kit, caller, server) => {
    serveTyped(server, defineEcho(name), (item) => ({ echo: item.text, sum: sum(item) }));
    const body = utf8(JSON.stringify(vector.request_json));
    const error = await kit.settled(caller.call(name, body)).catch((error: unknown) => error);
    assert.ok(error instanceof RpcError);
    assert.equal(error.kind, textOf(vector, "expected_error_kind_prefix"));
    assert.equal(error.status, numberOf(vector, "expected_status"));
    assert.match(error.message, /^typed handler: bad request body: /);
  });
}

function serveStreams(server: RpcService): void {
  serveTyped(server, ClientSum, async (items) => {
    const taken = await Array.fromAsync(items);
    return {
      echo: taken.map(({ text }) => text).join(" "),
      total: taken.reduce((total, item) => total + sum(item), 0),
      count: taken.length,
    };
  });
  serveTyped(server, DuplexEcho, async function* (items) {
    let count = 0;
    for await (const item of items) {
      count += 1;
      yield { echo: item.text, sum: sum(item) };
    }
    yield { echo: "summary", sum: count };
  });
}

async function streamGolden(vector: VectorObject): Promise<void> {
  const items = v.parse(v.array(Item), vector.request_items);
  const last = items.slice(-1) as [] | [Item];
  await withNodes(async (kit, caller, server) => {
    serveStreams(server);
    if (textOf(vector, "service") === ClientSum.name) {
      const call = await kit.settled(createTypedClient(ClientSum, caller)());
      for (const item of items.slice(0, -1)) await kit.settled(call.send(item));
      assert.deepEqual(await kit.settled(call.finish(...last)), vector.expected_response_json);
      return;
    }
    const call = await kit.settled(createTypedClient(DuplexEcho, caller)());
    for (const item of items.slice(0, -1)) await kit.settled(call.requests.send(item));
    await kit.settled(call.requests.finish(...last));
    const got = await kit.settled(Array.fromAsync(call.responses));
    assert.deepEqual(got, vector.expected_response_items);
  });
}

/** What goes wrong in a golden case, and how the caller or an observer at the server sees it. */
async function failStream(vector: VectorObject): Promise<void> {
  const name = textOf(vector, "name");
  const said = textOf(vector, "diagnostic_substring");
  await withNodes(async (kit, caller, server) => {
    switch (name) {
      case "client_stream_decode_failure": {
        serveStreams(server);
        const call = await kit.settled(caller.callClientStream(ClientSum.name));
        await kit.settled(call.send(utf8("not-json-shape")));
        const error = await kit.settled(call.finish()).catch((error: unknown) => error);
        assert.ok(error instanceof RpcError);
        assert.equal(error.status, Number(textOf(vector, "expected_application_code")));
        assert.ok(error.message.includes(said), error.message);
        return;
      }
      case "client_stream_handler_application_error": {
        serveTyped(server, ClientSum, () => Promise.reject(new Error("no sums today")));
        const call = await kit.settled(createTypedClient(ClientSum, caller)());
        const error = await kit.settled(call.finish()).catch((error: unknown) => error);
        assert.ok(error instanceof RpcError);
        assert.equal(error.status, Number(textOf(vector, "expected_application_code")));
        assert.equal(error.message, "no sums today");
        return;
      }
      case "client_stream_cancel_mid_send":
      case "duplex_cancel_from_caller": {
        const isDuplex = name.startsWith("duplex");
        const reasons: unknown[] = [];
        const watch = async (items: AsyncIterable<Uint8Array>, signal: AbortSignal) => {
          signal.addEventListener("abort", () => reasons.push(signal.reason));
          for await (const _item of items);
        };
        if (isDuplex) {
          server.serveDuplex(DuplexEcho.name, async function* (items, { signal }) {
            await watch(items, signal);
            yield utf8("never");
          });
        } else {
          server.serveClientStream(ClientSum.name, async (items, { signal }) => {
            await watch(items, signal);
            return utf8("never");
          });
        }
        const opened: Promise<ClientStreamCall | DuplexCall> = isDuplex
          ? caller.callDuplex(DuplexEcho.name)
          : caller.callClientStream(ClientSum.name);
        const call = await kit.settled(opened);
        const requests = "requests" in call ? call.requests : call;
        await kit.settled(requests.send(utf8("{}")));
        await kit.clock.advance(1_000);
        await call[Symbol.asyncDispose]();
        assert.ok(await kit.until(() => reasons.length > 0));
        assert.ok(String(reasons[0]).includes(said), String(reasons[0]));
        return;
      }
      case "duplex_decode_failure": {
        server.serveDuplex(DuplexEcho.name, () => [utf8("{}")]);
        const call = await kit.settled(createTypedClient(DuplexEcho, caller)());
        await kit.settled(call.requests.send({ text: "", numbers: [] }));
        const error = await kit.settled(call.responses.read()).catch((error: unknown) => error);
        assert.ok(error instanceof RpcError);
        assert.equal(error.kind, "codec_decode");
        assert.ok(error.message.includes(said), error.message);
        return;
      }
      default:
        assert.fail(`nobody knows what "${name}" is`);
    }
  });
}

function namedObjects(vector: VectorObject): VectorObject[] {
  return Object.entries(vector).map(([name, value]) => ({ ...objectOf(value, name), name }));
}
