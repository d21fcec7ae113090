/** Members judged together: needs, declarations, states, time, and how it is shown. */
import { deepStrictEqual, equal, match, ok, rejects } from "node:assert/strict";
import fc from "fast-check";
import { parseComposition } from "../../src/deploy/mod.ts";
import {
  CapabilitySet,
  compareDeclared,
  compositionDocument,
  compositionExitCode,
  type CompositionReport,
  renderComposition,
  validateComposition,
  type ValidateCompositionOptions,
} from "../../src/validate/mod.ts";
import { goodScript, type Script, startFakeMember } from "./fake_member.ts";

/** A member with a list; its health as in `overrides`. */
function member(
  methods: readonly string[],
  consumes: readonly string[] = [],
  overrides: Readonly<Record<string, string>> = {},
): Script {
  const health = ["health.liveness", "health.readiness", "health.check"];
  const list = { methods: [...health, ...methods], consumed_capabilities: consumes };
  return goodScript({
    "capabilities.list": `{"jsonrpc":"2.0","result":${JSON.stringify(list)},"id":@}`,
    ...overrides,
  });
}

interface Wanted {
  readonly script?: Script;
  readonly required?: boolean;
  readonly capabilities?: readonly string[];
}

/** Validates a composition of fakes; a member without a script is not there. */
async function validate(
  wanted: Readonly<Record<string, Wanted>>,
  options: Partial<ValidateCompositionOptions> = {},
): Promise<CompositionReport> {
  await using fakes = new AsyncDisposableStack();
  const members = [];
  for (const [name, { script, ...fields }] of Object.entries(wanted)) {
    const fake = script && fakes.use(await startFakeMember(script));
    members.push({ name, endpoint: fake?.path ?? `/nowhere/${name}.sock`, ...fields });
  }
  return await validateComposition(parseComposition({ name: "team", members }, "team.json"), {
    toolkit: undefined,
    env: { BIOMEOS_SOCKET_DIR: "/nowhere" },
    cwd: "/",
    deadlineMs: 20_000,
    ...options,
  });
}

function states({ members }: CompositionReport): string {
  return members.map(({ name, state }) => `${name} ${state}`).join(", ");
}

Deno.test("V28: a need that nobody meets is named with who has it", async () => {
  const report = await validate({
    a: { script: member(["storage.put"], ["crypto.sign", "mesh"]) },
    b: { script: member(["mesh.relay"], ["storage.put", "storage"]) },
  });
  deepStrictEqual(report.unsatisfied, [{ member: "a", capability: "crypto.sign" }]);
  equal(states(report), "a ok, b ok");
  deepStrictEqual([report.healthy, report.compliant], [false, false]);
  equal(compositionExitCode(report), 1);
  match(renderComposition(report, { useColor: false }), /✗ a needs crypto\.sign: no member/);
});

Deno.test("validateComposition() gives each member its state", async () => {
  const sick =
    '{"jsonrpc":"2.0","result":{"status":"degraded","version":"1","primal":"fake"},"id":@}';
  const report = await validate({
    good: { script: member([]) },
    sick: { script: member([], [], { "health.check": sick }) },
    gone: {},
    broken: { script: goodScript({ "health.check": '{"jsonrpc":"2.0","result":7,"id":@}' }) },
    spare: { required: false },
  });
  equal(
    states(report),
    "good ok, sick degraded, gone unavailable, broken unavailable, spare degraded",
  );
  equal(compositionExitCode(report), 1);
  const optional = await validate({ good: { script: member([]) }, spare: { required: false } });
  equal(states(optional), "good ok, spare degraded");
  deepStrictEqual([optional.healthy, optional.compliant, compositionExitCode(optional)], [
    true,
    true,
    0,
  ]);
});

