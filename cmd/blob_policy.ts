/** `net blob policy show`, `set`, `reset` and `status`: how blobs move, stay and go on a node. */
import { buildCommand, buildRouteMap } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { blobFlowText } from "./blob_flow_text.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag } from "./flags.ts";
import { formatTable, listOf, recordOf, textOf } from "./format.ts";
import type { Output } from "./output.ts";
import { proposeFrom } from "./proposals.ts";
import { runVerb } from "./verb.ts";
import { runWatch, WATCH_FLAG, type WatchFlags } from "./watch.ts";

const ANSWER_MS = 30_000;

/** Where the names of settings come from when somebody presses Tab. */
const SETTINGS_SOURCE = { method: "blob.policy_show", list: "settings", field: "key" } as const;

const KEY_ARGUMENT = {
  parse: String,
  placeholder: "KEY",
  brief: "A setting or a group; repeatable",
  proposeCompletions: proposeFrom(SETTINGS_SOURCE),
} as const;

/** Values of the flags of `show`. */
interface ShowFlags extends SharedFlags {
  readonly changed?: boolean;
}

const showCommand = buildCommand<ShowFlags, string[], NetContext>({
  docs: {
    brief: "Show every setting and what it does",
    fullDescription: "Shows every setting of the policy of blobs, its value as set takes it, and " +
      "what it does, or those of a group. A star marks what was changed. Without a running node it " +
      "reads the data folder.\n\n" +
      "EXAMPLES\n  net blob policy show\n  net blob policy show overflow\n  net blob policy show --changed --json",
  },
  parameters: {
    flags: bareRecord({ changed: switchFlag("Only settings that were changed"), ...SHARED_FLAGS }),
    positional: { kind: "array", parameter: KEY_ARGUMENT },
  },
  async func(flags, ...keys) {
    await call(this, flags, "show", "blob.policy_show", {}, (answer, output) => {
      const all = settingsOf(answer, false);
      for (const key of keys) {
        if (all.some((setting) => isNamed(setting, [key]))) continue;
        throw new NetError(
          "usage",
          `Cannot show policy: there is no setting "${key.slice(0, 100)}"`,
          {
            next: "see all settings with net blob policy show",
          },
        );
      }
      const settings = all.filter((setting) =>
        (keys.length === 0 || isNamed(setting, keys)) &&
        !(flags.changed === true && setting.is_default)
      );
      output.result("blob.policy.show", { settings }, () => settingsText(settings));
    });
  },
});

const setCommand = buildCommand<SharedFlags, string[], NetContext>({
  docs: {
    brief: "Change settings, on the running node and over restarts",
    fullDescription: "Changes settings of the policy of blobs: all of those given or none. They " +
      "are in force when the verb ends; what is switched off has stopped then. GROUP=on is short " +
      "for GROUP.enabled=on, and KEY=default gives a setting back its default.\n\n" +
      "EXAMPLES\n  net blob policy set overflow=on overflow.scope=zone\n" +
      "  net blob policy set greedy=on gravity=on\n  net blob policy set greedy=off gravity=off",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: {
      kind: "array",
      parameter: {
        parse: String,
        placeholder: "KEY=VALUE",
        brief: "A setting; repeatable",
        proposeCompletions: proposeFrom(SETTINGS_SOURCE),
      },
      minimum: 1,
    },
  },
  async func(flags, ...given) {
    const params = () => ({ settings: given.map(parsePair) });
    await call(this, flags, "set", "blob.policy_set", params, printChange);
  },
});

const resetCommand = buildCommand<SharedFlags, string[], NetContext>({
  docs: {
    brief: "Give settings back their defaults",
    fullDescription:
      "Gives settings of the policy of blobs back their defaults: one, a group, or " +
      "all of them when none is named. Then nothing moves by itself any more.\n\n" +
      "EXAMPLES\n  net blob policy reset overflow.scope\n  net blob policy reset overflow\n" +
      "  net blob policy reset",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: {
      kind: "array",
      parameter: KEY_ARGUMENT,
    },
  },
  async func(flags, ...keys) {
    await call(this, flags, "reset", "blob.policy_reset", { keys }, printChange);
  },
});

const statusCommand = buildCommand<WatchFlags, [], NetContext>({
  docs: {
    brief: "Show what moves by itself on the running node",
    fullDescription: "Shows what the policy makes move: overflow and why pushes failed, gravity, " +
      "caches, how many moves this hour has left, and the chunks that are read most.\n\n" +
      "EXAMPLES\n  net blob policy status\n  net blob policy status --watch\n" +
      "  net blob policy status --json",
  },
  parameters: { flags: bareRecord({ watch: WATCH_FLAG, ...SHARED_FLAGS }) },
  async func(flags) {
    await runWatch(this, flags, {
      method: "blob.flow_status",
      verb: "blob.policy.status",
      text: ({ answer }) => blobFlowText(answer),
    });
  },
});

/** The verbs about the policy. */
export const blobPolicyRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Show and change how blobs move, stay and go" },
  routes: bareRecord({
    show: showCommand,
    set: setCommand,
    reset: resetCommand,
    status: statusCommand,
  }),
  aliases: bareRecord({}),
});

type Params = Readonly<Record<string, unknown>>;

async function call(
  context: NetContext,
  flags: SharedFlags,
  verb: string,
  method: string,
  params: Params | (() => Params),
  print: (answer: Params, output: Output, verb: string) => void,
): Promise<void> {
  await runVerb(context, flags, async ({ output, signal }) => {
    const given = typeof params === "function" ? params() : params;
    const node = await connectOrOpen(context, flags, signal);
    try {
      print(recordOf(await node.call(method, given, { signal })), output, verb);
    } finally {
      await node.close();
    }
  }, { timeoutMs: ANSWER_MS });
}

function printChange(answer: Params, output: Output, verb: string): void {
  const changed = listOf(answer.changed).map(textOf);
  const settings = settingsOf(answer, false).filter(({ key }) => changed.includes(key));
  output.result(
    `blob.policy.${verb}`,
    { changed, settings },
    () => changed.length === 0 ? "nothing changed" : settingsText(settings),
  );
}

/** True for a setting that is named by itself or by its group. */
function isNamed({ key }: Setting, keys: readonly string[]): boolean {
  return keys.some((name) => key === name || key.startsWith(`${name}.`));
}

interface Setting extends Record<string, unknown> {
  readonly key: string;
  readonly value: string;
  readonly is_default: boolean;
  readonly about: string;
}

function settingsOf(answer: Params, isChangedOnly: boolean): Setting[] {
  return listOf(answer.settings).map(recordOf)
    .map((setting) => ({
      key: textOf(setting.key),
      value: textOf(setting.value),
      is_default: setting.is_default === true,
      about: textOf(setting.about),
    }))
    .filter((setting) => !isChangedOnly || !setting.is_default);
}

function settingsText(settings: readonly Setting[]): string {
  if (settings.length === 0) return "nothing was changed";
  const rows = settings.map(({ key, value, is_default, about }) => [
    key,
    `${value}${is_default ? "" : " *"}`,
    about,
  ]);
  return formatTable([["SETTING", "VALUE", "WHAT IT DOES"], ...rows]);
}

function parsePair(text: string): readonly [string, string] {
  const equals = text.indexOf("=");
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
  throw new NetError("usage", `Cannot set policy: "${text.slice(0, 100)}" is no KEY=VALUE`, {
    next: "see the settings with net blob policy show",
  });
}
