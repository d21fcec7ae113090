/**
 * A member for tests, run as a process: it knows only the words its first argument allows, refuses
 * all others, and answers what a member answers.
 *
 * Run as `deno run -A test_member.ts SPEC ARG...`.
 */

/** What the member knows and does. */
export interface MemberSpec {
  readonly name: string;
  /** The only flag it takes a TCP port with. */
  readonly portFlag?: string;
  /** The only flag it takes `ADDR:PORT` with. */
  readonly addressFlag?: string;
  /** The only variable it takes a TCP port from. */
  readonly portVariable?: string;
  readonly socketFlag?: string;
  readonly familyFlag?: string;
  /** First argument it insists on. */
  readonly mode?: string;
  /** True to listen at no socket. */
  readonly hasNoSocket?: boolean;
  /** Text to print and exit code to end with instead of working. */
  readonly crash?: { readonly text: string; readonly code: number };
  /** True to accept and never answer. */
  readonly isSilent?: boolean;
  /** True to ignore SIGTERM. */
  readonly isStubborn?: boolean;
  /** True to start a process of its own that would outlive it. */
  readonly hasChild?: boolean;
  readonly methods?: readonly string[];
  readonly consumes?: readonly string[];
  /** File that gets the member's name when it starts and again when it is told to stop. */
  readonly journal?: string;
}

if (import.meta.main) {
  const [specText = "{}", ...args] = Deno.args;
  await run(JSON.parse(specText), args);
}

async function run(spec: MemberSpec, args: string[]): Promise<void> {
  note(spec, "start");
  if (spec.crash !== undefined) {
    console.error(spec.crash.text);
    Deno.exit(spec.crash.code);
  }
  const flags = readFlags(spec, args);
  if (spec.hasChild) {
    const child = new Deno.Command("sleep", { args: ["300"], stdin: "null" }).spawn();
    console.log(`child ${child.pid}`);
  }
  Deno.addSignalListener("SIGTERM", () => {
    if (spec.isStubborn) return;
    note(spec, "stop");
    for (const { addr } of listeners) if ("path" in addr) Deno.removeSync(addr.path);
    Deno.exit(0);
  });
  const listeners: Deno.Listener[] = [];
  const tcp = tcpOf(spec, flags);
  if (tcp !== undefined) listeners.push(Deno.listen(tcp));
  if (!spec.hasNoSocket) {
    const family = spec.familyFlag === undefined ? undefined : flags.get(spec.familyFlag);
    const file = family === undefined ? `${spec.name}.sock` : `${spec.name}-${family}.sock`;
    const folder = `${Deno.env.get("XDG_RUNTIME_DIR")}/biomeos`;
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    const given = spec.socketFlag === undefined ? undefined : flags.get(spec.socketFlag);
    listeners.push(Deno.listen({ transport: "unix", path: given ?? `${folder}/${file}` }));
  }
  console.log(`${spec.name} listens`);
  await Promise.all(listeners.map((listener) => serve(listener, spec)));
}

function readFlags(spec: MemberSpec, args: string[]): ReadonlyMap<string, string> {
  const known = [spec.portFlag, spec.addressFlag, spec.socketFlag, spec.familyFlag];
  const mode = args.shift();
  if (mode !== (spec.mode ?? "server")) refuse(`unknown mode ${mode}`);
  const flags = new Map<string, string>();
  for (let at = 0; at < args.length; at += 2) {
    const [flag = "", value] = args.slice(at, at + 2);
    if (!known.includes(flag) || value === undefined) refuse(`unknown flag ${flag}`);
    else flags.set(flag, value);
  }
  return flags;
}

function refuse(text: string): void {
  console.error(text);
  Deno.exit(64);
}

function tcpOf(spec: MemberSpec, flags: ReadonlyMap<string, string>) {
  const port = spec.portFlag !== undefined
    ? flags.get(spec.portFlag)
    : spec.portVariable === undefined
    ? undefined
    : Deno.env.get(spec.portVariable);
  if (port !== undefined) return { hostname: "127.0.0.1", port: Number(port) };
  const address = spec.addressFlag === undefined ? undefined : flags.get(spec.addressFlag);
  const match = /^(.*):(\d+)$/.exec(address ?? "");
  return match === null ? undefined : { hostname: match[1] ?? "", port: Number(match[2]) };
}

async function serve(listener: Deno.Listener, spec: MemberSpec): Promise<void> {
  for await (const conn of listener) void answer(conn, spec).catch(() => {});
}

async function answer(conn: Deno.Conn, spec: MemberSpec): Promise<void> {
  const { name, methods = [], consumes = [] } = spec;
  const state = { status: "healthy", version: "1.0.0", primal: name };
  const results: Readonly<Record<string, unknown>> = {
    "health.liveness": { status: "healthy" },
    "health.readiness": state,
    "health.check": state,
    "identity.get": { ...state, domain: "test", license: "MIT" },
    "capabilities.list": {
      primal: name,
      version: "1.0.0",
      methods: ["health.liveness", "health.readiness", "health.check", "identity.get", ...methods],
      consumed_capabilities: consumes,
    },
  };
  const decoder = new TextDecoder();
  let text = "";
  const buffer = new Uint8Array(65_536);
  for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) {
      if (spec.isSilent) continue;
      const { id, method, params } = JSON.parse(line);
      const result = methods.includes(method) && typeof params === "object"
        ? { ok: true }
        : results[method];
      const code = methods.includes(method) ? -32602 : -32601;
      const reply = result === undefined ? { error: { code, message: "no" } } : { result };
      await conn.write(
        new TextEncoder().encode(`${JSON.stringify({ jsonrpc: "2.0", id, ...reply })}\n`),
      );
    }
  }
  conn.close();
}

function note({ name, journal }: MemberSpec, what: string): void {
  if (journal === undefined) return;
  Deno.writeTextFileSync(journal, `${what} ${name}\n`, { append: true });
}
