/** What a member is told of its caller's environment: everything but the secrets of this very program. */
import { type Environment, PROGRAM_NAME } from "../../config/mod.ts";

/** Variables of ours that hold secrets; members have their own names for what a family shares. */
const OWN_SECRETS: readonly string[] = ["NET_TICKET", "NET_BUS_URL", "NET_FAMILY_SEED"];

/**
 * The variables of a member's process.
 *
 * @param more Variables that win over the caller's.
 */
export function memberEnvironment(
  member: string,
  env: Environment,
  more: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || member !== PROGRAM_NAME && OWN_SECRETS.includes(name)) continue;
    variables[name] = value;
  }
  return { ...variables, ...more };
}
