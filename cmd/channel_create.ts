/** `net channel create`: runs a channel, or a prefix of channels, or changes its rules. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { CHANNEL_ANSWER_MS, CHANNEL_ARGUMENT } from "./channel_common.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import {
  bareRecord,
  choiceFlag,
  listFlag,
  SHARED_FLAGS,
  type SharedFlags,
  switchFlag,
  textFlag,
} from "./flags.ts";
import { recordOf, textOf } from "./format.ts";
import { proposeIdentities } from "./identity_place.ts";
import { readEntity } from "./token_input.ts";
import { runVerb } from "./verb.ts";

const VISIBILITIES = ["global", "subnet-local", "parent-visible", "exported"] as const;
const QUEUE_GROUP_POLICIES = ["unrestricted", "deny", "token-bound"] as const;

interface CreateFlags extends SharedFlags {
  readonly prefix?: boolean;
  readonly visibility?: (typeof VISIBILITIES)[number];
  readonly requireToken?: boolean;
  readonly root?: readonly string[];
  readonly reliable?: boolean;
  readonly rate?: string;
  readonly priority?: string;
  readonly queueGroups?: (typeof QUEUE_GROUP_POLICIES)[number];
  readonly publishTag?: readonly string[];
  readonly subscribeTag?: readonly string[];
  readonly bindOrigin?: boolean;
}

/** The verb. */
export const channelCreateCommand = buildCommand<CreateFlags, [string], NetContext>({
  docs: {
    brief: "Run a channel, or change its rules",
    fullDescription:
      "Lets this node run a channel, now and after restarts, or changes how it runs " +
      "one. What is left out has its default again; subscribers that the old rules let in ask " +
      "anew. With --prefix all channels whose names begin so, as in logs/.\n\n" +
      "Only a token keeps anybody out: name the entities that may allow others with --root. Tags " +
      "are the subscriber's own word. With --reliable events that are lost on the way are sent " +
      "again and come in order, and slow readers slow the publisher down. --rate is in events " +
      "per second; this node refuses to publish more.\n\n" +
      "EXAMPLES\n  net channel create room/lobby --reliable\n" +
      "  net channel create logs/ --prefix --rate 1000\n" +
      "  net channel create vault/keys --root owner",
  },
  parameters: {
    flags: bareRecord({
      prefix: switchFlag("All channels whose names begin so"),
      visibility: choiceFlag(VISIBILITIES, "Who may see it; default: global"),
      requireToken: switchFlag("Demand a token of subscribers and publisher"),
      root: {
        ...listFlag("ENTITY", "First issuer of tokens, by entity id or name; demands tokens"),
        proposeCompletions: proposeIdentities,
      },
      reliable: switchFlag("Send lost events again, in order"),
      rate: textFlag("N", "Events per second at most"),
      priority: textFlag("N", "0 to 255, in the packets' headers; default: 0"),
      queueGroups: choiceFlag(
        QUEUE_GROUP_POLICIES,
        "Who may share events in a group; default: unrestricted",
      ),
      publishTag: listFlag("TAG", "Tag this node must announce to publish; repeatable"),
      subscribeTag: listFlag("TAG", "Tag subscribers must announce; repeatable"),
      bindOrigin: switchFlag("Names behind the prefix are their subscribers' origin hashes"),
      ...SHARED_FLAGS,
    }),
    positional: { kind: "tuple", parameters: [CHANNEL_ARGUMENT] },
  },
  async func(flags, name) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const roots: string[] = [];
      for (const root of flags.root ?? []) {
        roots.push((await readEntity(this, flags, root, output)).toHex());
      }
      const params = {
        name,
        // No name of a channel ends so.
        prefix: flags.prefix ?? name.endsWith("/"),
        visibility: flags.visibility,
        require_token: flags.requireToken,
        roots,
        reliable: flags.reliable,
        rate: numberFlag("--rate", flags.rate),
        priority: numberFlag("--priority", flags.priority),
        queue_groups: flags.queueGroups,
        publish_tags: flags.publishTag ?? [],
        subscribe_tags: flags.subscribeTag ?? [],
        bind_origin: flags.bindOrigin,
      };
      const node = await connectNode(this, flags, signal);
      try {
        const result = recordOf(await node.call("channel.create", params, { signal }));
        output.result("channel.create", result, () => textOf(result.name));
        if (
          result.require_token === true && Array.isArray(result.roots) && result.roots.length === 0
        ) {
          output.warn("nobody can subscribe: tokens are demanded and no --root is given");
        }
      } finally {
        await node.close();
      }
    }, { timeoutMs: CHANNEL_ANSWER_MS });
  },
});

function numberFlag(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new NetError("usage", `Cannot use ${name}: value is "${text}", must be a whole number`, {
    next: `write for example ${name} 10`,
  });
}
