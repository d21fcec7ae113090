/** A toolkit in a temporary folder, and a server of files that misbehaves as told. */
import { blake3, createSha256 } from "../../../src/core/crypto/mod.ts";
import {
  fetchMembers,
  type FetchMembersOptions,
  type FetchReport,
  platformOf,
} from "../../../src/deploy/mod.ts";

/** Quick pauses: nobody here needs time to recover. */
const POLICY = { attemptsMax: 4, pauseMs: 1, pauseMsMax: 5 };

/** An executable of `size` bytes for a machine: an ELF head, then bytes that differ. */
export function makeExecutable(size: number, machine = 62, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let state = seed;
  for (let index = 0; index < size; index++) {
    state = (state * 1_103_515_245 + 12_345) >>> 0;
    bytes[index] = state >>> 24;
  }
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes.set([3, 0, machine, 0], 16);
  return bytes;
}

/** Both checksums as hexadecimal digits. */
export function sumsOf(bytes: Uint8Array): { readonly sha256: string; readonly blake3: string } {
  return {
    sha256: createSha256().update(bytes).digest().toHex(),
    blake3: blake3(bytes).toHex(),
  };
}

/** The metadata of a member with one build. */
export function metadataText(name: string, sha256?: string, key = "x86_64-linux"): string {
  const sum = sha256 === undefined ? "" : `checksum_sha256 = "${sha256}"\n`;
  return `[primal]\nname = "${name}"\nversion = "1.2.3"\n[builds.${key}]\nbinary = "${name}"\n${sum}`;
}

/** Writes files below a folder. */
export async function writeFiles(
  root: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await Deno.mkdir(`${root}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(`${root}/${path}`, bytes);
  }
}

/** Every path below a folder with its mode, in order; folders are left out. */
export async function listFiles(root: string, prefix = ""): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${root}/${prefix}`)) {
    const path = `${prefix}${name}`;
    if (isDirectory) found.push(...await listFiles(root, `${path}/`));
    else {
      const { mode } = await Deno.stat(`${root}/${path}`);
      found.push(`${path} ${((mode ?? 0) & 0o777).toString(8)}`);
    }
  }
  return found.sort();
}

/** Runs a test with an empty folder. */
export async function withFolder(body: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "net-fetch-" });
  try {
    await body(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** Fetches with the defaults of these tests. */
export function runFetch(
  root: string,
  members: readonly string[],
  options: Partial<FetchMembersOptions> = {},
): Promise<FetchReport> {
  return fetchMembers({
    root,
    choice: { members, compositions: [], isAll: false },
    platform: platformOf("x86_64"),
    sources: [],
    cwd: root,
    isForced: false,
    isDry: false,
    allowUnverified: false,
    stallMs: 5_000,
    policy: POLICY,
    signal: new AbortController().signal,
    ...options,
  });
}

/** How a server answers one request. */
export type Answer = (request: Request, path: string) => Response | Promise<Response>;

/** A server on a free port of this machine. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  /** What was asked: `GET /path` and the range, when there was one. */
  readonly asked: string[];
}

/** Starts a server. */
export function startServer(answer: Answer): TestServer {
  const asked: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const path = decodeURIComponent(new URL(request.url).pathname);
    const range = request.headers.get("range");
    asked.push(`${path}${range === null ? "" : ` ${range}`}`);
    return answer(request, path);
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    asked,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** A file with an entity tag; parts of it when the request's condition holds. */
export function fileAnswer(
  request: Request,
  bytes: Uint8Array<ArrayBuffer>,
  tag: string,
): Response {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
  const condition = request.headers.get("if-range");
  if (start === 0 || (condition !== null && condition !== tag)) {
    return new Response(bytes, { headers: { etag: tag } });
  }
  if (start >= bytes.length) return new Response(null, { status: 416 });
  return new Response(bytes.subarray(start), {
    status: 206,
    headers: { etag: tag, "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` },
  });
}

/** The first bytes of a file, then the connection breaks. */
export function brokenAnswer(bytes: Uint8Array<ArrayBuffer>, count: number, tag: string): Response {
  let isSent = false;
  const body = new ReadableStream({
    pull: async (controller) => {
      if (isSent) {
        // The bytes have to be on their way before the connection goes.
        await new Promise((resolve) => setTimeout(resolve, 30));
        return controller.error(new Error("broken on purpose"));
      }
      isSent = true;
      controller.enqueue(bytes.subarray(0, count));
    },
  });
  return new Response(body, { headers: { etag: tag, "content-length": String(bytes.length) } });
}

/** No such file. */
export function missing(): Response {
  return new Response("no", { status: 404 });
}
