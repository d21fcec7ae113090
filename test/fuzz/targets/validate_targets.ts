/** What the validator reads of strangers: replies, capability lists, metadata files, executables. */
import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/mod.ts";
import {
  checkMetadata,
  gradeCapabilities,
  HEALTH_METHODS,
  readAdvertised,
  readCapabilities,
  readConsumed,
  readElfFacts,
  StringScan,
} from "../../../src/validate/mod.ts";
import { judgeByReference } from "../../../src/validate/reference_rules.ts";
import { judgeReply, type MethodVerdict, parseMessage } from "../../../src/validate/verdict.ts";
import { errorReply, GOOD_RESULTS } from "../../validate/members/good.ts";
import { makeElf } from "../../validate/binary/elf_files.ts";
import type { CreateTarget, FuzzTarget } from "../fuzz.ts";

const decoder = new TextDecoder();

/** Nothing that steers a terminal, and nothing endless. */
function assertShown(text: string | undefined): void {
  if (text === undefined) return;
  assert.ok(text.length <= 201, text);
  assert.equal(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text), false, text);
}

function assertVerdict(verdict: MethodVerdict): void {
  assert.equal(verdict.passed, verdict.error === undefined);
  assert.ok(!verdict.passed || ["ok", "id_mismatch"].includes(verdict.outcome));
  assert.ok(verdict.code === undefined || Number.isSafeInteger(verdict.code));
  for (const text of [verdict.error, verdict.primal, verdict.version, ...verdict.warnings]) {
    assertShown(text);
  }
}

function replyTarget(): FuzzTarget {
  const good = HEALTH_METHODS.map((method) =>
    `{"jsonrpc":"2.0","result":${JSON.stringify(GOOD_RESULTS[method])},"id":1}`
  );
  return {
    corpus: [...good, errorReply(-32_601, "1"), `[${good[0]}]`, "HTTP/1.1 400 Bad Request"].map(
      utf8,
    ),
    growth: { factor: 256, base: 16_384 },
    feed: (bytes, random) => {
      const method = HEALTH_METHODS[random.below(3)] ?? "health.liveness";
      const standard = judgeReply(method, bytes, "standard");
      const strict = judgeReply(method, bytes, "strict");
      const verdicts = [judgeByReference(method, bytes), standard, strict];
      for (const verdict of verdicts) assertVerdict(verdict);
      assert.ok(!strict.passed || standard.passed, "strict is never milder than standard");
      return verdicts.some(({ passed }) => passed) ? verdicts : undefined;
    },
  };
}

function listTarget(): FuzzTarget {
  const methods = ["health.check", "storage.put", "a.b.c"];
  const lists: readonly unknown[] = [
    { primal: "p", version: "1", methods },
    {
      provided_capabilities: [{ type: "storage", methods: ["put"] }],
      consumed_capabilities: ["x"],
    },
    { capabilities: methods, cost_estimates: { "a.b": { read_only: true } } },
    { method_info: [{ name: "a.b", read_only: false }], consumed_capabilities: [{ type: "y" }] },
    { semantic_mappings: { storage: { put: {}, get: {} } } },
    methods,
  ];
  return {
    corpus: lists.map((list) => utf8(JSON.stringify(list))),
    growth: { factor: 256, base: 4_096 },
    feed: (bytes) => {
      const list = parseMessage(bytes);
      const reading = readCapabilities(list);
      const advertised = readAdvertised(list);
      for (const method of reading?.methods ?? []) assert.ok(advertised.includes(method));
      assert.ok(advertised.length <= bytes.length);
      const { level } = gradeCapabilities({
        list,
        reading,
        identity: { primal: "p", version: "1" },
        notCallable: [],
        isAlive: true,
        hasTriad: true,
      });
      assert.ok(level === 0 || reading !== undefined);
      return reading === undefined ? undefined : { reading, consumed: readConsumed(list) };
    },
  };
}

function metadataTarget(): FuzzTarget {
  const texts = [
    '[primal]\nname = "a"\nversion = "1.0.0"\n[compatibility]\ncapabilities = ["a.b",\n"c"]\n',
    '[primal]\nname = "a"\nversion = "1"\n[builds.x86_64-linux]\ntarget = "x86_64-a-b"\n',
    '[primal]\nname = """a\n"""\nversion = 1\n[genomeBin.server]\nport_flag = "-p"\nx = [1,\n2]\n',
    '[provenance]\nbuilt_at = 2026-01-01T00:00:00Z\nchecksum_sha256 = ""\n[genomeBin]\ntier = "x"\n',
  ];
  return {
    corpus: texts.map(utf8),
    growth: { factor: 256, base: 16_384 },
    feed: (bytes) => {
      const text = decoder.decode(bytes);
      const { findings, metadata } = checkMetadata(text, "a");
      const lines = text.split("\n").length;
      assert.ok(findings.length <= 200);
      assert.equal(metadata === undefined, findings.some(({ severity }) => severity === "error"));
      for (const { key, line, message } of findings) {
        assertShown(key);
        assertShown(message);
        assert.ok(line === undefined || (line >= 1 && line <= lines), `${line} of ${lines}`);
      }
      return metadata;
    },
  };
}

function elfTarget(): FuzzTarget {
  return {
    corpus: [
      makeElf({ machine: 62, interpreter: "/lib64/ld.so", hasSymbols: true }),
      makeElf({ machine: 40, bits: 32, interpreter: "/lib/ld.so" }),
      makeElf({ machine: 21, isBigEndian: true, type: 2 }),
    ],
    growth: { factor: 64, base: 8_192 },
    feed: (bytes) => {
      let read = 0;
      const facts = readElfFacts({
        size: bytes.length,
        read: (offset, length) => {
          read += length;
          return bytes.subarray(offset, offset + length);
        },
      });
      assert.ok(read <= 84 + 3 * bytes.length, `${read} bytes of ${bytes.length} were read`);
      assert.ok((facts?.interpreter ?? "").length <= 4096);
      return facts;
    },
  };
}

function scanTarget(): FuzzTarget {
  return {
    corpus: ["/home/ann/x 10.1.2.3\0secret", "192.168.1.1.", "172.16.0.1 /home/"].map(utf8),
    growth: { factor: 256, base: 8_192 },
    feed: (bytes, random) => {
      const whole = new StringScan(["secret"]);
      whole.push(bytes);
      const { counts, findings } = whole.finish();
      const cut = new StringScan(["secret"]);
      const at = random.below(bytes.length + 1);
      cut.push(bytes.slice(0, at));
      cut.push(bytes.slice(at));
      assert.deepEqual(cut.finish().counts, counts);
      for (const { text } of findings) assertShown(text);
      return findings.length > 0 ? findings : undefined;
    },
  };
}

/** The validator's targets. */
export const VALIDATE_TARGETS: Readonly<Record<string, CreateTarget>> = {
  validate_reply: replyTarget,
  validate_capability_list: listTarget,
  validate_metadata: metadataTarget,
  validate_elf: elfTarget,
  validate_strings: scanTarget,
};
