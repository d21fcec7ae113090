/** What clients of HTTP send, and what stores of blobs answer and hold. */
import assert from "node:assert/strict";
import { concatBytes, utf8 } from "../../../src/base/mod.ts";
import { readProfile } from "../../../src/blob/adapters/s3/s3_credentials.ts";
import { readElement, readFault, readRoot } from "../../../src/blob/adapters/s3/s3_xml.ts";
import { BlobAdapterError, encodeBlobRef, readPayload } from "../../../src/blob/mod.ts";
import { BodyError, BodyReader } from "../../../src/gateway/http/body_reader.ts";
import { TARGET_BYTES_MAX } from "../../../src/gateway/http/limits.ts";
import { findHeadEnd, parseRequestHead } from "../../../src/gateway/http/request_head.ts";
import { SocketReader } from "../../../src/gateway/http/socket_reader.ts";
import { chooseExposition } from "../../../src/gateway/health/metrics_route.ts";
import { parseByteRange } from "../../../src/gateway/objects/byte_range.ts";
import { checkConditions, entityTag } from "../../../src/gateway/objects/preconditions.ts";
import {
  type MetricFamily,
  OPENMETRICS_TYPE,
  PROMETHEUS_TYPE,
  renderOpenMetrics,
  renderPrometheus,
} from "../../../src/observe/mod.ts";
import type { CreateTarget, FuzzTarget } from "../fuzz.ts";
import { FuzzRandom } from "../fuzz_random.ts";
import { readExposition } from "../../observe/exposition_reader.ts";

const random = new FuzzRandom(77);
const latin1 = new TextDecoder("latin1");

