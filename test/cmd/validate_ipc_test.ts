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
    ...["--capabilities", "--require-healthy"],
  ]);
  assert.equal(options?.rules, "strict");
  assert.equal(options?.deadlineMs, 3000);
  assert.equal(options?.connectTimeoutMs, 100);
  assert.equal(options?.replyTimeoutMs, 200);
  assert.equal(options?.maxLineBytes, 65_536);
  assert.equal(options?.expectName, "net");
  assert.equal(options?.capabilities && options?.requireHealthy, true);
  const plain = (await validate(["net"])).options;
  assert.equal(plain?.rules, "standard");
  assert.equal(plain?.deadlineMs, undefined);
});

Deno.test("validate ipc refuses rules and sizes that do not exist", async () => {
  assert.equal((await validate(["net", "--rules", "lax"])).code, 2);
  assert.equal((await validate(["net", "--max-line", "1GiB"])).code, 2);
  assert.equal((await validate(["net", "--max-line", "0"])).code, 2);
});
