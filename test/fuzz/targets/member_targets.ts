/** What members answer, and what files say of members that run together. */
import assert from "node:assert/strict";
import { NetError, utf8 } from "../../../src/base/mod.ts";
import {
  addressText,
  cleanLine,
  isMemberName,
  judgeLiveness,
  parseAddress,
  parseMemberRecord,
  readComposition,
} from "../../../src/deploy/mod.ts";
import type { CreateTarget } from "../fuzz.ts";

const decoder = new TextDecoder();

const RECORD = {
  schema: "net.member.v1",
  name: "a-f",
  member: "a",
  composition: null,
  pid: 77,
  startTicks: "1",
  bootId: null,
  startedAt: "2026-01-01T00:00:00Z",
  endpoints: ["unix:/a"],
  log: "/a.log",
  command: ["/a", "server"],
};

/** Readers of what concerns members, by name. */
export const MEMBER_TARGETS: Readonly<Record<string, CreateTarget>> = {
  readComposition: () => ({
    corpus: [
      'name = "c"\n[[members]]\nname = "x"\nendpoint = "127.0.0.1:9"\nrequired = false\n',
      '{"name":"c","members":[{"name":"z","capabilities":["a.b"],"after":["y"],"family":"f"}]}',
    ].map(utf8),
    growth: { factor: 64, base: 1_024 },
    feed: (bytes) => {
      try {
        const composition = readComposition(decoder.decode(bytes), "c");
        for (const { name, primal, after } of composition.members) {
          for (const word of [name, primal, ...after]) assert.ok(isMemberName(word), word);
        }
        return composition;
      } catch (error) {
        assert.ok(error instanceof NetError && error.code === "usage", String(error));
        assert.ok(error.message.length < 500, error.message);
        return undefined;
      }
    },
  }),
  judgeLiveness: () => ({
    corpus: [
      '{"jsonrpc":"2.0","result":{"status":"healthy","alive":true},"id":1}',
      '{"error":{"code":-32601,"message":"no"},"id":null}',
    ].map(utf8),
    growth: { factor: 64, base: 1_024 },
    feed: (bytes) => {
      const { state, reason } = judgeLiveness(bytes);
      assert.ok(state === "live" || state === "answering");
      assert.equal(reason === undefined, state === "live");
      return state === "live" ? state : undefined;
    },
  }),
  parseMemberRecord: () => ({
    corpus: [utf8(JSON.stringify(RECORD))],
    growth: { factor: 64, base: 1_024 },
    feed: (bytes) => {
      const record = parseMemberRecord(decoder.decode(bytes));
      // A signal to 0 or 1, or to a negative number, would reach others.
      if (record !== undefined) assert.ok(record.pid > 1 && isMemberName(record.name));
      return record;
    },
  }),
  parseAddress: () => ({
    corpus: ["unix:///run/a.sock", "@name", "tcp://[::1]:80", "127.0.0.1:9100"].map(utf8),
    growth: { factor: 64, base: 1_024 },
    feed: (bytes) => {
      const address = parseAddress(decoder.decode(bytes));
      if (address !== undefined) assert.deepEqual(parseAddress(addressText(address)), address);
      return address;
    },
  }),
  cleanLine: () => ({
    corpus: ["\u001b[31mred\u001b[0m\ttab\r", "plain \u202e text"].map(utf8),
    growth: { factor: 64, base: 1_024 },
    feed: (bytes) => {
      const line = cleanLine(decoder.decode(bytes));
      assert.doesNotMatch(line, /[\p{Cc}\p{Cf}]/u);
      assert.ok(line.length <= 2_000);
      return line;
    },
  }),
};
