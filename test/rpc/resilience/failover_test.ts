/** What must hold of asking nodes in turn, whatever they do. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { RpcError } from "../../../src/rpc/mod.ts";
import { askInTurn } from "../../../src/rpc/resilience/failover.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { broken, busy, internal, Settled } from "./service_kit.ts";

type Ending = "value" | "busy" | "no_route" | "broken" | "internal" | "silent";

/** What a node does: when the request leaves, and how and when it ends. */
interface Script {
  /** Milliseconds after the start; never, when it is later than the end. */
  readonly sentAfterMs: number;
  readonly endsAfterMs: number;
  readonly ending: Ending;
}

const script: fc.Arbitrary<Script> = fc.record({
  sentAfterMs: fc.constantFrom(0, 0, 10, 200, 100_000),
  endsAfterMs: fc.integer({ min: 0, max: 1500 }),
  ending: fc.constantFrom<Ending>("value", "busy", "no_route", "broken", "internal", "silent"),
});

const DEADLINE_MS = 1000;

interface Attempt {
  readonly startedAt: number;
  sentAt: number | undefined;
  /** How it ended by itself; `undefined` while it runs. */
  ended: Ending | undefined;
  isAborted: boolean;
}

function play(scripts: readonly Script[], isIdempotent: boolean, abortAfterMs: number | undefined) {
  const clock = new ManualClock();
  const startMs = clock.now();
  const attempts: Attempt[] = [];
  const released: unknown[] = [];
  const errors = {
    busy,
    no_route: () => new RpcError("no_route", "no session"),
    broken,
    internal,
  };
  const attempt = (node: bigint, signal: AbortSignal, onSent: () => void) => {
    const { sentAfterMs, endsAfterMs, ending } = scripts[Number(node)] as Script;
    const own: Attempt = {
      startedAt: clock.now() - startMs,
      sentAt: undefined,
      ended: undefined,
      isAborted: false,
    };
    attempts.push(own);
    return new Promise<bigint>((resolve, reject) => {
      const isLive = () => own.ended === undefined && !own.isAborted;
      const send = () => {
        if (!isLive()) return;
        own.sentAt = clock.now() - startMs;
        onSent();
      };
      if (sentAfterMs === 0) send();
      else clock.after(sentAfterMs, send);
      if (ending !== "silent") {
        clock.after(endsAfterMs, () => {
          // A server answers only what has reached it.
          if (!isLive() || (own.sentAt === undefined && ending !== "no_route")) return;
          own.ended = ending;
          if (ending === "value") resolve(node);
          else reject(errors[ending]());
        });
      }
      clock.after(Math.max(0, startMs + DEADLINE_MS - clock.now()), () => {
        if (!isLive()) return;
        own.ended = "silent";
        reject(new RpcError("timeout", "no answer"));
      });
      signal.addEventListener("abort", () => {
        if (own.ended === undefined) own.isAborted = true;
        reject(new RpcError("cancelled", "cancelled"));
      });
    });
  };
  const aborter = new AbortController();
  if (abortAfterMs !== undefined) clock.after(abortAfterMs, () => aborter.abort());
  const nodes = scripts.map((_, index) => BigInt(index));
  const result = new Settled(askInTurn(nodes, attempt, {
    isIdempotent,
    deadlineMs: startMs + DEADLINE_MS,
    signal: aborter.signal,
    release: (value) => released.push(value),
  }, clock));
  return { clock, attempts, result, released };
}

const inputs = [
  fc.array(script, { minLength: 1, maxLength: 5 }),
  fc.boolean(),
  fc.option(fc.integer({ min: 0, max: 1200 }), { nil: undefined }),
] as const;

Deno.test("askInTurn() ends exactly once, within the deadline, and leaves nothing running", async () => {
  await fc.assert(
    fc.asyncProperty(...inputs, async (scripts, isIdempotent, abortAfterMs) => {
      const { clock, attempts, result } = play(scripts, isIdempotent, abortAfterMs);
      await clock.advance(DEADLINE_MS);
      assert.equal(result.count, 1);
      assert.ok(attempts.every(({ ended, isAborted }) => ended !== undefined || isAborted));
      const before = attempts.length;
      await clock.advance(10_000);
      assert.equal(result.count, 1);
      assert.equal(attempts.length, before);
    }),
  );
});

Deno.test("askInTurn() asks another node only while no handler can have run", async () => {
  await fc.assert(
    fc.asyncProperty(...inputs, async (scripts, _isIdempotent, abortAfterMs) => {
      const { clock, attempts } = play(scripts, false, abortAfterMs);
      await clock.advance(20_000);
      attempts.forEach((earlier, index) => {
        if (index + 1 >= attempts.length) return;
        const wasRefused = earlier.ended === "busy" || earlier.ended === "no_route";
        assert.ok(earlier.sentAt === undefined || wasRefused, JSON.stringify(attempts));
      });
    }),
  );
});

Deno.test("askInTurn() gives a value when a node that is asked gives one in time", async () => {
  await fc.assert(
    fc.asyncProperty(inputs[0], fc.boolean(), async (scripts, isIdempotent) => {
      const { clock, attempts, result } = play(scripts, isIdempotent, undefined);
      await clock.advance(20_000);
      const winner = attempts.findIndex(({ ended }) => ended === "value");
      if (winner >= 0) assert.equal(result.value, BigInt(winner));
      else assert.ok(result.error instanceof RpcError);
    }),
  );
});

Deno.test("askInTurn() takes back what a node gives after another one had won", async () => {
  const clock = new ManualClock();
  const answers = [0, 1].map(() => Promise.withResolvers<string>());
  const released: string[] = [];
  const result = new Settled(askInTurn(
    [0n, 1n],
    (node, _signal, onSent) => {
      onSent();
      return (answers[Number(node)] as PromiseWithResolvers<string>).promise;
    },
    {
      isIdempotent: true,
      deadlineMs: Infinity,
      signal: undefined,
      release: (value) => released.push(value),
    },
    clock,
  ));
  await clock.advance(5000);
  answers[1]?.resolve("second");
  await clock.advance(0);
  answers[0]?.resolve("first");
  await clock.advance(0);
  assert.equal(result.value, "second");
  assert.deepEqual(released, ["first"]);
});