Deno.test("validateComposition() fails what is declared and not there, and warns the other way", async () => {
  const report = await validate({
    a: { script: member(["storage.put", "extra.one"]), capabilities: ["storage", "crypto.sign"] },
  });
  const [a] = report.members;
  deepStrictEqual(a?.notAdvertised, ["crypto.sign"]);
  deepStrictEqual(a?.notDeclared, ["extra.one"]);
  equal(a?.state, "unavailable");
  equal(report.compliant, false);
  const text = renderComposition(report, { useColor: false });
  match(text, /→ declared, not advertised: crypto\.sign/);
  match(text, /! advertised, not declared: extra\.one/);
  deepStrictEqual(compareDeclared([], ["a.b"]), { notAdvertised: [], notDeclared: [] });
});

Deno.test("validateComposition() lets a member that hangs delay nobody else", async () => {
  const known: string[] = [];
  const report = await validate({
    mute: { script: () => undefined },
    good: { script: member([]) },
    fine: { script: member([]) },
  }, { deadlineMs: 1500, onMember: ({ name }) => known.push(name) });
  equal(known.at(-1), "mute", "the others were known before");
  equal(states(report), "mute unavailable, good ok, fine ok");
  ok(report.durationMs < 6000, `${report.durationMs} ms`);
});

Deno.test("validateComposition() probes more members than at once within its deadline", async () => {
  const many = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [`m${i}`, { script: member([`d${i}.get`]) }]),
  );
  const report = await validate(many);
  equal(report.members.length, 40);
  ok(report.members.every(({ state }) => state === "ok"));
  deepStrictEqual(report.members.map(({ name }) => name), Object.keys(many));
  equal(report.capabilitiesCount, 43);
});

Deno.test("validateComposition() calls across only what changes nothing", async () => {
  const asked: string[] = [];
  const provider = member(["storage.list", "storage.put", "lost.status"], [], {
    "storage.list": '{"jsonrpc":"2.0","result":[],"id":@}',
  });
  const report = await validate({
    user: { script: member([], ["storage", "storage.put", "lost"]) },
    store: {
      script: (exchange) => {
        asked.push(exchange.method ?? "");
        return provider(exchange);
      },
    },
  }, { isCross: true });
  deepStrictEqual(
    report.cross?.map(({ capability, method, outcome }) => [capability, method, outcome]),
    [
      ["storage", "storage.list", "answered"],
      ["storage.put", undefined, "not_tried"],
      ["lost", "lost.status", "missing"],
    ],
  );
  ok(!asked.includes("storage.put"));
  deepStrictEqual([report.healthy, report.compliant], [true, false]);
  equal(compositionExitCode(report), 1);
});

Deno.test("compositionDocument() has exactly the members of its schema, and no raw text", async () => {
  const report = await validate({
    a: { script: member(["x.y"], ["evil\u001b[31m"]) },
    b: {},
  });
  const document = JSON.parse(JSON.stringify(compositionDocument(report)));
  deepStrictEqual(Object.keys(document), [
    "schema",
    "deploy_graph",
    "healthy",
    "compliant",
    "subsystems",
    "members",
    "unsatisfied",
    "capabilities_count",
  ]);
  deepStrictEqual(document.subsystems, { a: "ok", b: "unavailable" });
  equal(document.members[0].schema, "net.validate.ipc.v1");
  deepStrictEqual(Object.keys(document.members[1]), Object.keys(document.members[0]));
  const text = renderComposition(report, { useColor: false });
  ok(!text.includes("\u001b"));
  equal(document.unsatisfied[0].capability, "evil\u{fffd}[31m");
});

Deno.test("validateComposition() ends with its signal", async () => {
  const signal = AbortSignal.abort(new Error("left"));
  await rejects(validate({ a: { script: member([]) } }, { signal }), /left/);
});

Deno.test("CapabilitySet knows every name and every domain of its names, and nothing else", () => {
  const word = fc.stringMatching(/^[a-z]{1,3}$/);
  const name = fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => words.join("."));
  fc.assert(fc.property(fc.array(name), name, (names, asked) => {
    const expected = names.includes(asked) ||
      (!asked.includes(".") && names.some((other) => other.startsWith(`${asked}.`)));
    equal(new CapabilitySet(names).has(asked), expected);
  }));
});
