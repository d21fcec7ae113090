/** What a service manager says in the environment: whoever starts a node can write anything there. */
import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/mod.ts";
import { encodeNotify, readManagerEnvironment } from "../../../src/kernel/mod.ts";
import type { CreateTarget } from "../fuzz.ts";

const decoder = new TextDecoder();

/** Lines `NAME=TEXT`, as an environment. */
function readLines(text: string): Record<string, string> {
  const variables: Record<string, string> = Object.create(null);
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) variables[line.slice(0, at)] = line.slice(at + 1);
  }
  return variables;
}

/** Targets of this file. */
export const MANAGER_TARGETS: Readonly<Record<string, CreateTarget>> = {
  manager_environment: () => ({
    corpus: [
      "NOTIFY_SOCKET=/run/systemd/notify\nWATCHDOG_USEC=30000000\nWATCHDOG_PID=7",
      "NOTIFY_SOCKET=@a\nLISTEN_PID=7\nLISTEN_FDS=3\nLISTEN_FDNAMES=control:port:http",
      "LISTEN_PID=7\nLISTEN_FDS=16\nLISTEN_FDNAMES=::::",
    ].map(utf8),
    growth: { factor: 64, base: 4_096 },
    feed: (bytes) => {
      const read = readManagerEnvironment(readLines(decoder.decode(bytes)), 7);
      assert.ok(read.sockets.length <= 16);
      for (const { descriptor } of read.sockets) assert.ok(descriptor >= 3 && descriptor < 19);
      assert.ok(read.watchdogMs === undefined || read.watchdogMs >= 20);
      const { notifyAddress } = read;
      assert.ok(notifyAddress === undefined || utf8(notifyAddress).length <= 107);
      return read;
    },
  }),
  manager_message: () => ({
    corpus: ["ready", "a\nREADY=1", "\0\r\n"].map(utf8),
    feed: (bytes) => {
      const text = encodeNotify({ STATUS: decoder.decode(bytes) });
      // One message says one thing, whatever an error's text holds.
      assert.ok(text.startsWith("STATUS=") && !/[\n\0]/.test(text));
      return text;
    },
  }),
};
