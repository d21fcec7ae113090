/** Executables of every kind, and programs that do not want to end. */
import { deepStrictEqual, equal, ok, rejects } from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import {
  type BinaryReport,
  binaryReportDocument,
  renderBinaryReport,
  validateBinary,
  type ValidateBinaryOptions,
} from "../../../src/validate/mod.ts";
import { makeElf } from "./elf_files.ts";

/** A folder for one test. */
async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "net-binary-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function script(folder: string, body: string, mode: number = 0o755): Promise<string> {
  const path = `${folder}/program`;
  await Deno.writeTextFile(path, `#!/bin/sh\n${body}\n`);
  await Deno.chmod(path, mode);
  return path;
}

const failed = ({ checks }: BinaryReport) =>
  checks.filter(({ passed }) => !passed).map(({ name, error }) => `${name}: ${error}`);

const GOOD = 'case $1 in --help) echo "usage: program";; --version) echo "program 1.2.3";; esac';

Deno.test("validateBinary() takes a script and says what runs it", async () => {
  await inFolder(async (folder) => {
    const report = await validateBinary(await script(folder, GOOD));
    deepStrictEqual(failed(report), []);
    deepStrictEqual([report.kind, report.interpreter], ["script", "/bin/sh"]);
    deepStrictEqual(
      report.runs.map(({ argument, outcome, exitCode, firstLine }) => ({
        argument,
        outcome,
        exitCode,
        firstLine,
      })),
      [
        { argument: "--help", outcome: "ok", exitCode: 0, firstLine: "usage: program" },
        { argument: "--version", outcome: "ok", exitCode: 0, firstLine: "program 1.2.3" },
      ],
    );
    deepStrictEqual(report.warnings, [
      `it has ${report.sizeBytes} bytes, less than 1 MB`,
      "it is a script: it needs /bin/sh",
    ]);
    const text = renderBinaryReport(report, { useColor: false });
    ok(text.endsWith("\nResult: COMPLIANT\n"), text);
    const document = binaryReportDocument(report);
    deepStrictEqual(Object.keys(document), [
      "schema",
      "path",
      "compliant",
      "kind",
      "size_bytes",
      "interpreter",
      "elf",
      "checks",
      "warnings",
      "findings",
      "runs",
    ]);
    deepStrictEqual([document.schema, document.compliant], ["net.validate.binary.v1", true]);
  });
});

Deno.test("validateBinary() runs a program in an empty environment and an empty folder", async () => {
  await inFolder(async (folder) => {
    const path = await script(
      folder,
      `env > ${folder}/env; pwd > ${folder}/cwd; ls -A | wc -l > ${folder}/files; cat; echo 1.0`,
    );
    deepStrictEqual(failed(await validateBinary(path)), []);
    const lines = (await Deno.readTextFile(`${folder}/env`)).trim().split("\n");
    // What the shell itself sets.
    deepStrictEqual(lines.filter((line) => !/^(PWD|_|SHLVL|OLDPWD)=/.test(line)), []);
    ok((await Deno.readTextFile(`${folder}/cwd`)).includes("net-validate-"));
    equal((await Deno.readTextFile(`${folder}/files`)).trim(), "0");
  });
});

/** What a program does, and the check that names it. */
const PROGRAMS: readonly (readonly [string, string, string])[] = [
  ["prints nothing", "exit 0", "help: it printed nothing"],
  ["fails", "echo no; exit 3", "help: it ended with exit code 3"],
  ["is killed", "kill -9 $$", "help: it ended with exit code 137"],
  ["sleeps", "sleep 60", "help: it did not end in time and was killed"],
  [
    "ignores signals",
    "trap '' TERM INT HUP; sleep 60",
    "help: it did not end in time and was killed",
  ],
  ["prints without end", "yes", "help: it printed more than 64 KiB and was killed"],
];

for (const [what, body, expected] of PROGRAMS) {
  Deno.test(`validateBinary() gives a verdict about a program that ${what}`, async () => {
    await inFolder(async (folder) => {
      const startMs = performance.now();
      const report = await validateBinary(await script(folder, body), { runTimeoutMs: 400 });
      ok(performance.now() - startMs < 8000);
      equal(failed(report)[0], expected);
      equal(report.compliant, false);
    });
  });
}

Deno.test("validateBinary() kills what a program leaves behind", async () => {
  await inFolder(async (folder) => {
    // The child holds the output open, which must not hold up the verdict.
    const path = await script(folder, `sleep 300 & echo $! >> ${folder}/pids; echo program 1.0`);
    const report = await validateBinary(path, { runTimeoutMs: 5000 });
    deepStrictEqual(failed(report), []);
    const pids = (await Deno.readTextFile(`${folder}/pids`)).trim().split("\n");
    equal(pids.length, 2);
    for (const pid of pids) equal(await hasEnded(pid), true, pid);
  });
});

Deno.test("validateBinary() ends with its signal and kills the program", async () => {
  await inFolder(async (folder) => {
    const path = await script(folder, `echo $$ > ${folder}/pid; sleep 300`);
    const controller = new AbortController();
    const running = validateBinary(path, { signal: controller.signal });
    let pid = "";
    while (pid === "") {
      await new Promise((resolve) => setTimeout(resolve, 5));
      pid = (await Deno.readTextFile(`${folder}/pid`).catch(() => "")).trim();
    }
    controller.abort(new Error("interrupted"));
    await rejects(running, /interrupted/);
    equal(await hasEnded(pid), true);
  });
});

