import assert from "node:assert/strict";
import type { ValidateIpcOptions } from "../../cmd/doors.ts";
import { runInMemory } from "./_harness.ts";

async function validate(args: readonly string[], isCompliant = true) {
  const seen: ValidateIpcOptions[] = [];
  const result = await runInMemory(["validate", "ipc", ...args], {
    doors: {
      validateIpc: (_endpoint, options) => {
        seen.push(options);
        const report = { schema: "net.validate.ipc.v1", compliant: isCompliant };
        return Promise.resolve({ isCompliant, report, text: "Result\n" });
      },
    },
  });
  return { ...result, options: seen[0] };
}

Deno.test("validate ipc exits 0 for compliant and 1 for everything else", async () => {
  const good = await validate(["127.0.0.1:1"]);
  assert.equal(good.code, 0);
  assert.equal(good.stdout, "Result\n");
  assert.equal((await validate(["127.0.0.1:1"], false)).code, 1);
});

Deno.test("validate ipc prints its report as the only document", async () => {
  const { stdout } = await validate(["net", "--json"]);
  assert.deepEqual(JSON.parse(stdout), { schema: "net.validate.ipc.v1", compliant: true });
});

Deno.test("validate ipc hands its limits over", async () => {
  const { options } = await validate([
    ...["net", "--rules", "strict", "--deadline", "3s", "--connect-timeout", "100ms"],
    ...["--timeout", "200ms", "--max-line", "64KiB", "--expect-name", "net"],
    ...["--capabilities", "--require-healthy", "--metadata", "./fake"],
  ]);
  assert.equal(options?.rules, "strict");
  assert.equal(options?.deadlineMs, 3000);
  assert.equal(options?.connectTimeoutMs, 100);
  assert.equal(options?.replyTimeoutMs, 200);
  assert.equal(options?.maxLineBytes, 65_536);
  assert.equal(options?.expectName, "net");
  assert.equal(options?.metadataPath, "./fake");
  assert.equal(options?.capabilities && options?.requireHealthy, true);
  const ofFamily = (await validate(["net", "--family", "lab"])).options;
  assert.equal(ofFamily?.env?.NET_FAMILY_ID, "lab", "a name is looked up in the family");
  const plain = (await validate(["net"])).options;
  assert.equal(plain?.env?.NET_FAMILY_ID, undefined);
  assert.equal(plain?.rules, "standard");
  assert.equal(plain?.deadlineMs, undefined);
});

Deno.test("validate ipc refuses rules and sizes that do not exist", async () => {
  assert.equal((await validate(["net", "--rules", "lax"])).code, 2);
  assert.equal((await validate(["net", "--max-line", "1GiB"])).code, 2);
  assert.equal((await validate(["net", "--max-line", "0"])).code, 2);
});

Deno.test("validate ipc with --quiet prints its result only", async () => {
  const seen = await runInMemory(["validate", "ipc", "net", "--quiet"], {
    doors: {
      validateIpc: () =>
        Promise.resolve({
          isCompliant: true,
          report: {},
          text: "Report\n  ✓ x\n\nResult: COMPLIANT\n",
        }),
    },
  });
  assert.equal(seen.stdout, "Result: COMPLIANT\n");
});

Deno.test("validate ipc has colours on a terminal only, and not against NO_COLOR", async () => {
  const isColor = async (isTerminal: boolean, env: Record<string, string>) => {
    let seen: boolean | undefined;
    await runInMemory(["validate", "ipc", "net"], {
      isTerminal,
      env,
      doors: {
        validateIpc: (_, options) => {
          seen = options.isColor;
          return Promise.resolve({ isCompliant: true, report: {}, text: "x" });
        },
      },
    });
    return seen;
  };
  assert.equal(await isColor(true, {}), true);
  assert.equal(await isColor(true, { NO_COLOR: "1" }), false);
  assert.equal(await isColor(true, { TERM: "dumb" }), false);
  assert.equal(await isColor(false, {}), false);
});

Deno.test("validate ipc ends with 130 on Ctrl-C while a member is silent", async () => {
  let raise: (signal: string) => void = () => {};
  const { code, stdout } = await runInMemory(["validate", "ipc", "net"], {
    onListening: (by) => void (raise = by),
    doors: {
      validateIpc: (_, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
          raise("SIGINT");
        }),
    },
  });
  assert.deepEqual([code, stdout], [130, ""]);
});
