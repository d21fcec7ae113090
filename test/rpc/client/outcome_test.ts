/** Whatever happens to a call, in whatever order: it ends once, and nothing of it stays. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { CONTINUE_HEADERS, END_HEADERS, Status } from "../../../src/rpc/mod.ts";
import type { SentFrame } from "../memory_links.ts";
import { bodyOf, type ClientKit, createClientKit, Outcome, PEER, SERVICE } from "./client_kit.ts";

const TIMEOUT_MS = 1_000;

const EVENTS = [
  "answer",
  "item",
  "end",
  "failure",
  "garbage",
  "grant",
  "abort",
  "token",
  "link_end",
  "room",
  "no_room",
  "pass",
] as const;

interface Step {
  readonly event: typeof EVENTS[number];
  readonly call: number;
}

const steps = fc.array(
  fc.record({ event: fc.constantFrom(...EVENTS), call: fc.nat(3) }),
  { maxLength: 25 },
);

/** One call of each shape; each settles when its call does. */
function begin(kit: ClientKit, signal: AbortSignal) {
  const cancelToken = kit.client.cancelTokens.create();
  const options = { timeoutMs: TIMEOUT_MS, signal, cancelToken, streamWindow: 2, requestWindow: 1 };
  const { client } = kit;
  const drain = async (items: AsyncIterable<Uint8Array>) => {
    let count = 0;
    for await (const _ of items) count += 1;
    return count;
  };
  const calls = [
    client.call(PEER, SERVICE, bodyOf(1), options),
    client.callStream(PEER, SERVICE, bodyOf(1), options).then(drain),
    client.callClientStream(PEER, SERVICE, options).then(async (call) => {
      call.send(bodyOf(1)).catch(() => {});
      call.send(bodyOf(2)).catch(() => {});
      return await call.finish();
    }),
    client.callDuplex(PEER, SERVICE, options).then(async (call) => {
      call.requests.send(bodyOf(1)).catch(() => {});
      call.requests.finish(bodyOf(2)).catch(() => {});
      return await drain(call.responses);
    }),
  ];
  return { cancelToken, outcomes: calls.map((call: Promise<unknown>) => new Outcome(call)) };
}

function apply(kit: ClientKit, step: Step, to: SentFrame): void {
  const { links, link } = kit;
  switch (step.event) {
    case "answer":
      return links.respond(link, to, { body: bodyOf(1) });
    case "item":
      return links.respond(link, to, { headers: CONTINUE_HEADERS, body: bodyOf(1) });
    case "end":
      return links.respond(link, to, { headers: END_HEADERS });
    case "failure":
      return links.respond(link, to, { status: Status.internal });
    case "garbage":
      return links.deliver(link, to.bytes.slice(0, 33).fill(0x11, 0, 1));
    default:
      return links.grantRequests(link, to, 1);
  }
}

for (const isExtended of [true, false]) {
  const peer = isExtended ? "ours" : "plain";
  Deno.test(`every call of a ${peer} peer ends exactly once, within its deadline`, async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(3), async (plan, room) => {
        const kit = createClientKit({ isExtended });
        kit.link.room = room;
        const controller = new AbortController();
        const { cancelToken, outcomes } = begin(kit, controller.signal);
        const sent: SentFrame[] = [];
        for (const step of plan) {
          await kit.clock.advance(0);
          for (const frame of kit.link.take()) {
            const isKnown = sent.some(({ callLow }) => callLow === frame.callLow);
            if (!isKnown) sent.push(frame);
          }
          const to = sent[step.call];
          if (step.event === "abort") controller.abort();
          else if (step.event === "token") kit.client.cancelTokens.cancel(cancelToken);
          else if (step.event === "link_end") kit.links.end(kit.link, "reset");
          else if (step.event === "room") kit.link.addRoom(2);
          else if (step.event === "no_room") kit.link.room = 0;
          else if (step.event === "pass") await kit.clock.advance(150);
          else if (to !== undefined) apply(kit, step, to);
        }
        await kit.clock.advance(TIMEOUT_MS);
        assert.deepEqual(outcomes.map(({ settled }) => settled), [1, 1, 1, 1]);
        assert.equal(kit.client.counters.pending, 0);
        assert.deepEqual([kit.meter.calls, kit.meter.inFlight], [4, 0]);
        assert.equal(kit.meter.latency.count, 4);
        kit.client.stop();
      }),
      { numRuns: 400 },
    );
  });
}