Deno.test("validateBinary() keeps a program's text away from the terminal", async () => {
  await inFolder(async (folder) => {
    const report = await validateBinary(await script(folder, "printf '\\033[31mred 1.0\\007'"));
    equal(report.runs[0]?.firstLine, "\u{fffd}[31mred 1.0\u{fffd}");
  });
});

Deno.test("validateBinary() never runs a program that is not to be run", async () => {
  await inFolder(async (folder) => {
    const run = async (options: ValidateBinaryOptions, mode?: number) => {
      const path = await script(folder, `touch ${folder}/ran; echo 1.0`, mode);
      return await validateBinary(path, options);
    };
    const report = await run({ isRunning: false });
    deepStrictEqual([failed(report), report.runs], [[], []]);
    ok(report.warnings.includes("it was not run"));
    const plain = await run({}, 0o644);
    deepStrictEqual(failed(plain), ["executable: no one may execute it"]);
    await rejects(Deno.stat(`${folder}/ran`), Deno.errors.NotFound);
  });
});

Deno.test("validateBinary() names what is no executable", async () => {
  await inFolder(async (folder) => {
    deepStrictEqual(failed(await validateBinary(folder)), ["regular_file: it is a folder"]);
    deepStrictEqual(failed(await validateBinary("/dev/zero")), [
      "regular_file: it is no regular file",
    ]);
    await new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).output();
    deepStrictEqual(failed(await validateBinary(`${folder}/pipe`)), [
      "regular_file: it is no regular file",
    ]);
    await Deno.writeTextFile(`${folder}/text`, "hello", { mode: 0o755 });
    deepStrictEqual(failed(await validateBinary(`${folder}/text`)), [
      "format: it begins neither as ELF nor with #!",
    ]);
    await Deno.writeTextFile(`${folder}/empty`, "", { mode: 0o755 });
    equal((await validateBinary(`${folder}/empty`)).kind, "other");
    await Deno.writeTextFile(`${folder}/lost`, "#!/no/such/interpreter\n", { mode: 0o755 });
    equal(
      failed(await validateBinary(`${folder}/lost`))[0],
      "help: it cannot be started: its interpreter or loader is missing",
    );
    await rejects(
      validateBinary(`${folder}/absent`),
      (error) => error instanceof NetError && error.code === "not_found",
    );
    await rejects(validateBinary(folder, { arch: "z80" }), NetError);
    await rejects(validateBinary(folder, { forbidden: [""] }), NetError);
  });
});

Deno.test("validateBinary() reads machine, linking and symbols of an ELF file", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/program`;
    const judge = async (elf: Parameters<typeof makeElf>[0], arch: string) => {
      await Deno.writeFile(path, makeElf(elf), { mode: 0o755 });
      const report = await validateBinary(path, { arch, isRunning: false });
      const { elf: facts } = binaryReportDocument(report);
      return { failed: failed(report), facts };
    };
    deepStrictEqual(await judge({ machine: 183, type: 3, interpreter: "/lib/ld.so" }, "aarch64"), {
      failed: [],
      facts: {
        bits: 64,
        machine: 183,
        little_endian: true,
        static: false,
        pie: true,
        stripped: true,
      },
    });
    deepStrictEqual(await judge({ machine: 40, bits: 32, type: 2, hasSymbols: true }, "armv7"), {
      failed: [],
      facts: {
        bits: 32,
        machine: 40,
        little_endian: true,
        static: true,
        pie: false,
        stripped: false,
      },
    });
    deepStrictEqual((await judge({ machine: 183 }, "x86_64")).failed, [
      "machine: it is for ELF machine 183 with 64 bits, must be 62 with 64 bits for x86_64",
    ]);
    deepStrictEqual((await judge({ machine: 62, type: 1 }, "x86_64")).failed, [
      "machine: it is no executable but another kind of ELF file",
    ]);
    deepStrictEqual((await judge({ machine: 62, segmentsAt: 2 ** 40 }, "x86_64")).failed, [
      "machine: its tables are damaged",
    ]);
  });
});

Deno.test("validateBinary() runs nothing that is for another machine", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/program`;
    const arch = Deno.build.arch === "x86_64" ? "aarch64" : "x86_64";
    const machine = arch === "aarch64" ? 183 : 62;
    await Deno.writeFile(path, makeElf({ machine }), { mode: 0o755 });
    const report = await validateBinary(path, { arch });
    deepStrictEqual([failed(report), report.runs], [[], []]);
    ok(report.warnings.includes("it was not run, because it cannot run here"));
  });
});

Deno.test("validateBinary() finds home folders, private addresses and forbidden texts", async () => {
  await inFolder(async (folder) => {
    const path = await script(folder, `${GOOD} # /home/ann/src 192.168.7.20 büro-7`);
    const report = await validateBinary(path, { forbidden: ["büro-7", "absent"] });
    deepStrictEqual(failed(report), [
      "no_home_path: it holds paths of home folders: 1",
      "no_private_address: it holds private addresses: 1",
      "no_forbidden_text: it holds forbidden texts: 1",
    ]);
    const text = renderBinaryReport(report, { useColor: false });
    ok(/→ at byte \d+: \/home\/ann\/src\n/.test(text), text);
  });
});

/** Waits for the kernel to have done what it was asked for. */
async function hasEnded(pid: string): Promise<boolean> {
  for (let look = 0; look < 400 && isRunning(pid); look++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return !isRunning(pid);
}

/** True for a process that lives; one that is dead and not yet collected does not. */
function isRunning(pid: string): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}
