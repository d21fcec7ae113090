import assert from "node:assert/strict";
import fc from "fast-check";
import { normalize } from "../../cmd/root.ts";
import { ERROR_FACES, isErrorCode, NetError } from "../../src/base/mod.ts";
import { runInMemory } from "./_harness.ts";

/** A row of each group; the rest is checked by its form. */
const OVERVIEW_ROWS = [
  /^VERBS$/m,
  /^ {2}net node start +Start a node$/m,
  /^ {2}net blob put +Store a file or a folder and print its address$/m,
  /^ {2}net cap find +Find the nodes that can do something$/m,
  /^ {2}net tool ls +List the tools that nodes of the mesh offer$/m,
  /^ {2}net help +Print this overview, or the help of one verb$/m,
];

const BLOB_GET_HELP = `USAGE
  net blob get TARGET [OUT] [FLAGS]

Fetches a blob from this node or from whichever peer has it. The file appears
under its name only when every byte was verified. A folder that this node knows
as one is made as a folder, as a whole; of one that only peers have, say so with
--dir or a / behind OUT. Chunks come from several nodes at once and stay here: a
get that was interrupted goes on from them when it is repeated.

EXAMPLES
  net blob get b3:ADDRESS big.iso
  net blob get b3:ADDRESS - | tar x
  net blob get b3:ADDRESS big.iso --force
  net blob get b3:ADDRESS docs/
  net blob get b3:ADDRESS/guide/start.md
  net blob get b3:ADDRESS -o big.iso --from 31a5 --class background

ARGUMENTS
  TARGET  Address (b3:…) or reference in hex, and /PATH for a file of a folder
  [OUT]   File to write, FOLDER/, or - for standard output; default: first
          digits of TARGET

FLAGS
  --force             Replace a file or folder that exists
  --dir               It is a folder
  --output OUT, -o    Same as OUT
  --from PEER         Ask only this peer; repeatable
  --class WORD        Whom it makes way for; default: foreground; one of
                      foreground, background, realtime
  --sync              Answer when the file is on the disk, not only written
  --json              Print one JSON document
  --quiet             Print no progress and no hints
  --timeout DURATION  Give up after this time, such as 500ms, 5s or 2m
  --socket PATH       Control socket of the node
  --family NAME       Family of the node
  --data-dir DIR      Data folder of the node
  --help, -h          Print this help
`;

Deno.test("runNet() lists one line per verb, with examples and version", async () => {
  for (const args of [[], ["--help"], ["-h"], ["help"], ["help", "--json"]]) {
    const { code, stdout, stderr } = await runInMemory(args);
    assert.equal(code, 0);
    assert.equal(stderr, "");
    assert.match(stdout, /^net \d+\.\d+\.\d+\n/);
    for (const row of OVERVIEW_ROWS) assert.match(stdout, row);
    for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
    assert.match(stdout, /EXAMPLES/);
  }
});

Deno.test("runNet() prints the help of one verb", async () => {
  for (const args of [["blob", "get", "--help"], ["help", "blob", "get"]]) {
    const { code, stdout } = await runInMemory(args);
    assert.equal(code, 0);
    assert.equal(stdout, BLOB_GET_HELP);
  }
});

Deno.test("runNet() has help with an example for every verb", async () => {
  const { stdout } = await runInMemory([]);
  const verbs = [...stdout.matchAll(/^ {2}net ([a-z]+(?: [a-z]+){0,2}) {2,}[A-Z]/gm)];
  assert.ok(verbs.length > 90, `${verbs.length} verbs`);
  for (const [, verb] of verbs) {
    // The help of help is the overview itself.
    if (verb === "help") continue;
    const { code, stdout: help } = await runInMemory([...(verb ?? "").split(" "), "--help"]);
    assert.equal(code, 0);
    assert.match(help, /\nEXAMPLES\n/, verb);
    // Examples are for pasting and stay as they are.
    const flags = help.slice(help.indexOf("\nFLAGS\n"));
    const wide = flags.split("\n").filter((line) => line.length > 80);
    assert.deepEqual(wide, [], verb);
    for (const flag of ["--json", "--quiet", "--timeout", "--socket", "--family", "--data-dir"]) {
      assert.ok(help.includes(`  ${flag}`), `${verb} ${flag}`);
    }
  }
});

Deno.test("runNet() prints the version", async () => {
  assert.match((await runInMemory(["--version"])).stdout, /^net \d+\.\d+\.\d+\n$/);
  assert.match((await runInMemory(["version"])).stdout, /^net \d+\.\d+\.\d+\n$/);
  const document = JSON.parse((await runInMemory(["version", "--json"])).stdout);
  assert.equal(document.schema, "net.version.v1");
  assert.equal(document.name, "net");
});

