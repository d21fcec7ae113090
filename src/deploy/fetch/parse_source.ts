/** What `--source` names: a folder, an address, a repository's releases, or the mesh. */
import { NetError } from "../../base/mod.ts";
import { absolutePath } from "../../config/mod.ts";
import { quote } from "../names.ts";
import { isRepoName } from "../sources.ts";
import { folderSource } from "./folder_source.ts";
import { githubSource } from "./github_source.ts";
import type { HttpClient } from "./http_client.ts";
import { meshSource, type OpenBlob } from "./mesh_source.ts";
import { RETRY_POLICY, type RetryPolicy } from "./retry.ts";
import type { FetchSource } from "./source.ts";
import { urlSource } from "./url_source.ts";

/** What {@linkcode parseSource} builds sources of. */
export interface SourceContext {
  readonly cwd: string;
  readonly client: HttpClient;
  /** Release of repositories. */
  readonly tag?: string;
  /** Public interface of GitHub, without a slash at its end. */
  readonly api: string;
  readonly policy?: RetryPolicy;
  /** Blobs of the running node; without it there is no mesh. */
  readonly openBlob?: OpenBlob;
}

/**
 * The source that a text names.
 *
 * @throws NetError `usage` for a text that names none.
 */
export function parseSource(text: string, context: SourceContext): FetchSource {
  const { cwd, client, tag, api, policy = RETRY_POLICY } = context;
  if (text === "") throw refuse(text, "it is empty");
  if (text === "mesh") {
    if (context.openBlob === undefined) throw refuse(text, "there is no node here");
    return meshSource(context.openBlob);
  }
  if (text.startsWith("github:")) {
    const repo = text.slice("github:".length);
    if (!isRepoName(repo)) throw refuse(text, "a repository is github:OWNER/NAME");
    return githubSource({ repo, tag, api, client, policy });
  }
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return folderSource(absolutePath(text, cwd));
  const url = URL.parse(text);
  if (url === null || (scheme !== "https" && scheme !== "http")) {
    throw refuse(text, "an address begins with https:// or http://");
  }
  if (url.username !== "" || url.password !== "") {
    throw refuse(`${url.protocol}//…@${url.host}`, "there must be no password in it");
  }
  if (url.search !== "" || url.hash !== "") {
    throw refuse(text, "it must name a folder, without ? and #");
  }
  return urlSource(url.href.endsWith("/") ? url.href : `${url.href}/`, client, policy);
}

function refuse(text: string, why: string): NetError {
  return new NetError("usage", `Cannot use --source ${quote(text)}: ${why}`, {
    next: "give a folder, https://HOST/FOLDER, github:OWNER/NAME or mesh",
  });
}
