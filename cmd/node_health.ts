/** `net node health`: whether the running node is well, or takes work; the exit code is the answer. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, choiceFlag, SHARED_FLAGS, type SharedFlags, switchFlag } from "./flags.ts";
import {
  formatDuration,
  formatFields,
  formatTable,
  listOf,
  numberOf,
  recordOf,
  textOf,
} from "./format.ts";
import { runVerb } from "./verb.ts";

/** Probes have short limits of their own; this one ends before theirs. */
const ANSWER_MS = 5_000;

const USES = ["read", "write"] as const;

interface HealthFlags extends SharedFlags {
  readonly live?: boolean;
  readonly ready?: boolean;
  readonly for?: typeof USES[number];
  readonly all?: boolean;
}

/** The verb. */
export const nodeHealthCommand = buildCommand<HealthFlags, [], NetContext>({
  docs: {
    brief: "Tell by the exit code whether the node is well, or takes work",
    fullDescription:
      "Asks the running node for its health. The exit code is 0 when it is well or " +
      "degraded, 1 when a part of it is down, 6 when no node answers; with --ready 0 only while it " +
      "takes work. With --quiet nothing is printed: for HEALTHCHECK of containers and exec probes.\n\n" +
      "EXAMPLES\n  net node health\n  net node health --ready --quiet\n" +
      "  net node health --ready --for write",
  },
  parameters: {
    flags: bareRecord({
      live: switchFlag("Ask only whether the process answers"),
      ready: switchFlag("Ask whether it takes work now"),
      for: choiceFlag(USES, "Work that --ready is asked for"),
      all: switchFlag("Show every part, not only those that are not healthy"),
      ...SHARED_FLAGS,
    }),
  },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const { method, params } = questionOf(flags);
      const node = await connectNode(this, flags, signal);
      try {
        const answer = recordOf(await node.call(method, params, { signal }));
        const isWell = isPassed(method, answer);
        if (!output.isQuiet) {
          output.result(
            "node.health",
            { passed: isWell, ...answer },
            () => healthText(method, answer, flags.all ?? false),
          );
        }
        return isWell ? 0 : 1;
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});

function questionOf(
  flags: HealthFlags,
): { readonly method: string; readonly params: Readonly<Record<string, unknown>> } {
  if (flags.live === true && flags.ready === true) {
    throw new NetError("usage", "Cannot ask for --live and --ready at once", {
      next: "give one of them",
    });
  }
  if (flags.for !== undefined && flags.ready !== true) {
    throw new NetError("usage", "Cannot use --for: it belongs to --ready", {
      next: `say net node health --ready --for ${flags.for}`,
    });
  }
  if (flags.live === true) return { method: "health.liveness", params: {} };
  if (flags.ready !== true) return { method: "health.check", params: {} };
  return {
    method: "health.readiness",
    params: flags.for === undefined ? {} : { for: flags.for },
  };
}

function isPassed(method: string, answer: Readonly<Record<string, unknown>>): boolean {
  if (method === "health.liveness") return answer.alive === true;
  if (method === "health.readiness") return answer.ready === true;
  return answer.status !== "unhealthy";
}

function healthText(
  method: string,
  answer: Readonly<Record<string, unknown>>,
  isAll: boolean,
): string {
  if (method === "health.liveness") return "alive";
  if (method === "health.readiness") {
    if (answer.ready === true) return answer.writes === false ? "ready, for reads only" : "ready";
    return `not ready: ${listOf(answer.missing).map(textOf).join(", ")}`;
  }
  const parts = Object.entries(recordOf(answer.subsystems)).map(([name, part]) =>
    [name, recordOf(part)] as const
  );
  const healthy = parts.filter(([, { status }]) => status === "healthy").length;
  const shown = parts.filter(([, { status }]) => isAll || status !== "healthy");
  const fields = formatFields([
    ["status", textOf(answer.status)],
    ["phase", textOf(answer.phase)],
    ["running", formatDuration(1000 * (numberOf(answer.uptime_secs) ?? 0))],
    ["clients", textOf(answer.active_connections)],
    ["parts", `${healthy} of ${parts.length} healthy`],
  ]);
  if (shown.length === 0) return fields;
  const table = formatTable([
    ["PART", "STATE", "SINCE", "WHY"],
    ...shown.map(([name, part]) => [
      name,
      textOf(part.status),
      textOf(part.since),
      textOf(part.detail),
    ]),
  ]);
  return `${fields}\n\n${table}`;
}
