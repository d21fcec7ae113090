/**
 * Members from the releases of a repository on GitHub, through its public interface: without password,
 * sixty requests an hour, one request for all members of a run.
 */
import { NetError } from "../../base/mod.ts";
import { isFileName, quote } from "../names.ts";
import { isTagName } from "../sources.ts";
import type { HttpClient } from "./http_client.ts";
import { RETRY_POLICY, retrying, type RetryPolicy } from "./retry.ts";
import { assetNames, type FetchSource, TEXT_BYTES_MAX } from "./source.ts";
import { urlFile } from "./url_source.ts";

/** Where the public interface is. */
export const GITHUB_API = "https://api.github.com";

/** Releases that are looked through when no tag is given, the newest first. */
const RELEASES = 10;
/** A release with a thousand assets is about two megabytes. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
const RELEASES_MAX = 100;
const ASSETS_MAX = 2_000;

/** One release. */
export interface Release {
  readonly tag: string;
  /** Addresses by name. */
  readonly assets: ReadonlyMap<string, string>;
}

/** Options of {@linkcode githubSource}. */
export interface GithubSourceOptions {
  /** `OWNER/NAME`. */
  readonly repo: string;
  /** The release; without it the newest that has the file. */
  readonly tag?: string;
  /** Without a slash at its end. */
  readonly api: string;
  readonly client: HttpClient;
  readonly policy?: RetryPolicy;
}

/** A source over the releases of a repository. */
export function githubSource(options: GithubSourceOptions): FetchSource {
  const { repo, tag, api, client, policy = RETRY_POLICY } = options;
  const name = `github:${repo}`;
  let releases: Promise<readonly Release[]> | undefined;
  const load = async (signal: AbortSignal) => {
    const path = tag === undefined
      ? `releases?per_page=${RELEASES}`
      : `releases/tags/${tag.split("/").map(encodeURIComponent).join("/")}`;
    const url = `${api}/repos/${repo}/${path}`;
    const text = await retrying(
      () => client.readText(url, ANSWER_BYTES_MAX, signal, "application/vnd.github+json"),
      { policy, progress: () => 0, what: `Cannot list the releases of ${repo}`, signal },
    );
    if (text === undefined) {
      throw new NetError(
        "not_found",
        tag === undefined ? `${name} has no releases` : `${name} has no release ${quote(tag)}`,
        { next: "check the repository, and --tag" },
      );
    }
    return parseReleases(text, name, new URL(api).protocol);
  };
  // Everyone waits for one answer; a failure is everyone's too.
  const all = (signal: AbortSignal) => releases ??= load(signal);
  return {
    name,
    readText: async (path, signal) => {
      // Assets have no folders: `net/metadata.toml` is `net.metadata.toml` there.
      const asset = path.replaceAll("/", ".");
      const [url] = (await all(signal)).flatMap(({ assets }) => assets.get(asset) ?? []);
      return url === undefined ? undefined : await retrying(
        () => client.readText(url, TEXT_BYTES_MAX, signal),
        { policy, progress: () => 0, what: `Cannot fetch ${url}`, signal },
      );
    },
    candidates: async (wanted, signal) => {
      const list = [...await all(signal)];
      // The release of the very version comes first.
      list.sort((a, b) => Number(b.tag === wanted.tag) - Number(a.tag === wanted.tag));
      const names = assetNames(wanted);
      return list.flatMap(({ assets }) =>
        names.flatMap((asset) => {
          const url = assets.get(asset);
          return url === undefined ? [] : [urlFile(url, client)];
        })
      );
    },
  };
}

/**
 * Reads an answer about releases: one of them, or a list. Drafts and releases before their time are left
 * out of a list; assets with names or addresses that cannot be used are left out everywhere.
 *
 * @param protocol Of the interface: from https only https assets count.
 * @throws NetError `network` when it is no such answer.
 */
export function parseReleases(text: string, name: string, protocol = "https:"): readonly Release[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw unreadable(name, "it is no JSON", error);
  }
  if (!Array.isArray(value)) return [readRelease(value, name, protocol)];
  if (value.length > RELEASES_MAX) throw unreadable(name, "it has too many releases");
  return value
    .filter((entry) => entry?.draft !== true && entry?.prerelease !== true)
    .map((entry) => readRelease(entry, name, protocol));
}

function readRelease(value: unknown, name: string, protocol: string): Release {
  const { tag_name: tag, assets } = fieldsOf(value);
  if (typeof tag !== "string" || !isTagName(tag)) throw unreadable(name, "a release has no tag");
  if (!Array.isArray(assets) || assets.length > ASSETS_MAX) {
    throw unreadable(name, "a release has no assets, or too many");
  }
  const urls = new Map<string, string>();
  for (const asset of assets) {
    const { name: file, browser_download_url: address } = fieldsOf(asset);
    if (typeof file !== "string" || !isFileName(file)) continue;
    if (typeof address !== "string" || address.length > 2_048) continue;
    const url = URL.parse(address);
    if (url === null || url.username !== "" || url.password !== "") continue;
    if (url.protocol === "https:" || url.protocol === protocol) urls.set(file, url.href);
  }
  return { tag, assets: urls };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function unreadable(name: string, why: string, cause?: unknown): NetError {
  return new NetError("network", `Cannot understand the releases of ${name}: ${why}`, {
    cause,
    next: "repeat the command, or give another --source",
  });
}
