import assert from "node:assert/strict";
import fc from "fast-check";
import { Flight } from "../../../../src/core/transport/streams/flight.ts";
import {
  FLIGHT_BYTES_INITIAL,
  FLIGHT_BYTES_MAX,
  FLIGHT_BYTES_MIN,
} from "../../../../src/core/transport/limits.ts";

Deno.test("Flight stays within its bounds, and what waits is woken when there is room", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("send" as const), bytes: fc.integer({ min: 84, max: 8_192 }) }),
    fc.record({ kind: fc.constant("ack" as const), count: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ kind: fc.constant("drop" as const), count: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ kind: fc.constant("loss" as const) }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
    const flight = new Flight();
    const flying: number[] = [];
    let waiting = 0;
    for (const next of steps) {
      if (next.kind === "send") {
        for (let i = 0; i < 40; i++) {
          if (!flight.hasRoom(next.bytes)) {
            waiting += 1;
            flight.wait({ wake: () => waiting -= 1 });
            break;
          }
          flight.add(next.bytes);
          flying.push(next.bytes);
        }
      } else if (next.kind === "loss") flight.onLost();
      else {
        for (const bytes of flying.splice(0, next.count)) {
          if (next.kind === "ack") flight.onAcknowledged(bytes);
          else flight.onDropped(bytes);
        }
      }
      assert.equal(flight.bytes, flying.reduce((a, b) => a + b, 0));
      assert.ok(flight.limitBytes >= FLIGHT_BYTES_MIN && flight.limitBytes <= FLIGHT_BYTES_MAX);
      // Nobody waits for ever: with nothing in flight everybody was woken, as far as room goes.
      if (flying.length === 0) assert.ok(flight.hasRoom(8_192));
    }
    while (flying.length > 0) flight.onAcknowledged(flying.shift() ?? 0);
    for (let i = 0; i < 500 && waiting > 0; i++) {
      flight.add(100);
      flight.onAcknowledged(100);
    }
    assert.equal(waiting, 0);
  }));
});

Deno.test("Flight grows with acknowledgements and halves once for what was in flight", () => {
  const flight = new Flight();
  const send = (count: number) => {
    for (let i = 0; i < count; i++) flight.add(8_192);
  };
  const acknowledge = (count: number) => {
    for (let i = 0; i < count; i++) flight.onAcknowledged(8_192);
  };
  send(128);
  assert.ok(!flight.hasRoom(8_192));
  acknowledge(64);
  assert.equal(flight.limitBytes, FLIGHT_BYTES_INITIAL + 64 * 8_192);
  flight.onLost();
  flight.onLost();
  const halved = (FLIGHT_BYTES_INITIAL + 64 * 8_192) / 2;
  assert.equal(flight.limitBytes, halved);
  acknowledge(64);
  assert.ok(flight.limitBytes > halved && flight.limitBytes < halved + 64 * 8_192 * 0.1);
  send(1);
  flight.onLost();
  assert.ok(flight.limitBytes < halved * 0.6, "what came later may be lost anew");
});

Deno.test("a packet always may leave when nothing is in flight", () => {
  const flight = new Flight();
  for (let i = 0; i < 20; i++) {
    flight.add(8_192);
    flight.onLost();
    flight.onDropped(8_192);
  }
  assert.equal(flight.limitBytes, FLIGHT_BYTES_MIN);
  assert.ok(flight.hasRoom(1e9));
});
