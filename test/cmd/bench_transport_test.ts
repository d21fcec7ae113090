import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { runInMemory } from "./_harness.ts";

const RESULT = {
  node_id: "31a56ab7724a0b59",
  address: "192.168.178.123:54321",
  relayed: false,
  trust: "proven",
  seconds_per_step: 2,
  streams: 1,
  round_trip: {
    size: 64,
    sent: 12_345,
    received: 12_340,
    loss: 0,
    min_ms: 0.02,
    p50_ms: 0.143,
    p99_ms: 4.13,
  },
  events: [
    {
      way: "out",
      size: 1024,
      events: 300_000,
      seconds: 2,
      events_per_second: 150_000,
      mb_per_second: 153.6,
      packets: 42_858,
      resent: 7,
      lost: 3,
      duplicates: 4,
      complete: true,
    },
    {
      way: "in",
      size: 8104,
      events: 0,
      seconds: 0,
      events_per_second: null,
      mb_per_second: null,
      packets: 32,
      resent: 0,
      lost: 32,
      duplicates: 0,
      complete: false,
    },
  ],
};

const node = {
  "bench.transport": (_: unknown, report: (told: object) => void) => {
    const told = { peer: RESULT.node_id, size: 64, steps: 3 };
    report({ ...told, step: 1, what: "round_trip", events: 0, seconds: 0 });
    report({ ...told, step: 2, what: "out", events: 0, seconds: 0 });
    report({ ...told, step: 2, what: "out", events: 1_000_000, seconds: 0.5 });
    report({ ...told, step: 3, what: "in", events: 0, seconds: 0 });
    return RESULT;
  },
};

Deno.test("bench transport prints figures, and on standard error how it goes", async () => {
  const result = await runInMemory(["bench", "transport", "31a5", "--seconds", "0.5"], { node });
  assert.equal(result.code, 0);
  assert.deepEqual(result.calls, [
    { method: "bench.transport", params: { peer: "31a5", seconds: 0.5 } },
  ]);
  assert.equal(
    result.stdout,
    "with 31a56ab7724a0b59 at 192.168.178.123:54321, proven, 1 stream\n" +
      "round trip 64 B  p50 143us  p99 4.13ms  min 20us  12,345 sent, 5 lost\n" +
      "\n" +
      "EVENT   WAY             EVENTS/S   MB/S  PACKETS  LOST  AGAIN\n" +
      "1 KiB   out              150,000  153.6   42,858     3      7\n" +
      "8104 B  in (cut short)         -      -       32    32      0\n",
  );
  // Off a terminal a line per step.
  assert.equal(
    result.stderr,
    "1/3 with 31a56ab7724a0b59: round trips\n" +
      "2/3 with 31a56ab7724a0b59: events of 64 B out\n" +
      "3/3 with 31a56ab7724a0b59: events of 64 B in\n",
  );
});

Deno.test("bench transport repaints its progress on a terminal and leaves nothing of it", async () => {
  const { stderr } = await runInMemory(["bench", "transport"], { node, isTerminal: true });
  assert.match(stderr, /events of 64 B out, 2,000,000\/s/);
  assert.ok(stderr.endsWith("\r\x1b[2K"));
  assert.ok(!stderr.includes("\n"));
});

Deno.test("bench transport --json prints one document and nothing else", async () => {
  const args = ["bench", "transport", "--size", "100", "--streams", "8", "--json"];
  const result = await runInMemory(args, { node });
  assert.deepEqual(result.calls[0]?.params, { size: 100, streams: 8 });
  assert.deepEqual(JSON.parse(result.stdout), { schema: "net.bench.transport.v1", ...RESULT });
  assert.equal(result.stderr, "");
});

Deno.test("bench transport refuses what is no number, and passes on why a peer refuses", async () => {
  for (
    const [flag, value] of [["--seconds", "soon"], ["--size", "-1"], ["--streams", ""]] as const
  ) {
    const { code, stderr, calls } = await runInMemory(["bench", "transport", flag, value], {
      node,
    });
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`Cannot use ${flag}`));
    assert.match(stderr, /^next: /m);
    assert.equal(calls.length, 0);
  }
  const refusal = () => {
    throw new NetError("conflict", "Cannot measure with ab: it takes part in another measurement", {
      next: "repeat the command in a minute at most",
    });
  };
  const { code, stderr } = await runInMemory(["bench", "transport"], {
    node: { "bench.transport": refusal },
  });
  assert.equal(code, 1);
  assert.match(stderr, /^code: conflict\nnext: repeat the command/m);
});
