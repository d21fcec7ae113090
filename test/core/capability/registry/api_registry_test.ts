import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError } from "../../../../src/base/mod.ts";
import { splitPath } from "../../../../src/core/capability/registry/path_template.ts";
import {
  type ApiDescription,
  type ApiMethod,
  ApiRegistry,
  parsePathTemplate,
} from "../../../../src/core/capability/mod.ts";

const api = (name: string, version: string, ...methods: ApiMethod[]): ApiDescription => ({
  name,
  version,
  methods,
});
const get = (path: string): ApiMethod => ({ verb: "get", path });

Deno.test("lookup() finds templates whose first segment is a parameter, texts first", () => {
  const registry = new ApiRegistry();
  registry.register(1n, [api("tenants", "1.0.0", get("/{tenant}/users"), get("/{tenant}/{kind}"))]);
  registry.register(2n, [
    api("users", "1.2.0", get("/acme/users"), { verb: "post", path: "/acme" }),
  ]);
  const found = registry.lookup({ path: "/acme/users/" });
  assert.deepEqual(found.map(({ method }) => method.path), [
    "/acme/users",
    "/{tenant}/users",
    "/{tenant}/{kind}",
  ]);
  assert.deepEqual([...found[2]?.parameters ?? []], [["tenant", "acme"], ["kind", "users"]]);
  assert.equal(registry.lookup({ path: "/acme/users", verb: "post" }).length, 0);
  assert.equal(registry.lookup({ path: "/acme/users", api: "users" }).length, 1);
  assert.equal(registry.lookup({ path: "/acme/users", limit: 1 }).length, 1);
  assert.equal(registry.lookup({ path: "acme/users" }).length, 0);
  assert.equal(registry.lookup({ path: "/acme//users" }).length, 0);
});

Deno.test("lookup() heeds versions", () => {
  const registry = new ApiRegistry();
  registry.register(1n, [api("a", "1.4.0", get("/x"))]);
  registry.register(2n, [api("a", "2.0.0", get("/x"))]);
  const nodes = (version?: string) =>
    registry.lookup({ path: "/x", version }).flatMap((match) => match.nodes);
  assert.deepEqual(nodes("1.2"), [1n]);
  assert.deepEqual(nodes("1.5.0"), []);
  assert.deepEqual(nodes("2.0.0"), [2n]);
  assert.deepEqual(nodes(), [1n, 2n]);
  assert.deepEqual(nodes("latest"), []);
});

Deno.test("stats() counts distinct nodes per interface", () => {
  const registry = new ApiRegistry();
  registry.register(1n, [api("a", "1.0.0", get("/x"), get("/y")), api("a", "2.0.0", get("/x"))]);
  registry.register(2n, [api("a", "1.0.0", get("/x")), api("b", "1.0.0", get("/z"))]);
  assert.equal(registry.providerCount("a"), 2);
  assert.deepEqual(registry.stats(), {
    nodes: 2,
    endpoints: 5,
    apisByName: new Map([["a", 2], ["b", 1]]),
  });
  // What both offer alike is one match.
  const shared = registry.lookup({ path: "/x", version: "1.0.0" });
  assert.deepEqual(shared.map(({ nodes }) => nodes), [[1n, 2n]]);
  registry.register(2n, [api("b", "1.0.0", get("/z"))]);
  assert.equal(registry.providerCount("a"), 1);
  assert.ok(registry.unregister(1n));
  assert.ok(!registry.unregister(1n));
  registry.unregister(2n);
  assert.deepEqual(registry.stats(), { nodes: 0, endpoints: 0, apisByName: new Map() });
  assert.deepEqual(registry.lookup({ path: "/x" }), []);
});

