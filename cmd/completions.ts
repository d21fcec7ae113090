/**
 * `net completions bash|zsh|fish`: prints a script for the shell.
 *
 * The scripts ask the program itself (`net __complete WORDS…`), so they never go stale.
 */
import { buildChoiceParser, buildCommand } from "@stricli/core";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { runVerb } from "./verb.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** A shell that completions exist for. */
export type Shell = typeof SHELLS[number];

/** Word that asks for proposals instead of a verb. */
export const COMPLETE_WORD = "__complete";

const BASH_SCRIPT = `# Completions of net for bash. Put this into ~/.bashrc:
#   source <(net completions bash)
_net_complete() {
  local line
  COMPREPLY=()
  while IFS=$'\\t' read -r line _; do
    COMPREPLY+=("$line")
  done < <(net ${COMPLETE_WORD} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _net_complete net
`;

const ZSH_SCRIPT = `#compdef net
# Completions of net for zsh. Put this into ~/.zshrc after compinit:
#   source <(net completions zsh)
_net() {
  local -a proposals
  local word brief
  while IFS=$'\\t' read -r word brief; do
    proposals+=("\${word//:/\\\\:}:$brief")
  done < <(net ${COMPLETE_WORD} "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#proposals} )); then
    _describe 'net' proposals
  else
    _files
  fi
}
compdef _net net
`;

const FISH_SCRIPT = `# Completions of net for fish. Put this into ~/.config/fish/config.fish:
#   net completions fish | source
function __net_complete
  set -l words (commandline -opc)
  net ${COMPLETE_WORD} $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c net -a '(__net_complete)'
`;

/** Script of one shell. */
export const COMPLETION_SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: BASH_SCRIPT,
  zsh: ZSH_SCRIPT,
  fish: FISH_SCRIPT,
};

/** The verb. */
export const completionsCommand = buildCommand<SharedFlags, [Shell], NetContext>({
  docs: {
    brief: "Print the completion script of a shell: bash, zsh or fish",
    fullDescription: "Prints the completion script of a shell.\n\n" +
      "EXAMPLES\n  source <(net completions bash)\n  net completions fish | source",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: {
      kind: "tuple",
      parameters: [{
        parse: buildChoiceParser(SHELLS),
        proposeCompletions: (partial) => SHELLS.filter((shell) => shell.startsWith(partial)),
        placeholder: "SHELL",
        brief: "bash, zsh or fish",
      }],
    },
  },
  async func(flags, shell) {
    await runVerb(this, flags, ({ output }) => {
      const script = COMPLETION_SCRIPTS[shell];
      output.result("completions", { shell, script }, () => script.trimEnd());
      return Promise.resolve();
    });
  },
});
