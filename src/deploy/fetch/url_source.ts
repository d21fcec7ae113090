/** Members from a web server whose folders look like a toolkit. */
import type { HttpClient } from "./http_client.ts";
import { RETRY_POLICY, retrying, type RetryPolicy } from "./retry.ts";
import { type FetchSource, type RemoteFile, TEXT_BYTES_MAX, toolkitPaths } from "./source.ts";

/**
 * A source over the folder at an address.
 *
 * @param base With a slash at its end.
 */
export function urlSource(
  base: string,
  client: HttpClient,
  policy: RetryPolicy = RETRY_POLICY,
): FetchSource {
  return {
    name: base,
    readText: (path, signal) =>
      retrying(() => client.readText(base + path, TEXT_BYTES_MAX, signal), {
        policy,
        progress: () => 0,
        what: `Cannot fetch ${base}${path}`,
        signal,
      }),
    candidates: (wanted) =>
      Promise.resolve(toolkitPaths(wanted).map((path) => urlFile(base + path, client))),
  };
}

/** A file at an address. */
export function urlFile(url: string, client: HttpClient): RemoteFile {
  return { place: url, open: (from, signal) => client.open(url, from, signal) };
}