function headTarget(): FuzzTarget {
  return {
    corpus: [
      "GET /o/b3:00 HTTP/1.1\r\nHost: localhost:80\r\nRange: bytes=1-2\r\n\r\n",
      "PUT /o HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
      "POST http://a/o?x HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\nA:\t b \r\n\r\n",
      "GET / HTTP/1.0\r\nConnection: keep-alive, x\r\n\r\n",
    ].map(utf8),
    feed: (bytes) => {
      const end = findHeadEnd(bytes);
      const parsed = parseRequestHead(
        end === undefined ? concatBytes(bytes, utf8("\r\n\r\n")) : bytes.subarray(0, end),
      );
      if (!parsed.ok) {
        assert.ok(parsed.fault.status >= 400 && parsed.fault.status <= 505);
        return undefined;
      }
      const { target, host, headers, body } = parsed.head;
      assert.ok(/^[/*]/.test(target) && target.length <= TARGET_BYTES_MAX + 1 && host !== "");
      // What gets here goes into a request of the platform without a fault.
      for (const [name, value] of headers) new Headers([[name, value]]);
      assert.ok(body.kind !== "length" || Number.isSafeInteger(body.bytes));
      return parsed.head;
    },
  };
}

function chunkedTarget(): FuzzTarget {
  const running: Promise<void>[] = [];
  return {
    corpus: [
      "4;x=y\r\nwiki\r\n0A\r\n0123456789\r\n0\r\nT: t\r\n\r\n",
      "0\r\n\r\n",
      "1\r\na\r\n0\r\n\r\nGET",
    ].map(utf8),
    feed: (bytes) => {
      running.push(readChunks(bytes));
      return true;
    },
    settle: async () => void await Promise.all(running.splice(0)),
  };
}

/** A body in chunks ends as it should or with its own error, and is never longer than what came. */
async function readChunks(bytes: Uint8Array): Promise<void> {
  let at = 0;
  const reader = new SocketReader({
    read: (into) => {
      const piece = bytes.subarray(at, at + Math.min(into.length, 7));
      into.set(piece);
      at += piece.length;
      return Promise.resolve(piece.length === 0 ? null : piece.length);
    },
  });
  const body = new BodyReader(reader, { kind: "chunked" }, {
    onFirst: () => Promise.resolve(),
    onWait: () => {},
    onBytes: () => {},
    onEnd: () => {},
  });
  let taken = 0;
  try {
    const into = new Uint8Array(64);
    for (let count = await body.read(into); count !== null; count = await body.read(into)) {
      assert.ok(count > 0);
      taken += count;
    }
  } catch (error) {
    assert.ok(error instanceof BodyError, String(error));
    return;
  }
  assert.ok(body.hasEnded && taken <= bytes.length);
}

/** Headers that hold a text the platform's would not. */
class OneHeader {
  constructor(readonly text: string) {}

  get(name: string): string | null {
    return name === "if-none-match" ? this.text : null;
  }
}

function rangeTarget(): FuzzTarget {
  return {
    corpus: ["bytes=0-9", "bytes=5-", "bytes=-5", "bytes=1-2,4-5", "items=1-2", 'W/"b3:00", *'].map(
      utf8,
    ),
    feed: (bytes) => {
      const text = latin1.decode(bytes);
      const condition = checkConditions(new OneHeader(text), entityTag("b3:00"));
      assert.ok(condition === "go_on" || condition === "not_modified");
      for (const size of [0, 1, 10, 2 ** 40]) {
        const range = parseByteRange(text, size);
        if (range.kind !== "part") continue;
        assert.ok(Number.isSafeInteger(range.start) && Number.isSafeInteger(range.end));
        assert.ok(0 <= range.start && range.start < range.end && range.end <= size);
      }
      const range = parseByteRange(text, 10);
      return range.kind === "part" ? range : undefined;
    },
  };
}

/** Names that peers choose are labels of metrics: whatever they are, both formats stay readable. */
function metricsTarget(): FuzzTarget {
  return {
    corpus: [
      'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2,*/*;q="',
      'a\\b"c\nd\re} 1\n# EOF\n',
      "echo/tools",
    ].map(utf8),
    feed: (bytes) => {
      const text = new TextDecoder().decode(bytes);
      const type = chooseExposition(text);
      assert.ok(type === PROMETHEUS_TYPE || type === OPENMETRICS_TYPE);
      const families: MetricFamily[] = [{
        name: "calls_total",
        type: "counter",
        help: text === "" ? "None." : text,
        samples: [{ labels: [["service", text], ["kind", "x"]], value: 1 }],
      }];
      readExposition(renderOpenMetrics(families), "openmetrics");
      return readExposition(renderPrometheus(families)).get("calls_total")?.samples.size === 1;
    },
  };
}

function s3Target(): FuzzTarget {
  return {
    corpus: [
      '<?xml version="1.0"?>\n<Error><Code>SlowDown</Code><Message>a &lt;b&gt; &#x41;</Message><Region>x</Region></Error>',
      '<InitiateMultipartUploadResult xmlns="http://s3"><UploadId>u+1</UploadId></InitiateMultipartUploadResult>',
      "<Upload><Key>a/b</Key><UploadId>u</UploadId><Initiated>2026-01-01T00:00:00Z</Initiated></Upload>",
      "[default]\naws_access_key_id = A\naws_secret_access_key=b=c\n",
    ].map(utf8),
    feed: (bytes) => {
      const text = new TextDecoder().decode(bytes);
      const fault = readFault(text);
      for (const found of [fault.code, fault.message, readElement(text, "UploadId") ?? ""]) {
        assert.ok(found.length <= 2_048);
      }
      readProfile(text, "default");
      const root = readRoot(text);
      assert.ok(root === undefined || /^[A-Za-z0-9]{1,64}$/.test(root));
      return root;
    },
  };
}

function payloadTarget(): FuzzTarget {
  return {
    corpus: [
      encodeBlobRef({ kind: "small", uri: "s3://b/k", hash: random.bytes(32), size: 5 }),
      encodeBlobRef({ kind: "small", uri: "", hash: random.bytes(32), size: 0 }),
      utf8("an inline payload"),
    ],
    feed: (bytes) => {
      try {
        return readPayload(bytes);
      } catch (error) {
        assert.ok(error instanceof BlobAdapterError && error.kind === "decode");
        return undefined;
      }
    },
  };
}

/** Targets of the gateway and of adapters. */
export const GATEWAY_TARGETS: Readonly<Record<string, CreateTarget>> = {
  http_head: headTarget,
  http_chunks: chunkedTarget,
  http_range: rangeTarget,
  metrics_text: metricsTarget,
  s3_answers: s3Target,
  adapter_payload: payloadTarget,
};
