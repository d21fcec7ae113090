/** `net transfer ls`, `status` and `cancel`: what the running node, or a peer, is moving. */
import { buildCommand, buildRouteMap } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { formatBytes, formatTable, listOf, numberOf, recordOf, textOf } from "./format.ts";
import type { Output } from "./output.ts";
import { runVerb } from "./verb.ts";

/** Longer than a peer is waited for. */
const ANSWER_MS = 15_000;

interface TransferFlags extends SharedFlags {
  readonly node?: string;
}

type Answer = Readonly<Record<string, unknown>>;

const FLAGS = bareRecord({
  node: textFlag("PEER", "Ask this peer instead of the running node"),
  ...SHARED_FLAGS,
});

const ID_ARGUMENT = {
  kind: "tuple",
  parameters: [
    { parse: String, placeholder: "ID", brief: "Id of a get or of one of its streams" },
  ],
} as const;

const lsCommand = buildCommand<TransferFlags, [], NetContext>({
  docs: {
    brief: "List gets, the streams they run over, and what is served",
    fullDescription: "Lists the gets of the running node, those that ended last among them, the " +
      "streams they run over, and those it serves. CLASS is the bandwidth class, PAUSED how long " +
      "a stream waited for higher ones. A peer tells only the streams it fetches over.\n\n" +
      "EXAMPLES\n  net transfer ls\n  net transfer ls --node 31a5\n  net transfer ls --json",
  },
  parameters: { flags: FLAGS },
  async func(flags) {
    await ask(this, flags, "transfer.list", () => ({}), (answer, output) => {
      output.result("transfer.ls", answer, () => listText(answer));
    });
  },
});

const statusCommand = buildCommand<TransferFlags, [string], NetContext>({
  docs: {
    brief: "Show one get, or one stream",
    fullDescription: "Shows a get, also for a while after its end, or one stream of it.\n\n" +
      "EXAMPLES\n  net transfer status 0000a5d2c1f00001\n" +
      "  net transfer status 0x20000000000004d2 --node 31a5 --json",
  },
  parameters: { flags: FLAGS, positional: ID_ARGUMENT },
  async func(flags, id) {
    await ask(this, flags, "transfer.status", () => ({ id: checkId(id) }), (answer, output) => {
      if (answer.found !== true) throw notFound(id);
      output.result("transfer.status", answer, () =>
        listText({
          gets: answer.get === null || answer.get === undefined ? [] : [answer.get],
          transfers: answer.transfer === null ? [] : [answer.transfer],
        }));
    });
  },
});

const cancelCommand = buildCommand<TransferFlags, [string], NetContext>({
  docs: {
    brief: "End a get; what came of it is kept",
    fullDescription: "Ends a get. Whoever waits for it is told so, and its chunks stay: the same " +
      "get goes on from them.\n\n" +
      "EXAMPLES\n  net transfer cancel 0000a5d2c1f00001\n" +
      "  net transfer cancel 0x20000000000004d2 --node 31a5",
  },
  parameters: { flags: FLAGS, positional: ID_ARGUMENT },
  async func(flags, id) {
    await ask(this, flags, "transfer.cancel", () => ({ id: checkId(id) }), (answer, output) => {
      if (answer.cancelled !== true) throw notFound(id);
      output.result("transfer.cancel", answer, () => textOf(answer.transfer_id));
      output.note("cancelled");
    });
  },
});

/** The verbs. */
export const transferRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "See and end what is being moved" },
  routes: bareRecord({ ls: lsCommand, status: statusCommand, cancel: cancelCommand }),
  aliases: bareRecord({ list: "ls" }),
});

async function ask(
  context: NetContext,
  flags: TransferFlags,
  method: string,
  params: () => Answer,
  print: (answer: Answer, output: Output) => void,
): Promise<void> {
  await runVerb(context, flags, async ({ output, signal }) => {
    const own = params();
    const node = await connectNode(context, flags, signal);
    try {
      const full = flags.node === undefined ? own : { ...own, node: flags.node };
      print(recordOf(await node.call(method, full, { signal })), output);
    } finally {
      await node.close();
    }
  }, { timeoutMs: ANSWER_MS });
}

function checkId(text: string): string {
  if (/^(0x[0-9a-f]{1,16}|[0-9a-f]{16}|[0-9]{1,20})$/i.test(text)) return text;
  throw new NetError(
    "usage",
    `Cannot find transfer "${text.slice(0, 64)}": must be 16 hex digits or a decimal number`,
    { next: "see the ids with net transfer ls" },
  );
}

function notFound(id: string): NetError {
  return new NetError("not_found", `Cannot find transfer ${id}: there is none`, {
    next: "see the ids with net transfer ls; it may have ended",
  });
}

function listText(answer: Answer): string {
  const gets = listOf(answer.gets).map(recordOf).map((get) => [
    textOf(get.get_id),
    textOf(get.state),
    progressText(get.done_bytes, get.total_bytes),
    textOf(get.current_bandwidth_class),
    pausedText(get),
    textOf(get.target),
  ]);
  const streams = [...listOf(answer.transfers), ...listOf(answer.served)].map(recordOf)
    .map((stream) => [
      textOf(stream.transfer_id),
      stream.bytes_sent === undefined ? "fetch" : "serve",
      progressText(stream.bytes_received ?? stream.bytes_sent, stream.total_bytes),
      textOf(stream.current_bandwidth_class) || "-",
      pausedText(stream),
      textOf(stream.peer),
      textOf(stream.hash).slice(0, 16),
    ]);
  const parts: string[] = [];
  if (gets.length > 0) {
    parts.push(formatTable([["GET", "STATE", "BYTES", "CLASS", "PAUSED", "TARGET"], ...gets]));
  }
  if (streams.length > 0) {
    const head = ["STREAM", "WAY", "BYTES", "CLASS", "PAUSED", "PEER", "CHUNK"];
    parts.push(formatTable([head, ...streams]));
  }
  return parts.length === 0 ? "no transfers" : parts.join("\n\n");
}

function progressText(done: unknown, total: unknown): string {
  const bytes = formatBytes(numberOf(done) ?? 0);
  const all = numberOf(total);
  return all === undefined ? bytes : `${bytes} of ${formatBytes(all)}`;
}

function pausedText(row: Answer): string {
  const milliseconds = numberOf(row.paused_for_higher_class_ms);
  return milliseconds === undefined || milliseconds === 0 ? "-" : `${milliseconds} ms`;
}
