import assert from "node:assert/strict";
import {
  createCapabilitySet,
  readScope,
  regionScopeTag,
  TAG_GLOBAL,
  TAG_SUBNET_LOCAL,
  tenantScopeTag,
} from "../../../../src/core/capability/mod.ts";

Deno.test("readScope() reads what the builders write", () => {
  const tags = [
    tenantScopeTag("b"),
    tenantScopeTag("a:b"),
    regionScopeTag("eu=1"),
    TAG_SUBNET_LOCAL,
    TAG_GLOBAL,
  ];
  assert.deepEqual(readScope(createCapabilitySet(tags)), {
    tenants: ["a:b", "b"],
    regions: ["eu=1"],
    isSubnetLocal: true,
    isGlobal: true,
  });
});

Deno.test("readScope() takes nothing from other tags", () => {
  const tags = [
    "scope:",
    "scope:tenant:",
    "scope:region",
    "scope:tenants:x",
    "scope",
    "x:scope:global",
  ];
  assert.deepEqual(readScope(createCapabilitySet(tags)), {
    tenants: [],
    regions: [],
    isSubnetLocal: false,
    isGlobal: false,
  });
});

Deno.test("tenantScopeTag() and regionScopeTag() refuse empty names", () => {
  assert.throws(() => tenantScopeTag(""), RangeError);
  assert.throws(() => regionScopeTag("\ud834"), RangeError);
});
