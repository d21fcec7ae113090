import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { RedexError } from "../../../src/log/mod.ts";
import type { LogReadOptions, LogService } from "../../../src/services/mod.ts";
import { shown, startLogs } from "./log_kit.ts";

const SIGNAL = new AbortController().signal;
const READ: LogReadOptions = { from: { kind: "start" }, signal: SIGNAL };

const hasCode = (code: string) => (error: unknown) =>
  error instanceof NetError && error.code === code;

async function readAll(logs: LogService, options: Partial<LogReadOptions> = {}): Promise<string[]> {
  using reader = await logs.reader("a/b", { ...READ, ...options });
  const all: string[] = [];
  for (;;) {
    const items = await reader.next();
    if (items === undefined) return all;
    all.push(...shown(items));
  }
}

Deno.test("LogService.append() appends all, and gives a receipt", async () => {
  await using kit = await startLogs();
  const { logs } = kit;
  const one = await kit.append("a/b", "x");
  assert.deepEqual([one.first, one.last, one.count, one.token], [0n, 0n, 1, {
    origin: 0xabn,
    seq: 0n,
  }]);
  const more = await kit.append("a/b", "y", "z");
  assert.deepEqual([more.first, more.last, more.nextSeq], [1n, 2n, 3n]);
  await assert.rejects(logs.append("a/b", []), hasCode("usage"));
  await assert.rejects(logs.append("A/b", [new Uint8Array(1)]), hasCode("usage"));
  const expecting = (expected: bigint) => logs.append("a/b", [new Uint8Array(1)], { expected });
  await expecting(3n);
  await assert.rejects(
    expecting(3n),
    (error) => error instanceof RedexError && error.kind === "seq_mismatch",
  );
  const inline = { isInline: true, expected: 4n, isDurable: true };
  await logs.append("a/b", [new Uint8Array(8), new Uint8Array(8)], inline);
  await assert.rejects(logs.append("a/b", [new Uint8Array(8)], inline), hasCode("conflict"));
  await assert.rejects(
    logs.append("a/b", [new Uint8Array(9)], { isInline: true }),
    hasCode("usage"),
  );
});

Deno.test("LogService.reader() begins where it is told to, and ends at the end", async () => {
  await using kit = await startLogs();
  const { logs, clock } = kit;
  await assert.rejects(readAll(logs), hasCode("not_found"));
  for (const text of ["a", "b", "c", "d"]) {
    await kit.append("a/b", text);
    await clock.advance(1_000);
  }
  assert.deepEqual(await readAll(logs), ["0:a", "1:b", "2:c", "3:d"]);
  assert.deepEqual(await readAll(logs, { from: { kind: "seq", seq: 2n } }), ["2:c", "3:d"]);
  assert.deepEqual(await readAll(logs, { from: { kind: "last", events: 1 } }), ["3:d"]);
  assert.deepEqual(await readAll(logs, { from: { kind: "last", events: 9 } }), [
    "0:a",
    "1:b",
    "2:c",
    "3:d",
  ]);
  assert.deepEqual(await readAll(logs, { from: { kind: "end" } }), []);
  assert.deepEqual(await readAll(logs, { from: { kind: "seq", seq: 90n } }), []);
  assert.deepEqual(await readAll(logs, { to: 2n }), ["0:a", "1:b"]);
  const timeNs = BigInt(clock.wallMs() - 2_500) * 1_000_000n;
  assert.deepEqual(await readAll(logs, { from: { kind: "since", timeNs } }), ["2:c", "3:d"]);
  assert.deepEqual(await readAll(logs, { from: { kind: "since", timeNs: 0n } }), [
    "0:a",
    "1:b",
    "2:c",
    "3:d",
  ]);
});

Deno.test("LogReader tells what retention took", async () => {
  await using kit = await startLogs({ defaults: { retention: { eventsMax: 2 } } });
  const { logs } = kit;
  await kit.append("a/b", "a", "b", "c", "d");
  const { swept } = await logs.compact("a/b");
  assert.equal(swept, 2);
  assert.deepEqual(await readAll(logs), ["2:c", "3:d"]);
  assert.deepEqual(await readAll(logs, { from: { kind: "seq", seq: 0n } }), [
    "lag 0-1 retention",
    "2:c",
    "3:d",
  ]);
  assert.equal(kit.metrics.snapshot().net_log_service_reader_gone_events_total, 2);
});

