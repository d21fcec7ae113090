/** Ports are read as lines and never executed. */
import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { parsePorts, PORT_WARNINGS_MAX, portOf, PORTS_LENGTH_MAX } from "../../src/deploy/mod.ts";

Deno.test("V-h: ports.env is read as NAME=NUMBER lines; others are ignored with a warning", () => {
  const read = parsePorts([
    "# comment",
    "",
    "BEARDOG_PORT=9100",
    '  SONGBIRD_PORT="9200"  # discovery',
    "export NEST_GATE_PORT='9300'\r",
    'SQUIRREL_PORT="${SQUIRREL_PORT:-9400}"',
    'OTHER_PORT="${HOME:-9401}"',
    "TOUCH_PORT=$(touch /tmp/never)",
    "BAD_PORT=70000",
    "ZERO_PORT=0",
    "BEARDOG_PORT=9101",
    'COMP_TOWER="beardog songbird"',
  ].join("\n"));
  assert.deepEqual(
    read.ports,
    new Map([
      ["BEARDOG_PORT", 9101],
      ["SONGBIRD_PORT", 9200],
      ["NEST_GATE_PORT", 9300],
      ["SQUIRREL_PORT", 9400],
    ]),
  );
  assert.deepEqual(read.warnings, [
    'ports.env:7: ignored, not NAME=NUMBER: "OTHER_PORT=\\"${HOME:-9401}\\""',
    'ports.env:8: ignored, not NAME=NUMBER: "TOUCH_PORT=$(touch /tmp/never)"',
    'ports.env:9: ignored, the port is not between 1 and 65535: "BAD_PORT=70000"',
    'ports.env:10: ignored, the port is not between 1 and 65535: "ZERO_PORT=0"',
    'ports.env:12: ignored, not NAME=NUMBER: "COMP_TOWER=\\"beardog songbird\\""',
  ]);
  assert.equal(portOf(read, "nest-gate"), 9300);
  assert.equal(portOf(read, "nobody"), undefined);
});

Deno.test("parsePorts() warns a bounded number of times", () => {
  const { warnings } = parsePorts("x\n".repeat(1_000));
  assert.equal(warnings.length, PORT_WARNINGS_MAX + 1);
  assert.match(warnings.at(-1) ?? "", /ignored 992 more lines/);
});

Deno.test("parsePorts() refuses a text that is too long", () => {
  assert.throws(() => parsePorts(" ".repeat(PORTS_LENGTH_MAX + 1)), NetError);
});
