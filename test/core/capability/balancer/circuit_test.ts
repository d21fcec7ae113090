import assert from "node:assert/strict";
import fc from "fast-check";
import { Circuit } from "../../../../src/core/capability/balancer/circuit.ts";

const RECOVERY_MS = 1_000;

function failed(times: number, now = 0): Circuit {
  const circuit = new Circuit(RECOVERY_MS);
  for (let i = 0; i < times; i++) circuit.fail(circuit.depart(now), now);
  return circuit;
}

Deno.test("Circuit opens at the fifth failure in a row", () => {
  assert.equal(failed(4).state(0), "closed");
  assert.equal(failed(5).state(0), "open");
  const circuit = failed(4);
  circuit.succeed(false);
  for (let i = 0; i < 4; i++) circuit.fail(false, 0);
  assert.equal(circuit.state(0), "closed");
});

Deno.test("Circuit lets one probe through after a while, and the probe decides", () => {
  const circuit = failed(5);
  assert.equal(circuit.state(RECOVERY_MS - 1), "open");
  assert.equal(circuit.state(RECOVERY_MS), "half_open");
  assert.ok(circuit.depart(RECOVERY_MS));
  assert.equal(circuit.state(RECOVERY_MS), "open");
  assert.ok(circuit.succeed(true));
  assert.equal(circuit.state(RECOVERY_MS), "closed");
  const again = failed(5);
  again.depart(RECOVERY_MS);
  again.fail(true, RECOVERY_MS + 10);
  assert.equal(again.opensUntil, 2 * RECOVERY_MS + 10);
});

Deno.test("Circuit lets another probe through when nothing is heard of the first", () => {
  const circuit = failed(5);
  circuit.depart(RECOVERY_MS);
  assert.equal(circuit.state(2 * RECOVERY_MS - 1), "open");
  assert.equal(circuit.state(2 * RECOVERY_MS), "half_open");
});

Deno.test("Circuit does not heed calls from before it opened", () => {
  const circuit = failed(5);
  assert.ok(!circuit.succeed(false));
  assert.ok(!circuit.fail(false, 500));
  assert.equal(circuit.opensUntil, RECOVERY_MS);
});

Deno.test("Circuit never has two probes under way within one recovery time", () => {
  const steps = fc.array(fc.tuple(fc.nat(600), fc.constantFrom("go", "win", "lose")));
  fc.assert(fc.property(steps, (list) => {
    const circuit = failed(5);
    let now = 0;
    let probeAt: number | undefined;
    for (const [pause, what] of list) {
      now += pause;
      if (what === "go" && circuit.state(now) !== "open") {
        const isProbe = circuit.depart(now);
        if (isProbe) {
          assert.ok(probeAt === undefined || now - probeAt >= RECOVERY_MS);
          probeAt = now;
        }
      } else if (what !== "go" && probeAt !== undefined) {
        if (what === "win") circuit.succeed(true);
        else circuit.fail(true, now);
        probeAt = undefined;
      }
    }
  }));
});