Deno.test("LogReader follows over history, news, new rules and compaction", async () => {
  await using kit = await startLogs();
  const { logs } = kit;
  await kit.append("a/b", "a", "b");
  using reader = await logs.reader("a/b", { ...READ, isFollowing: true });
  assert.deepEqual(shown(await reader.next()), ["0:a", "1:b"]);
  const waiting = reader.next();
  await kit.append("a/b", "c");
  assert.deepEqual(shown(await waiting), ["2:c"]);
  await logs.configure("a/b", { retention: { eventsMax: 1 } });
  await kit.append("a/b", "d", "e");
  await logs.compact("a/b");
  assert.deepEqual(shown(await reader.next()), ["lag 3-3 retention", "4:e"]);
  assert.equal((await logs.rulesOf("a/b"))?.retention?.eventsMax, 1);
});

Deno.test("LogReader ends when the log is removed, the reader leaves, or the service stops", async () => {
  const kit = await startLogs();
  const { logs } = kit;
  await kit.append("a/b", "a");
  const follow = { ...READ, from: { kind: "end" }, isFollowing: true } as const;
  using removed = await logs.reader("a/b", follow);
  const end = removed.next();
  assert.equal(await logs.remove("a/b"), true);
  assert.equal(await logs.remove("a/b"), false);
  assert.equal(await end, undefined);
  await kit.append("a/b", "b");
  const controller = new AbortController();
  using left = await logs.reader("a/b", { ...follow, signal: controller.signal });
  const aborted = assert.rejects(left.next(), /gone/);
  controller.abort(new Error("gone"));
  await aborted;
  using stopped = await logs.reader("a/b", follow);
  const ended = assert.rejects(stopped.next(), hasCode("draining"));
  await logs.stop();
  await ended;
});

Deno.test("LogService keeps to the rules of channels", async () => {
  await using kit = await startLogs({
    guard: (channel) => {
      if (channel.startsWith("vault/")) throw new NetError("not_allowed", "a token is missing");
    },
  });
  await kit.append("open", "x");
  await assert.rejects(kit.append("vault/keys", "x"), hasCode("not_allowed"));
  await assert.rejects(kit.logs.redex.open("vault/keys"), hasCode("not_allowed"));
  assert.equal(kit.metrics.snapshot().net_log_service_drop_open_refused_total, 1);
});

Deno.test("LogService.verify() reads everything and tells how far it is", async () => {
  await using kit = await startLogs();
  await kit.append("a/b", ...Array.from({ length: 3_000 }, (_, i) => `event ${i}`));
  const told: number[] = [];
  const verifying = kit.logs.verify("a/b", { onProgress: (done) => void told.push(done) });
  assert.ok(await kit.clock.advanceUntil(() => told.length === 3, 1_000));
  const verdict = await verifying;
  assert.deepEqual([verdict.events, verdict.damaged], [3_000, []]);
  assert.equal(verdict.bytes, verdict.stat.bytes);
});

Deno.test("LogService.configure() refuses to move a log between memory and disk", async () => {
  await using kit = await startLogs();
  await kit.logs.configure("new", {
    retention: { eventsMax: 5 },
    fsync: { kind: "every-n", records: 2 },
  });
  const { retention, fsync } = (await kit.logs.open("new")).stat();
  assert.deepEqual([retention, fsync], [{ eventsMax: 5 }, { kind: "every-n", records: 2 }]);
  assert.deepEqual(await kit.logs.names(), ["new"]);
});

Deno.test("LogService.repair() takes a log that cannot be opened", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using kit = await startLogs({ folder });
    await kit.append("a", "x", "y");
    await kit.logs.withClosed("a", async () => {
      const path = `${folder}/a/v0000000001/idx`;
      const idx = await Deno.readFile(path);
      for (const at of [7, 27]) idx[at] = 0x10;
      await Deno.writeFile(path, idx);
      await Deno.remove(`${folder}/a/@checkpoint`);
    });
    await assert.rejects(kit.append("a", "z"), /must be below 2\^53/);
    const { before, after } = await kit.logs.repair("a", { isKeepingTaken: false });
    assert.deepEqual([before.damaged, after.isSound], [2, true]);
    await kit.append("a", "z");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("LogService.remove() takes a log whose files went meanwhile", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using kit = await startLogs({ folder });
    await kit.append("a", "x");
    await Deno.remove(`${folder}/a`, { recursive: true });
    await assert.rejects(
      kit.logs.append("a", [new Uint8Array(1)], { isDurable: true }),
      /removed or replaced/,
    );
    await kit.logs.remove("a");
    await kit.append("a", "y");
    assert.equal((await kit.logs.read("a", 0n))?.payload.length, 1);
    await kit.append("b", "x");
    await Deno.remove(`${folder}/b`, { recursive: true });
    await kit.logs.redex.remove("b");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
