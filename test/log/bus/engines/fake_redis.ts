/** A server that answers Redis commands with what a test says, for states that a real one is hard to bring into. */

/** Gives the reply to a command, as the wire has it; `undefined` for none. */
export type RedisReplies = (command: readonly string[]) => string | undefined;

/** A running one. */
export interface FakeRedis extends AsyncDisposable {
  readonly port: number;
  /** Names of all commands that came, over all connections. */
  readonly commands: string[];
}

/** Starts one; commands that `replies` says nothing about are answered with `+OK`, and INFO as a server would. */
export function startFakeRedis(replies: RedisReplies): FakeRedis {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const commands: string[] = [];
  const connections = new Set<Deno.Conn>();
  const serve = async (connection: Deno.Conn) => {
    connections.add(connection);
    let text = "";
    for await (const bytes of connection.readable) {
      text += new TextDecoder("latin1").decode(bytes);
      for (let taken = takeCommand(text); taken !== undefined; taken = takeCommand(text)) {
        text = text.slice(taken.length);
        commands.push(taken.words[0]?.toUpperCase() ?? "");
        const reply = replies(taken.words) ?? usual(taken.words);
        await connection.write(new TextEncoder().encode(reply));
      }
    }
  };
  const accepting = (async () => {
    for await (const connection of listener) serve(connection).catch(() => {});
  })().catch(() => {});
  return {
    port: (listener.addr as Deno.NetAddr).port,
    commands,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      for (const connection of connections) {
        try {
          connection.close();
        } catch {
          // The client did.
        }
      }
      await accepting;
    },
  };
}

function usual([name = ""]: readonly string[]): string {
  if (name.toUpperCase() !== "INFO") return "+OK\r\n";
  const info = "redis_mode:standalone\r\nloading:0\r\n";
  return `$${info.length}\r\n${info}\r\n`;
}

function takeCommand(text: string): { words: string[]; length: number } | undefined {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (head === null) return undefined;
  let at = head[0].length;
  const words: string[] = [];
  for (let i = 0; i < Number(head[1]); i++) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at));
    if (size === null) return undefined;
    at += size[0].length;
    const length = Number(size[1]);
    if (text.length < at + length + 2) return undefined;
    words.push(text.slice(at, at + length));
    at += length + 2;
  }
  return { words, length: at };
}
