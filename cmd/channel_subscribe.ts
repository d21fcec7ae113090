/** `net channel subscribe`: prints the events of a channel as they come. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { chainParam, CHANNEL_ARGUMENT, TOKEN_FLAG } from "./channel_common.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, listFlag, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { formatCount, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { type Output, toDocument } from "./output.ts";
import { runVerb } from "./verb.ts";

/** Publishers out of reach that are named. */
const OUT_OF_REACH_SHOWN = 3;

interface SubscribeFlags extends SharedFlags {
  readonly from?: readonly string[];
  readonly group?: string;
  readonly count?: string;
  readonly token?: string;
}

/** The verb. */
export const channelSubscribeCommand = buildCommand<SubscribeFlags, [string], NetContext>({
  docs: {
    brief: "Print the events of a channel as they come",
    fullDescription: "Subscribes to a channel at every peer that offers it, now or later, and at " +
      "this node itself, and prints each event as a line until it is stopped. The subscription " +
      "outlives lost sessions. Nodes of the Rust core do not say what they offer: name them with " +
      "--from, which subscribes there alone.\n\n" +
      "With --group each event goes to one member of the group. An event that is no text is " +
      "printed as base64: and its bytes. With --json each line is a document with publisher, " +
      "origin, sequence and text or base64.\n\n" +
      "EXAMPLES\n  net channel subscribe room/lobby\n  net channel subscribe jobs --group workers\n" +
      "  net channel subscribe vault/keys --token @reader.token --json",
  },
  parameters: {
    flags: bareRecord({
      from: listFlag(
        "PEER",
        "Only events of this publisher, a node id or its first digits; repeatable",
      ),
      group: textFlag("NAME", "Share the events with the other members of a queue group"),
      count: textFlag("N", "End after so many events"),
      token: TOKEN_FLAG,
      ...SHARED_FLAGS,
    }),
    positional: { kind: "tuple", parameters: [CHANNEL_ARGUMENT] },
  },
  async func(flags, channel) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const params = {
        channel,
        from: flags.from,
        group: flags.group,
        count: parseCount(flags.count),
        ...await chainParam(this, flags.token),
      };
      const node = await connectNode(this, flags, signal);
      const noteStatus = createStatusNotes(output, channel, flags.token);
      const onProgress = (report: unknown) => {
        const { events, status, waiting, out_of_reach } = recordOf(report);
        if (waiting === true) {
          output.note(`waiting for events of ${channel}`);
          noteOutOfReach(output, channel, listOf(out_of_reach).map(textOf));
        }
        if (status !== undefined) noteStatus(recordOf(status));
        const lines = listOf(events).map((event) => lineOf(this, output, channel, recordOf(event)));
        if (lines.length > 0) this.io.writeOut(lines.join(""));
      };
      try {
        const result = recordOf(
          await node.call("channel.subscribe", params, { signal, onProgress }),
        );
        const dropped = numberOf(result.dropped) ?? 0;
        if (dropped > 0) output.warn(`${formatCount(dropped)} events were missed: too slow`);
      } finally {
        await node.close();
      }
    }, { isEndless: true });
  },
});

/** One event as a line; on a terminal without what could steer it. */
function lineOf(
  context: NetContext,
  output: Output,
  channel: string,
  event: Readonly<Record<string, unknown>>,
): string {
  if (output.isJson) return `${toDocument("channel.subscribe", { channel, ...event })}\n`;
  const { text, base64 } = event;
  if (typeof text !== "string") return `base64:${textOf(base64)}\n`;
  return `${context.io.isStdoutTerminal ? textOf(text.replace(/\t/g, "  ")) : text}\n`;
}

/** Tells how it goes at each publisher, each time it goes differently. */
function createStatusNotes(output: Output, channel: string, token: string | undefined) {
  const told = new Map<string, string>();
  let isHinted = false;
  return (status: Readonly<Record<string, unknown>>): void => {
    const publisher = textOf(status.publisher);
    const news = `${textOf(status.state)} ${textOf(status.reason)}`;
    if (told.get(publisher) === news) return;
    told.set(publisher, news);
    switch (status.state) {
      case "active":
        return output.note(`subscribed to ${channel} at ${publisher}`);
      case "refused":
        output.warn(`${publisher} refuses ${channel}: ${textOf(status.reason)}; it is asked again`);
        if (status.reason === "unauthorized" && !isHinted) output.note(hintOf(channel, token));
        isHinted = true;
        return;
      case "unanswered":
        return output.note(`no answer of ${publisher}, asking again`);
      case "lost":
        return output.note(`${publisher} is gone, waiting for it`);
    }
  };
}

/** Tells of publishers that are known and not heard, so that nobody waits for them in vain. */
function noteOutOfReach(output: Output, channel: string, nodes: readonly string[]): void {
  if (nodes.length === 0) return;
  const shown = nodes.slice(0, OUT_OF_REACH_SHOWN).join(" ");
  const who = nodes.length > OUT_OF_REACH_SHOWN ? `${shown} and others` : shown;
  output.note(
    `${who} ${
      nodes.length === 1 ? "offers" : "offer"
    } ${channel} without being a peer of this node: ` +
      "to hear it, join with a ticket of that node",
  );
}

/** What whoever is not let in can do. */
function hintOf(channel: string, token: string | undefined): string {
  return token === undefined
    ? "next: show a token with --token @FILE, if it demands one; it may also be for other subnets or tags"
    : `next: look into the token with net token verify ${
      token.startsWith("@") ? token : "TOKEN"
    } ` +
      `--channel ${channel} --action subscribe`;
}

function parseCount(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new NetError(
    "usage",
    `Cannot use --count: value is "${text}", must be a whole number above 0`,
    {
      next: "write for example --count 1",
    },
  );
}
