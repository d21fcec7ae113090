import assert from "node:assert/strict";
import fc from "fast-check";
import { isSubnetAncestor, parseSubnetId } from "../../../src/base/mod.ts";
import {
  decideForward,
  FORWARD_REFUSALS,
  type ForwardQuestion,
  ForwardVerdict,
  VISIBILITIES,
} from "../../../src/channel/subnet/mod.ts";

const at = (text: string) => parseSubnetId(text) ?? NaN;

const BASE: ForwardQuestion = {
  visibility: "global",
  targets: undefined,
  source: at("1.2"),
  target: at("1.3"),
  hopTtl: 0,
  hopCount: 0,
};

Deno.test("decideForward() answers each reach in its own way", () => {
  const cases: readonly (readonly [Partial<ForwardQuestion>, keyof typeof ForwardVerdict])[] = [
    [{}, "Forward"],
    [{ target: undefined }, "Forward"],
    [{ visibility: "subnet-local" }, "SubnetLocal"],
    [{ visibility: "subnet-local", target: at("1.2") }, "SubnetLocal"],
    [{ visibility: undefined }, "SubnetLocal"],
    [{ visibility: "parent-visible", target: at("1") }, "Forward"],
    [{ visibility: "parent-visible", target: at("global") }, "Forward"],
    [{ visibility: "parent-visible", target: at("1.2") }, "Forward"],
    [{ visibility: "parent-visible", target: at("1.3") }, "NotAncestor"],
    [{ visibility: "parent-visible", target: at("1.2.4") }, "NotAncestor"],
    [{ visibility: "parent-visible", target: undefined }, "UnknownSubnet"],
    [{ visibility: "exported" }, "NotExported"],
    [{ visibility: "exported", targets: [] }, "NotExported"],
    [{ visibility: "exported", targets: [at("2"), at("1.3")] }, "Forward"],
    [{ visibility: "exported", targets: [at("1")] }, "Forward"],
    [{ visibility: "exported", targets: [at("1.3.1")] }, "NotExported"],
    [{ visibility: "exported", targets: [at("2")], target: undefined }, "UnknownSubnet"],
  ];
  for (const [part, expected] of cases) {
    const verdict = decideForward({ ...BASE, ...part });
    assert.equal(verdict, ForwardVerdict[expected], JSON.stringify(part));
  }
});

Deno.test("decideForward() counts an expired hop limit first, and takes 0 as not set", () => {
  const ask = (hopTtl: number, hopCount: number) =>
    decideForward({ ...BASE, visibility: "subnet-local", hopTtl, hopCount });
  assert.equal(ask(3, 3), ForwardVerdict.TtlExpired);
  assert.equal(ask(3, 200), ForwardVerdict.TtlExpired);
  assert.equal(ask(3, 2), ForwardVerdict.SubnetLocal);
  assert.equal(ask(0, 255), ForwardVerdict.SubnetLocal);
});

Deno.test("decideForward() never lets out more for a narrower reach", () => {
  const id = fc.constantFrom(...["global", "1", "1.2", "1.2.3", "1.3", "2"].map(at));
  fc.assert(
    fc.property(
      fc.constantFrom(...VISIBILITIES, undefined),
      id,
      fc.option(id, { nil: undefined }),
      fc.option(fc.array(id), { nil: undefined }),
      (visibility, source, target, targets) => {
        const verdict = decideForward({ ...BASE, visibility, source, target, targets });
        const isForward = verdict === ForwardVerdict.Forward;
        if (visibility === "global") assert.ok(isForward);
        if (visibility === "subnet-local" || visibility === undefined) assert.ok(!isForward);
        if (visibility === "parent-visible" && isForward) {
          assert.ok(target !== undefined && isSubnetAncestor(target, source));
        }
        if (visibility === "exported" && isForward) {
          assert.ok(targets?.some((one) => isSubnetAncestor(one, target ?? NaN)));
        }
      },
    ),
  );
});

Deno.test("FORWARD_REFUSALS has the words of the core", () => {
  assert.deepEqual(Object.values(FORWARD_REFUSALS).sort(), [
    "TTL expired",
    "channel is subnet-local",
    "channel not exported to destination subnet",
    "destination is not ancestor of source",
    "unknown subnet",
  ]);
});