Deno.test("runNet() says what was not understood, with a usage line and exit code 2", async () => {
  const cases: readonly (readonly [readonly string[], RegExp, RegExp])[] = [
    [["bolb"], /Cannot find verb "bolb", did you mean blob/, /usage: net node\|blob\|/],
    [
      ["node", "strat"],
      /"strat"/,
      /usage: net node start\|status\|health\|drain\|stop\|ticket\|http\|metrics\|peers\|streams\|routes\|counters\|connect\|ping\|trace\|forget\|unit \[FLAGS\]/,
    ],
    [["node", "start", "--prot", "1"], /--prot.*did you mean --port/, /usage: net node start/],
    [["blob", "get"], /TARGET is missing/, /usage: net blob get TARGET \[OUT\] \[FLAGS\]/],
    [["blob", "get", "a", "b", "c"], /"c": one too many/, /net blob get/],
    [["node", "start", "--profile", "big"], /must be one of micro, macro/, /net node start/],
    [["node", "start", "--port"], /--port has no value/, /net node start/],
    [["node", "start", "-z"], /flag -z: unknown/, /net node start/],
    [["node", "status", "--json=no=yes"], /json/, /net node status/],
    [["completions", "csh"], /csh/, /net completions SHELL/],
    [["node", "status", "--json=x"], /flag --json "x"/, /net node status/],
    [["tool", "export"], /--format has no value/, /net tool export/],
    [
      ["gateway", "export", "a"],
      /CHANNEL SUBNET/,
      /net gateway export CHANNEL SUBNET\.\.\. \[FLAGS\]/,
    ],
  ];
  for (const [args, message, usage] of cases) {
    const { code, stdout, stderr } = await runInMemory(args);
    assert.equal(code, 2, args.join(" "));
    assert.equal(stdout, "");
    assert.match(stderr, message);
    assert.match(stderr, /^code: usage$/m);
    assert.match(stderr, usage);
    assert.match(stderr, /^next: see net .*--help$/m);
  }
});

Deno.test("runNet() prints one error document with --json", async () => {
  const { code, stdout, stderr } = await runInMemory(["node", "stats", "--json"]);
  assert.equal(code, 2);
  assert.equal(stdout, "");
  const document = JSON.parse(stderr);
  assert.equal(stderr.trim().split("\n").length, 1);
  assert.equal(document.schema, "net.error.v1");
  assert.equal(document.error.code, "usage");
  assert.equal(document.error.exit, 2);
  assert.match(document.error.next, /--help/);
});

Deno.test("runNet() maps each error code to its exit code", async () => {
  for (const code of Object.keys(ERROR_FACES)) {
    if (!isErrorCode(code) || code === "not_running") continue;
    const result = await runInMemory(["node", "status", "--json"], {
      doors: { connect: () => Promise.reject(new NetError(code, "no", { next: "do it" })) },
    });
    assert.equal(result.code, ERROR_FACES[code].exit, code);
    const { error } = JSON.parse(result.stderr);
    assert.deepEqual(error, { code, message: "no", next: "do it", exit: ERROR_FACES[code].exit });
  }
});

Deno.test("runNet() is not confused by names of object methods", async () => {
  for (const word of ["constructor", "toString", "__proto__", "hasOwnProperty", "to-string"]) {
    for (const args of [[word], ["node", word], ["node", "start", `--${word}`, "x"]]) {
      const { code, stderr } = await runInMemory(args);
      assert.equal(code, 2, args.join(" "));
      assert.match(stderr, /^code: usage$/m);
    }
  }
});

Deno.test("runNet() never repeats a ticket", async () => {
  const ticket = `net1${"q".repeat(200)}`;
  for (
    const args of [
      ["node", "start", ticket],
      [ticket],
      ["node", "start", "--join", ticket, "--join", ticket],
      ["node", "start", "--json", "--port", ticket],
      ["blob", "get", ticket],
    ]
  ) {
    const { code, stdout, stderr } = await runInMemory(args);
    assert.equal(code, 2);
    assert.ok(!stdout.includes("qqqq") && !stderr.includes("qqqq"), stderr);
  }
});

Deno.test("runNet() ends in an exit code of the table for any arguments", async () => {
  const word = fc.oneof(
    fc.constantFrom("node", "blob", "status", "ls", "--json", "--", "-", "--x", "-h", "--help"),
    fc.string(),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 5 }), async (words) => {
      const { code } = await runInMemory(words);
      assert.ok([0, 2, 4, 6].includes(code), `${code}`);
    }),
    { numRuns: 300 },
  );
});

Deno.test("normalize() moves shared flags behind the verb", () => {
  assert.deepEqual(normalize(["--json", "--socket", "/s", "node", "status"]), [
    "node",
    "status",
    "--json",
    "--socket",
    "/s",
  ]);
  assert.deepEqual(normalize(["--quiet", "blob", "get", "--", "-x"]), [
    "blob",
    "get",
    "--quiet",
    "--",
    "-x",
  ]);
  assert.deepEqual(normalize(["--json", "--version"]), ["version", "--json"]);
});
