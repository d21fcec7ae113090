/**
 * Thousands of connections to a control surface that send valid and invalid lines as fast as they are
 * answered, told what to do by JSON lines.
 *
 * Cheap on purpose: each connection writes a chunk of lines that was made before and reads until the reply
 * to its last line, so that one process can keep a node busy from the other core.
 */

import { serveLines } from "../interop/serve_lines.ts";

/** Where a node listens. */
export interface LoadTarget {
  readonly socketPath: string;
  /** Every other connection goes here when given. */
  readonly port?: number;
}

/** What the load found. */
export interface LoadReport {
  readonly seconds: number;
  /** Reply lines of each connection, smallest first. */
  readonly replies: readonly number[];
  /** What was not as it should be, at most a few of each kind. */
  readonly faults: readonly string[];
}

/** Every operation: its arguments and its result. */
export interface LoadOperations {
  /** Opens the connections. */
  connect: [{ target: LoadTarget; connections: number }, { ms: number }];
  /** Sends until the time is over and every chunk was answered. */
  load: [{ seconds: number }, LoadReport];
}

const LIVENESS = '"jsonrpc":"2.0","method":"health.liveness"';

/** Lines without the last one, and how many replies they get. */
const MIXES: readonly {
  readonly lines: readonly (string | Uint8Array)[];
  readonly replies: number;
}[] = [
  {
    lines: [
      `{${LIVENESS},"id":1}`,
      "{not json",
      '{"jsonrpc":"2.0","method":"no.such","id":12345678901234567890,"params":"probe"}',
      `{${LIVENESS}}`,
      "",
    ],
    replies: 3,
  },
  {
    lines: [
      '{"jsonrpc":"2.0","method":"identity.get","id":"a","params":{}}',
      new Uint8Array([0x22, 0xff, 0xfe, 0x22]),
      `[{${LIVENESS},"id":1},7,{${LIVENESS}},{${LIVENESS},"id":2}]`,
      '{"jsonrpc":"1.0","method":"health.liveness","id":-1.50}',
    ],
    replies: 4,
  },
  {
    lines: [
      '{"jsonrpc":"2.0","method":"health.readiness","id":3,"params":[]}',
      '{"jsonrpc":"2.0","method":"health.check","id":4,"params":7}',
      `{${LIVENESS},"id":5,"pad":"${"x".repeat(1500)}"}`,
      "[]",
      `{${LIVENESS},"id":{}}`,
    ],
    replies: 5,
  },
];

/** The reply that ends a chunk, behind any others. */
const LAST_LINE = `{${LIVENESS},"id":"last"}`;
const LAST_REPLY = new TextEncoder().encode(',"id":"last"}\n');
const NEWLINE = 0x0a;
const FAULTS_MAX = 5;
/** Longest wait for one connection. */
const CONNECT_MS = 10_000;

interface Chunk {
  readonly bytes: Uint8Array;
  readonly replies: number;
}

const CHUNKS: readonly Chunk[] = MIXES.map(({ lines, replies }) => ({
  bytes: joinLines([...lines, LAST_LINE]),
  replies: replies + 1,
}));

class Connection {
  replies = 0;
  readonly #conn: Deno.Conn;
  readonly #buffer = new Uint8Array(8192);

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Sends one chunk and reads all replies to it. */
  async exchange({ bytes, replies }: Chunk): Promise<void> {
    for (let offset = 0; offset < bytes.length;) {
      offset += await this.#conn.write(bytes.subarray(offset));
    }
    let seen = 0;
    for (;;) {
      const count = await this.#conn.read(this.#buffer);
      if (count === null) throw new Error(`closed after ${seen} of ${replies} replies`);
      const part = this.#buffer.subarray(0, count);
      for (let at = part.indexOf(NEWLINE); at >= 0; at = part.indexOf(NEWLINE, at + 1)) seen++;
      if (seen >= replies && part[count - 1] === NEWLINE) {
        if (seen > replies) throw new Error(`${seen} replies instead of ${replies}`);
        if (count >= LAST_REPLY.length && !endsWith(part, LAST_REPLY)) {
          throw new Error("the last reply is not the last request's");
        }
        break;
      }
    }
    this.replies += seen;
  }

  close(): void {
    this.#conn.close();
  }
}

/** A unix socket turns away at once what its listen queue has no room for; the next moment it may have. */
async function connect(target: LoadTarget, isSecond: boolean): Promise<Deno.Conn> {
  const deadlineMs = performance.now() + CONNECT_MS;
  for (;;) {
    try {
      return isSecond && target.port !== undefined
        ? await Deno.connect({ hostname: "127.0.0.1", port: target.port })
        : await Deno.connect({ transport: "unix", path: target.socketPath });
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

function createHandlers() {
  let connections: Connection[] = [];
  return {
    connect: async ({ target, connections: count }: LoadOperations["connect"][0]) => {
      const startMs = performance.now();
      const opened: Connection[] = [];
      while (opened.length < count) {
        const size = Math.min(64, count - opened.length);
        opened.push(
          ...await Promise.all(
            Array.from(
              { length: size },
              async (_, i) => new Connection(await connect(target, i % 2 === 1)),
            ),
          ),
        );
      }
      connections = opened;
      return { ms: performance.now() - startMs };
    },
    load: async ({ seconds }: LoadOperations["load"][0]): Promise<LoadReport> => {
      const faults = new Set<string>();
      const startMs = performance.now();
      const endMs = startMs + seconds * 1000;
      await Promise.all(connections.map(async (connection, number) => {
        try {
          for (let turn = number; performance.now() < endMs; turn++) {
            await connection.exchange(CHUNKS[turn % CHUNKS.length] as Chunk);
          }
        } catch (error) {
          if (faults.size < FAULTS_MAX) faults.add(error instanceof Error ? error.message : "?");
        }
        connection.close();
      }));
      return {
        seconds: (performance.now() - startMs) / 1000,
        replies: connections.map(({ replies }) => replies).sort((a, b) => a - b),
        faults: [...faults],
      };
    },
  };
}

function joinLines(lines: readonly (string | Uint8Array)[]): Uint8Array {
  const parts = lines.flatMap((line) => [
    typeof line === "string" ? new TextEncoder().encode(line) : line,
    new Uint8Array([NEWLINE]),
  ]);
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

function endsWith(bytes: Uint8Array, end: Uint8Array): boolean {
  const offset = bytes.length - end.length;
  return end.every((byte, i) => bytes[offset + i] === byte);
}

if (import.meta.main) await serveLines(createHandlers());
