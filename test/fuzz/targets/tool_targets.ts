/** Decoders of tools: descriptors, events, models' calls, fetched metadata, tools in announcements. */

import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/mod.ts";
import { createCapabilitySet } from "../../../src/core/capability/mod.ts";
import {
  createToolDescriptor,
  decodeMetadataAnswer,
  decodeMetadataRequest,
  decodeToolCall,
  decodeToolDescriptor,
  decodeToolEvent,
  decodeToolWatchFrame,
  encodeMetadataAnswer,
  encodeMetadataRequest,
  encodeToolDescriptor,
  encodeToolEvent,
  encodeToolWatchFrame,
  listTools,
  readAnnouncedTools,
  TOOL_FORMATS,
  toolFacts,
} from "../../../src/rpc/mod.ts";
import { assertSame, type CreateTarget, type FuzzTarget } from "../fuzz.ts";

/** A JSON value of one digit is a value of its own, a member of one letter a text and a slot. */
const JSON_GROWTH = { factor: 96, base: 4_096 };
const LATIN = new TextDecoder("latin1");

const FULL = createToolDescriptor({
  toolId: "web_search",
  name: "Wéb",
  version: "2.1.0",
  description: "Searches",
  inputSchema: '{"type":"object","properties":{"q":{"type":"string"}}}',
  outputSchema: '{"type":"array"}',
  requires: ["network"],
  estimatedTimeMs: 500,
  isStreaming: true,
  tags: ["web", "ai"],
  pricingTerms: "free",
});
const PLAIN = createToolDescriptor({ toolId: "ping" });

function descriptorTarget(): FuzzTarget {
  return {
    corpus: [FULL, PLAIN].map(encodeToolDescriptor),
    growth: JSON_GROWTH,
    feed: (bytes) => {
      const decoded = decodeToolDescriptor(bytes);
      if (!decoded.ok) return undefined;
      const canonical = encodeToolDescriptor(decoded.descriptor);
      assert.deepEqual(decodeToolDescriptor(canonical), decoded);
      return decoded.descriptor;
    },
  };
}

function eventTarget(): FuzzTarget {
  return {
    corpus: [
      encodeToolEvent({ kind: "start", toolId: "a", callId: (1n << 64n) - 1n, metadata: { a: 1 } }),
      encodeToolEvent({ kind: "progress", percent: 12.5, message: "é" }),
      encodeToolEvent({ kind: "delta", data: [1, "two", null, { three: [[]] }] }),
      encodeToolEvent({ kind: "result", data: null }),
      encodeToolEvent({ kind: "error", code: "c", message: "m", details: [true] }),
    ],
    growth: JSON_GROWTH,
    feed: (bytes) => {
      const decoded = decodeToolEvent(bytes);
      if (!decoded.ok) return undefined;
      const canonical = encodeToolEvent(decoded.event);
      const again = decodeToolEvent(canonical);
      assert.ok(again.ok);
      assertSame(encodeToolEvent(again.event), canonical);
      return decoded.event;
    },
  };
}

function callTarget(): FuzzTarget {
  const texts = [
    '{"id":"call_1","type":"function","function":{"name":"a","arguments":"{\\"q\\":[1]}"}}',
    '{"type":"tool_use","id":"t","name":"a","input":{"q":1}}',
    '{"name":"a","args":{"q":1}}',
    '{"name":"a","arguments":{"q":1}}',
  ];
  return {
    corpus: texts.map(utf8),
    growth: JSON_GROWTH,
    feed: (bytes) => {
      const calls = TOOL_FORMATS.flatMap((format) => {
        const lowered = decodeToolCall(format, bytes);
        return lowered.ok ? [lowered.call] : [];
      });
      for (const { argumentsJson } of calls) JSON.parse(argumentsJson);
      return calls.length === 0 ? undefined : calls;
    },
  };
}

function metadataTarget(): FuzzTarget {
  return {
    corpus: [
      encodeMetadataRequest("web_search"),
      encodeMetadataAnswer({ kind: "found", descriptor: FULL }),
      encodeMetadataAnswer({ kind: "not_found", toolId: "x" }),
      encodeToolWatchFrame({ kind: "resync" }),
      encodeToolWatchFrame({ kind: "added", descriptor: PLAIN }),
      encodeToolWatchFrame({
        kind: "node_count_changed",
        descriptor: PLAIN,
        previousNodeCount: 3,
      }),
    ],
    growth: JSON_GROWTH,
    feed: (bytes) => {
      const request = decodeMetadataRequest(bytes);
      const answer = decodeMetadataAnswer(bytes);
      if (answer.ok) {
        assert.deepEqual(decodeMetadataAnswer(encodeMetadataAnswer(answer.answer)), answer);
      }
      const frame = decodeToolWatchFrame(bytes);
      if (frame.ok) {
        assert.deepEqual(decodeToolWatchFrame(encodeToolWatchFrame(frame.frame)), frame);
      }
      if (request !== undefined) return request;
      return answer.ok ? answer : frame.ok ? frame : undefined;
    },
  };
}

/** Tags and metadata of a hostile node, one text per line. */
function announcedTarget(): FuzzTarget {
  const { tags, metadata } = toolFacts([FULL, PLAIN], { textBytesMax: 120 });
  const lines = [...tags, ...metadata.map(([key, value]) => `${key}\t${value}`)];
  return {
    corpus: [utf8(lines.join("\n"))],
    growth: { factor: 512, base: 4_096 },
    feed: (bytes) => {
      const texts = LATIN.decode(bytes).split("\n").filter((text) => text !== "");
      const entries = texts.map((text) => text.split("\t", 2));
      const set = createCapabilitySet(
        texts.filter((text) => !text.includes("\t")),
        entries.filter(({ length }) => length === 2).map(([key = "", value = ""]) => [key, value]),
      );
      const { tools } = readAnnouncedTools(set);
      const listed = listTools([[1n, set], [2n, set]]);
      assert.equal(listed.length, tools.length);
      assert.ok(listed.every(({ descriptor }) => descriptor.nodeCount === 2));
      return tools.length === 0 ? undefined : tools;
    },
  };
}

/** The table of this area. */
export const TOOL_TARGETS: Readonly<Record<string, CreateTarget>> = {
  tool_descriptor: descriptorTarget,
  tool_event: eventTarget,
  provider_call: callTarget,
  tool_metadata: metadataTarget,
  announced_tools: announcedTarget,
};
