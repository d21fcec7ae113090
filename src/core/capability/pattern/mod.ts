/** Regular expressions that are safe to take from strangers. */
export { type CompiledRegex, compileRegex, type RegexFault } from "./regex.ts";