Deno.test("register() takes all of a node's interfaces, or none", () => {
  const registry = new ApiRegistry({ nodesMax: 1, methodsMax: 3 });
  registry.register(1n, [api("a", "1.0.0", get("/x"))]);
  const wrong: readonly ApiDescription[] = [
    api("", "1.0.0"),
    api("b", "new"),
    api("b", "1.0.0", get("x")),
    api("b", "1.0.0", get("/{a}/{a}")),
    api("b", "1.0.0", get("/{a b}")),
    api("b", "1.0.0", { verb: "GET", path: "/" }),
    api("b", "1.0.0", get("/x"), get("/x/")),
    api("b", "1.0.0", {
      ...get("/"),
      input: { kind: "object", members: {}, required: ["missing"] },
    }),
  ];
  for (const one of wrong) {
    assert.throws(() => registry.register(1n, [api("ok", "1.0.0", get("/ok")), one]), RangeError);
  }
  const isLimit = (error: unknown) => error instanceof NetError && error.code === "limit";
  assert.throws(() => registry.register(2n, [api("a", "1.0.0", get("/x"))]), isLimit);
  const four = ["/a", "/b", "/c", "/d"].map(get);
  assert.throws(() => registry.register(1n, [api("a", "1.0.0", ...four)]), isLimit);
  assert.equal(registry.counters.drop_full_total, 2);
  assert.equal(registry.lookup({ path: "/x" }).length, 1);
  assert.equal(registry.lookup({ path: "/ok" }).length, 0);
  registry.register(1n, []);
  assert.equal(registry.nodeCount, 0);
});

Deno.test("lookup() finds what trying every template finds", () => {
  const segment = fc.constantFrom("a", "b", "{p}", "{q}");
  const path = fc.uniqueArray(segment, { maxLength: 4 }).map((parts) => `/${parts.join("/")}`);
  const asked = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 4 })
    .map((parts) => `/${parts.join("/")}`);
  const change = fc.tuple(fc.bigInt({ min: 0n, max: 3n }), fc.uniqueArray(path, { maxLength: 4 }));
  fc.assert(fc.property(fc.array(change, { maxLength: 12 }), asked, (changes, wanted) => {
    const registry = new ApiRegistry();
    const known = new Map<bigint, readonly string[]>();
    for (const [nodeId, paths] of changes) {
      registry.register(nodeId, [api("a", "1.0.0", ...paths.map(get))]);
      known.set(nodeId, paths);
    }
    const parts = splitPath(wanted) ?? [];
    const expected = [...known].flatMap(([nodeId, paths]) =>
      paths.filter((text) => {
        const { segments } = parsePathTemplate(text);
        return segments.length === parts.length &&
          segments.every((one, i) => one.kind === "parameter" || one.text === parts[i]);
      }).map((text) => `${nodeId} ${text}`)
    ).sort();
    const found = registry.lookup({ path: wanted })
      .flatMap(({ method, nodes }) => nodes.map((nodeId) => `${nodeId} ${method.path}`)).sort();
    assert.deepEqual(found, expected);
  }));
});

Deno.test("lookup() visits a bounded part of a tree made to be wide", () => {
  const registry = new ApiRegistry();
  // Text and parameter at each of twelve places: 4096 ways through the tree, for each of four nodes.
  for (let node = 0; node < 16; node++) {
    const methods = Array.from({ length: 256 }, (_, i) => {
      const way = node * 256 + i;
      const parts = Array.from({ length: 12 }, (_, at) => way & (1 << at) ? `{p${at}}` : "a");
      return get(`/${parts.join("/")}`);
    });
    registry.register(BigInt(node), [api("wide", "1.0.0", ...methods)]);
  }
  const found = registry.lookup({ path: `/${Array(12).fill("a").join("/")}` });
  assert.equal(found.length, 256);
  assert.equal(registry.endpointCount, 4_096);
});

Deno.test("splitPath() never throws, and takes only what has no empty segment", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    const parts = splitPath(`/${text}`);
    if (parts !== undefined && text !== "" && !text.endsWith("/")) {
      assert.equal(parts.join("/"), text);
    }
  }));
  assert.deepEqual(splitPath("/"), []);
  for (const wrong of ["", "//", "a", "/a//b", `/${"a".repeat(256)}`, "/a".repeat(33)]) {
    assert.equal(splitPath(wrong), undefined);
  }
});
