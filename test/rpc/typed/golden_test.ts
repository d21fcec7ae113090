/** The services and cases of the golden documents, through typed services of ours. */
import assert from "node:assert/strict";
import * as v from "valibot";
import {
  clientStream,
  createTypedClient,
  defineService,
  duplex,
  RpcError,
  serveTyped,
  Status,
  unary,
} from "../../../src/rpc/mod.ts";
import { goldenTest } from "../golden.ts";
import { MemoryRpc } from "./memory_rpc.ts";

const Item = v.object({ text: v.string(), numbers: v.array(v.pipe(v.number(), v.integer())) });
type Item = v.InferOutput<typeof Item>;
const Echo = v.object({ echo: v.string(), sum: v.number() });

const EchoSum = defineService("cross_lang_echo_sum", unary(Item, Echo));
const ClientStreamSum = defineService(
  "cross_lang_client_stream_sum",
  clientStream(Item, v.object({ echo: v.string(), total: v.number(), count: v.number() })),
);
const DuplexEcho = defineService("cross_lang_duplex_echo", duplex(Item, Echo));

const sum = ({ numbers }: Item) => numbers.reduce((total, number) => total + number, 0);
const encoder = new TextEncoder();

function serveAll(): MemoryRpc {
  const rpc = new MemoryRpc();
  serveTyped(rpc, EchoSum, (item) => ({ echo: item.text, sum: sum(item) }));
  serveTyped(rpc, ClientStreamSum, async (items) => {
    const taken = await Array.fromAsync(items);
    return {
      echo: taken.map(({ text }) => text).join(" "),
      total: taken.reduce((total, item) => total + sum(item), 0),
      count: taken.length,
    };
  });
  serveTyped(rpc, DuplexEcho, async function* (items) {
    let count = 0;
    for await (const item of items) {
      count += 1;
      yield { echo: item.text, sum: sum(item) };
    }
    yield { echo: "summary", sum: count };
  });
  return rpc;
}

interface GoldenUnary {
  readonly service: string;
  readonly ok_cases: readonly {
    readonly name: string;
    readonly request_json: Item;
    readonly expected_response_json: unknown;
  }[];
  readonly error_cases: readonly {
    readonly name: string;
    readonly request_json: unknown;
    readonly expected_error_kind_prefix: string;
    readonly expected_status: number;
  }[];
}

goldenTest<GoldenUnary>(
  "unary() passes the golden cases",
  "golden_unary.json",
  async (golden) => {
    const rpc = serveAll();
    assert.equal(golden.service, EchoSum.name);
    const echo = createTypedClient(EchoSum, rpc);
    for (const { name, request_json, expected_response_json } of golden.ok_cases) {
      assert.deepEqual(await echo(request_json), expected_response_json, name);
    }
    for (const each of golden.error_cases) {
      const body = encoder.encode(JSON.stringify(each.request_json));
      const error = await rpc.call(EchoSum.name, body).catch((error) => error);
      assert.ok(error instanceof RpcError, each.name);
      assert.equal(error.kind, each.expected_error_kind_prefix);
      assert.equal(error.status, each.expected_status);
      assert.match(error.message, /^typed handler: bad request body: /);
    }
    assert.equal(golden.ok_cases.length + golden.error_cases.length, 9);
  },
);

interface GoldenStreaming {
  readonly services: readonly {
    readonly service: string;
    readonly ok_cases: readonly {
      readonly name: string;
      readonly request_items: readonly Item[];
      readonly expected_response_json?: unknown;
      readonly expected_response_items?: unknown;
    }[];
  }[];
  readonly error_cases: {
    readonly cases: readonly { readonly name: string; readonly diagnostic_substring: string }[];
  };
}

goldenTest<GoldenStreaming>(
  "clientStream() and duplex() pass the golden cases",
  "golden_streaming.json",
  async ({ services }) => {
    const rpc = serveAll();
    const upload = createTypedClient(ClientStreamSum, rpc);
    const chat = createTypedClient(DuplexEcho, rpc);
    let cases = 0;
    for (const { service, ok_cases } of services) {
      for (const each of ok_cases) {
        cases += 1;
        const last = each.request_items.slice(-1) as [] | [Item];
        if (service === ClientStreamSum.name) {
          const call = await upload();
          for (const item of each.request_items.slice(0, -1)) await call.send(item);
          assert.deepEqual(await call.finish(...last), each.expected_response_json, each.name);
        } else {
          const call = await chat();
          for (const item of each.request_items.slice(0, -1)) await call.requests.send(item);
          await call.requests.finish(...last);
          const got = await Array.fromAsync(call.responses);
          assert.deepEqual(got, each.expected_response_items, each.name);
        }
      }
    }
    assert.equal(cases, 7);
  },
);

goldenTest<GoldenStreaming>(
  "clientStream() and duplex() fail as the golden error cases say",
  "golden_streaming.json",
  async ({ error_cases }) => {
    const said = (name: string) =>
      error_cases.cases.find((each) => each.name === name)?.diagnostic_substring ?? "missing";
    const rpc = serveAll();
    const raw = await rpc.callClientStream(ClientStreamSum.name);
    await raw.send(encoder.encode("not-json-shape"));
    const bad = await raw.finish().catch((error) => error);
    assert.ok(bad instanceof RpcError);
    assert.equal(bad.status, Status.badRequest);
    assert.ok(bad.message.includes(said("client_stream_decode_failure")));

    const failing = new MemoryRpc();
    serveTyped(failing, ClientStreamSum, () => Promise.reject(new Error("no sums today")));
    const failed = await (await createTypedClient(ClientStreamSum, failing)()).finish()
      .catch((error) => error);
    assert.ok(failed instanceof RpcError);
    assert.equal(failed.status, Status.handlerError);
    assert.equal(failed.message, "no sums today");

    const wrong = new MemoryRpc();
    wrong.serveDuplex(DuplexEcho.name, () => [encoder.encode("{}")]);
    const call = await createTypedClient(DuplexEcho, wrong)();
    const unreadable = await call.responses.read().catch((error) => error);
    assert.ok(unreadable instanceof RpcError);
    assert.equal(unreadable.kind, "codec_decode");
    assert.ok(unreadable.message.includes(said("duplex_decode_failure")));
    assert.equal(wrong.contexts[0]?.signal.aborted, true);
  },
);
