/** Fetching executables of members. */
export type { ExpectedSum } from "./expected.ts";
export type { MemberOutcome } from "./fetch_member.ts";
export * from "./fetch_members.ts";
export { GITHUB_API, parseReleases, type Release } from "./github_source.ts";
export type { OpenBlob } from "./mesh_source.ts";
export { digestFile, type Digests, parseOrigin } from "./part_file.ts";
export { RETRY_POLICY, type RetryPolicy } from "./retry.ts";
