/** A server that speaks as much of NATS as an adapter needs and answers requests with what a test says. */

/** A reply: headers' status, further headers, and a body. */
export interface NatsReply {
  readonly status?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Gives the replies to a message; `undefined` for the usual one. */
export type NatsReplies = (subject: string, body: string) => readonly NatsReply[] | undefined;

/** A running one. */
export interface FakeNats extends AsyncDisposable {
  readonly port: number;
  /** Subjects of all messages that came. */
  readonly subjects: string[];
}

/** Starts one, of a version of choice. */
export function startFakeNats(replies: NatsReplies, version = "2.9.0"): FakeNats {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const subjects: string[] = [];
  const connections = new Set<Deno.Conn>();
  const serve = async (connection: Deno.Conn) => {
    connections.add(connection);
    const send = (text: string) => connection.write(new TextEncoder().encode(text));
    const subscriptions = new Map<string, string>();
    const info = { server_id: "fake", version, headers: true, jetstream: true, proto: 1 };
    await send(`INFO ${JSON.stringify({ ...info, max_payload: 1_048_576, host: "x", port })}\r\n`);
    const answer = async (subject: string, to: string, body: string) => {
      subjects.push(subject);
      const id = [...subscriptions].find(([pattern]) =>
        pattern === to || pattern.endsWith(">") && to.startsWith(pattern.slice(0, -1)) ||
        pattern.endsWith("*") && to.startsWith(pattern.slice(0, -1))
      )?.[1];
      for (const reply of replies(subject, body) ?? [usual(subject)]) {
        const lines = Object.entries(reply.headers ?? {}).map(([name, value]) =>
          `${name}: ${value}`
        );
        const head = [`NATS/1.0${reply.status ?? ""}`, ...lines, "", ""].join("\r\n");
        const data = reply.body ?? "";
        const bytes = head.length + data.length;
        await send(`HMSG ${to} ${id} ${head.length} ${bytes}\r\n${head}${data}\r\n`);
      }
    };
    let text = "";
    for await (const bytes of connection.readable) {
      text += new TextDecoder("latin1").decode(bytes);
      for (;;) {
        const end = text.indexOf("\r\n");
        if (end < 0) break;
        const words = text.slice(0, end).split(" ");
        const verb = words[0]?.toUpperCase();
        if (verb === "PUB" || verb === "HPUB") {
          const size = Number(words.at(-1));
          if (text.length < end + 2 + size + 2) break;
          const skipped = verb === "HPUB" ? Number(words.at(-2)) : 0;
          const body = text.slice(end + 2 + skipped, end + 2 + size);
          text = text.slice(end + 2 + size + 2);
          const hasReply = words.length === (verb === "HPUB" ? 5 : 4);
          if (hasReply) await answer(words[1] ?? "", words[2] ?? "", body);
          else subjects.push(words[1] ?? "");
          continue;
        }
        text = text.slice(end + 2);
        if (verb === "SUB") subscriptions.set(words[1] ?? "", words.at(-1) ?? "");
        if (verb === "PING") await send("PONG\r\n");
      }
    }
  };
  const accepting = (async () => {
    for await (const connection of listener) serve(connection).catch(() => {});
  })().catch(() => {});
  return {
    port,
    subjects,
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

/** A stream that is there and takes everything. */
function usual(subject: string): NatsReply {
  if (!subject.startsWith("$JS.API.STREAM.INFO.")) return { body: '{"stream":"s","seq":1}' };
  const state = { first_seq: 1, last_seq: 9, messages: 9 };
  return { body: JSON.stringify({ config: { name: "s", allow_direct: true }, state }) };
}
