import assert from "node:assert/strict";
import fc from "fast-check";
import { classifyReflex } from "../../../../src/core/transport/nat/classification.ts";

const BOUND = { host: "0.0.0.0", port: 4_000 };
const at = (host: string, port: number) => ({ host, port });

Deno.test("classifyReflex() says unknown, and no address, with fewer than two answers", () => {
  for (const answers of [[], [at("203.0.113.7", 4_000)]]) {
    assert.deepEqual(classifyReflex(answers, BOUND), { natClass: "unknown", reflex: undefined });
  }
});

Deno.test("classifyReflex() says open when everybody sees the bound port", () => {
  const answers = [at("203.0.113.7", 4_000), at("203.0.113.7", 4_000)];
  assert.deepEqual(classifyReflex(answers, BOUND), { natClass: "open", reflex: answers[0] });
});

Deno.test("classifyReflex() wants the bound host too, unless that is a wildcard", () => {
  const answers = [at("203.0.113.7", 4_000), at("203.0.113.7", 4_000)];
  const natClass = (host: string) => classifyReflex(answers, at(host, 4_000)).natClass;
  assert.equal(natClass("192.168.0.2"), "cone");
  assert.equal(natClass("203.0.113.7"), "open");
  assert.equal(natClass("::"), "open");
});

Deno.test("classifyReflex() tells a router that keeps ports from none, by the machine's addresses", () => {
  const answers = [at("203.0.113.7", 4_000), at("203.0.113.7", 4_000)];
  const natClass = (...own: string[]) => classifyReflex(answers, BOUND, own).natClass;
  assert.equal(natClass("127.0.0.1", "192.168.0.2"), "cone");
  assert.equal(natClass("127.0.0.1", "203.0.113.7"), "open");
  assert.equal(natClass(), "cone");
  // Peers on this side see the machine's own address, and don't count beside two that do not.
  const near = [at("192.168.0.2", 4_000), ...answers];
  assert.equal(classifyReflex(near, BOUND, ["192.168.0.2"]).natClass, "cone");
});

Deno.test("classifyReflex() says cone for one port and symmetric for several", () => {
  const one = [at("203.0.113.7", 9_000), at("203.0.113.7", 9_000)];
  const several = [...one, at("203.0.113.7", 9_001)];
  assert.deepEqual(classifyReflex(one, BOUND), { natClass: "cone", reflex: one[0] });
  assert.deepEqual(classifyReflex(several, BOUND), { natClass: "symmetric", reflex: one[0] });
});

Deno.test("classifyReflex() leaves out what peers on this side of the NAT see", () => {
  const outside = [at("203.0.113.7", 9_000), at("203.0.113.7", 9_000)];
  const answers = [at("192.168.0.2", 4_000), ...outside, at("10.1.2.3", 4_000)];
  assert.deepEqual(classifyReflex(answers, BOUND), { natClass: "cone", reflex: outside[0] });
});

Deno.test("classifyReflex() gives an address exactly when it gives a class, one that was answered", () => {
  const address = fc.record({
    host: fc.constantFrom("203.0.113.7", "198.51.100.2", "192.168.0.2", "2001:db8::1", "fe80::1"),
    port: fc.constantFrom(4_000, 9_000, 9_001),
  });
  fc.assert(fc.property(fc.array(address, { maxLength: 8 }), (answers) => {
    const { natClass, reflex } = classifyReflex(answers, BOUND);
    assert.equal(natClass === "unknown", answers.length < 2);
    assert.equal(reflex === undefined, natClass === "unknown");
    assert.ok(reflex === undefined || answers.some((answer) => answer === reflex));
  }));
});
