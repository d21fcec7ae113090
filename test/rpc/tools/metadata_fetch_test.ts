import assert from "node:assert/strict";
import fc from "fast-check";
import { utf8 } from "../../../src/base/mod.ts";
import {
  answerMetadataFetch,
  decodeMetadataAnswer,
  decodeMetadataRequest,
  decodeToolWatchFrame,
  encodeMetadataAnswer,
  encodeMetadataRequest,
  encodeToolWatchFrame,
  RpcStatusError,
  Status,
} from "../../../src/rpc/mod.ts";
import { anyTool, tool } from "./samples.ts";

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("encodeMetadataRequest() asks as the reference does", () => {
  assert.equal(textOf(encodeMetadataRequest("a")), '{"name":"a"}');
  assert.equal(decodeMetadataRequest(utf8('{"name":"a","x":1}')), "a");
  for (const text of ["", "{}", '{"name":1}', "[]", `{"name":"${"a".repeat(2_000)}"}`]) {
    assert.equal(decodeMetadataRequest(utf8(text)), undefined);
  }
});

Deno.test("encodeMetadataAnswer() and decodeMetadataAnswer() are each other's reverse", () => {
  fc.assert(fc.property(anyTool, (descriptor) => {
    const answer = { kind: "found", descriptor } as const;
    assert.deepEqual(decodeMetadataAnswer(encodeMetadataAnswer(answer)), { ok: true, answer });
  }));
  const missing = { kind: "not_found", toolId: "a" } as const;
  assert.equal(textOf(encodeMetadataAnswer(missing)), '{"type":"not_found","name":"a"}');
  assert.deepEqual(decodeMetadataAnswer(encodeMetadataAnswer(missing)), {
    ok: true,
    answer: missing,
  });
});

Deno.test("decodeMetadataAnswer() and decodeToolWatchFrame() never throw", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    assert.ok(!decodeMetadataAnswer(bytes).ok);
    assert.ok(!decodeToolWatchFrame(bytes).ok);
  }));
  for (
    const text of ['{"type":"found"}', '{"type":"found","descriptor":{}}', '{"type":"not_found"}']
  ) assert.deepEqual(decodeMetadataAnswer(utf8(text)), { ok: false, fault: "missing_member" });
});

Deno.test("answerMetadataFetch() answers with the descriptor, or that there is none", () => {
  const tools = new Map([["a", tool("a", { inputSchema: '{"x":1}' })]]);
  const found = answerMetadataFetch(encodeMetadataRequest("a"), tools);
  assert.deepEqual(decodeMetadataAnswer(found), {
    ok: true,
    answer: { kind: "found", descriptor: { ...tools.get("a"), nodeCount: 1 } },
  });
  const missing = answerMetadataFetch(encodeMetadataRequest("b"), tools);
  assert.equal(textOf(missing), '{"type":"not_found","name":"b"}');
  assert.throws(
    () => answerMetadataFetch(utf8("?"), tools),
    (error) => error instanceof RpcStatusError && error.status === Status.badRequest,
  );
});

Deno.test("encodeToolWatchFrame() and decodeToolWatchFrame() are each other's reverse", () => {
  const descriptor = tool("a");
  for (
    const frame of [
      { kind: "added", descriptor },
      { kind: "removed", descriptor },
      { kind: "node_count_changed", descriptor, previousNodeCount: 2 },
      { kind: "resync" },
    ] as const
  ) assert.deepEqual(decodeToolWatchFrame(encodeToolWatchFrame(frame)), { ok: true, frame });
  const wire = textOf(
    encodeToolWatchFrame({ kind: "node_count_changed", descriptor, previousNodeCount: 2 }),
  );
  assert.ok(wire.startsWith('{"type":"node_count_changed","descriptor":{"tool_id":"a"'));
  assert.ok(wire.endsWith(',"prev_node_count":2}'));
});
