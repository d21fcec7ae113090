import { deepStrictEqual, equal, notDeepStrictEqual, ok, rejects } from "node:assert/strict";
import { createHmac, diffieHellman, generateKeyPairSync, hkdfSync } from "node:crypto";
import { createPublicKey } from "node:crypto";
import {
  type Clock,
  concatBytes,
  type NetError,
  systemClock,
  systemRandom,
  utf8,
} from "../../../src/base/mod.ts";
import {
  frameLength,
  FrameOpener,
  FrameSealer,
  readCipher,
} from "../../../src/control/btsp/cipher.ts";
import { FrameReader } from "../../../src/control/btsp/frame_reader.ts";
import { ClientHandshake, ServerHandshake } from "../../../src/control/btsp/handshake.ts";
import { answerChallenge, deriveHandshakeKey } from "../../../src/control/btsp/keys.ts";
import { NonceGuard } from "../../../src/control/btsp/nonce_guard.ts";
import { readFamilySeed } from "../../../src/control/btsp/seed.ts";
import { ByteBudget } from "../../../src/control/byte_budget.ts";
import { connectControl } from "../../../src/control/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { RawClient, startHarness } from "../harness.ts";

const SEED = utf8("a family's seed, known to its members");
const GOOD = '{"jsonrpc":"2.0","method":"health.liveness","id":1}';

const withSeed = (isRequired = false) => ({
  btsp: { readSeed: () => Promise.resolve(SEED), isRequired },
});

/** A member written from the standard alone, with the platform's own primitives and number lists. */
class OtherMember implements Disposable {
  readonly #conn: Deno.Conn;
  #bytes = new Uint8Array();
  #counter = 0;
  #keys: { send: Uint8Array; receive: Uint8Array } | undefined;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  async sendFrame(payload: Uint8Array): Promise<void> {
    const bytes = concatBytes(frameLength(payload.length), payload);
    for (let offset = 0; offset < bytes.length;) {
      offset += await this.#conn.write(bytes.subarray(offset));
    }
  }

  async frame(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (this.#bytes.length >= 4) {
        const length = new DataView(this.#bytes.buffer, this.#bytes.byteOffset).getUint32(0);
        if (this.#bytes.length >= 4 + length) {
          const payload = this.#bytes.slice(4, 4 + length);
          this.#bytes = this.#bytes.slice(4 + length);
          return payload;
        }
      }
      const buffer = new Uint8Array(4096);
      const count = await this.#conn.read(buffer);
      if (count === null) return undefined;
      this.#bytes = concatBytes(this.#bytes, buffer.subarray(0, count));
    }
  }

  async shakeHands(seed: Uint8Array, cipher: string): Promise<Record<string, unknown>> {
    const { privateKey, publicKey } = generateKeyPairSync("x25519");
    const own = publicKey.export({ type: "spki", format: "der" }).subarray(-32);
    const json = (value: unknown) => utf8(JSON.stringify(value));
    const parse = (bytes: Uint8Array | undefined) => JSON.parse(new TextDecoder().decode(bytes));
    await this.sendFrame(json({ version: 1, client_ephemeral_pub: [...own] }));
    const hello = parse(await this.frame());
    if (hello.error !== undefined) return hello;
    const [theirs, challenge] = [hello.server_ephemeral_pub, hello.challenge].map((list) =>
      Uint8Array.from(list)
    ) as [Uint8Array, Uint8Array];
    const key = new Uint8Array(hkdfSync("sha256", seed, "btsp-v1", "handshake", 32));
    const response = createHmac("sha256", key).update(challenge).update(own).update(theirs)
      .digest();
    await this.sendFrame(json({ response: [...response], preferred_cipher: cipher }));
    const complete = parse(await this.frame());
    if (complete.error !== undefined) return complete;
    const prefix = Uint8Array.fromHex("302a300506032b656e032100");
    const shared = diffieHellman({
      privateKey,
      publicKey: createPublicKey({
        key: concatBytes(prefix, theirs) as unknown as Buffer,
        format: "der",
        type: "spki",
      }),
    });
    const salt = Uint8Array.from(complete.session_id);
    const derive = (label: string) => new Uint8Array(hkdfSync("sha256", shared, salt, label, 32));
    this.#keys = { send: derive("client-encrypt"), receive: derive("client-decrypt") };
    return complete;
  }

  /** Sends a message signed and reads a signed reply. */
  async askSigned(text: string): Promise<string> {
    const { send, receive } = this.#keys ?? { send: new Uint8Array(), receive: new Uint8Array() };
    const mac = (key: Uint8Array, bytes: Uint8Array) =>
      new Uint8Array(createHmac("sha256", key).update(bytes).digest());
    await this.sendFrame(concatBytes(utf8(text), mac(send, utf8(text))));
    const reply = await this.frame() ?? new Uint8Array(32);
    const message = reply.subarray(0, -32);
    deepStrictEqual(mac(receive, message), reply.slice(-32));
    return new TextDecoder().decode(message);
  }

  /** Seals a message with the session's key. */
  sealed(text: string): Uint8Array {
    const sealer = new FrameSealer("chacha20", this.#keys?.send ?? new Uint8Array(32));
    for (let i = 0; i < this.#counter; i++) sealer.seal(new Uint8Array());
    this.#counter++;
    return sealer.seal(utf8(text)).subarray(4);
  }

  open(payload: Uint8Array | undefined): string {
    const opener = new FrameOpener("chacha20", this.#keys?.receive ?? new Uint8Array(32));
    return new TextDecoder().decode(opener.open(payload ?? new Uint8Array()));
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

Deno.test("V-l: the three methods answer BTSP-wrapped, over the socket and over TCP", async () => {
  await using harness = await startHarness({
    ...withSeed(),
    tcp: { host: "127.0.0.1", port: 0 },
  });
  const { host, port } = harness.server.tcpAddress ?? { host: "", port: 0 };
  for (const place of [{ socketPath: harness.path }, { tcp: { host, port } }]) {
    await using client = await connectControl({ ...place, familySeed: SEED });
    for (const method of ["health.liveness", "health.readiness", "health.check"]) {
      const { status } = await client.call(method) as { status: string };
      equal(status, "healthy");
    }
    const text = "x".repeat(300_000);
    const echo = client.call("test.echo", { text });
    if ("tcp" in place) await rejects(echo, (error: NetError) => error.code === "not_allowed");
    else deepStrictEqual(await echo, { text });
  }
  equal(harness.server.counters.connections_btsp_total, 2);
  using clear = await harness.connect();
  ok((await clear.ask(GOOD))?.includes("healthy"), "clear text goes on beside it");
});

Deno.test("BTSP serves members that write lists of numbers, with every cipher", async () => {
  await using harness = await startHarness(withSeed(true));
  for (const cipher of ["hmac_plain", "null", "chacha20_poly1305"]) {
    using member = new OtherMember(await Deno.connect({ transport: "unix", path: harness.path }));
    const complete = await member.shakeHands(SEED, cipher);
    equal(complete.cipher, cipher);
    equal((complete.session_id as number[]).length, 16);
    if (cipher === "hmac_plain") {
      for (let i = 0; i < 3; i++) ok((await member.askSigned(GOOD)).includes("healthy"));
    } else if (cipher === "null") {
      // A message may be written over several lines; two in one go are two frames.
      await member.sendFrame(utf8(GOOD.replaceAll(",", ",\n")));
      await member.sendFrame(utf8(`${GOOD}\n`));
      for (let i = 0; i < 2; i++) {
        ok(new TextDecoder().decode(await member.frame()).includes("healthy"));
      }
    } else {
      await member.sendFrame(member.sealed(GOOD));
      ok(member.open(await member.frame()).includes("healthy"));
    }
  }
});

Deno.test("BTSP over TCP is never without a cipher, whoever wrote that wish", async () => {
  await using harness = await startHarness({
    ...withSeed(true),
    tcp: { host: "127.0.0.1", port: 0 },
  });
  const { host: hostname, port } = harness.server.tcpAddress ?? { host: "", port: 0 };
  using member = new OtherMember(await Deno.connect({ hostname, port }));
  equal((await member.shakeHands(SEED, "null")).cipher, "chacha20_poly1305");
  await member.sendFrame(member.sealed(GOOD));
  ok(member.open(await member.frame()).includes("healthy"));
  await member.sendFrame(utf8(GOOD));
  equal(await member.frame(), undefined, "what is not sealed ends the session");
});

Deno.test("BTSP turns away who has another seed, and tells no method", async () => {
  await using harness = await startHarness(withSeed());
  using member = new OtherMember(await Deno.connect({ transport: "unix", path: harness.path }));
  deepStrictEqual(await member.shakeHands(utf8("another seed"), "null"), {
    error: "handshake_failed",
    reason: "family_verification",
  });
  equal(await member.frame(), undefined);
  await rejects(
    connectControl({ socketPath: harness.path, familySeed: utf8("another seed") }),
    (error: NetError) =>
      error.code === "handshake_refused" && /family_verification/.test(error.message),
  );
  equal(harness.server.counters.connections_btsp_refused_total, 2);
  equal(harness.server.counters.requests_total, 0);
});

Deno.test("BTSP ends a session over a frame that is changed, repeated, too long or cut off", async () => {
  await using harness = await startHarness({ ...withSeed(), limits: { lineBytesMax: 5000 } });
  const open = async () => {
    const member = new OtherMember(await Deno.connect({ transport: "unix", path: harness.path }));
    await member.shakeHands(SEED, "chacha20");
    return member;
  };
  {
    using member = await open();
    const frame = member.sealed(GOOD);
    await member.sendFrame(frame);
    ok(member.open(await member.frame()).includes("healthy"));
    await member.sendFrame(member.sealed(GOOD));
    ok((await member.frame())?.length);
    await member.sendFrame(frame);
    equal(await member.frame(), undefined, "a frame that was sent before");
  }
  {
    using member = await open();
    const frame = member.sealed(GOOD);
    frame[20] = (frame[20] ?? 0) ^ 1;
    await member.sendFrame(frame);
    equal(await member.frame(), undefined, "a changed frame");
  }
  {
    using member = await open();
    await member.sendFrame(member.sealed("x".repeat(6000)));
    ok(member.open(await member.frame()).includes("-32600"), "a long frame");
    equal(await member.frame(), undefined);
  }
  using last = await harness.connect();
  ok((await last.ask(GOOD))?.includes("healthy"));
  equal(harness.server.counters.connections_failed_total, 0);
});

Deno.test("BTSP required: clear text gets the refusal, and a node without a seed says so", async () => {
  await using required = await startHarness(withSeed(true));
  using clear = await required.connect();
  const { error } = JSON.parse(await clear.ask(GOOD) ?? "");
  deepStrictEqual([error.code, error.message, error.data], [
    -32600,
    "BTSP handshake required",
    {
      btsp_version: 1,
      code: "handshake_refused",
      next: "speak BTSP; verbs do with NET_REQUIRE_BTSP=1 and the family's seed",
    },
  ]);
  equal(await clear.line(), undefined);
  await using without = await startHarness();
  await rejects(
    connectControl({ socketPath: without.path, familySeed: SEED }),
    (error: NetError) => error.code === "handshake_refused" && /does not speak/.test(error.message),
  );
  using raw = await RawClient.connect({ transport: "unix", path: without.path });
  await raw.send(frameLength(30));
  ok((await raw.json()).error.message.startsWith("BTSP is not spoken here"));
});

Deno.test("BTSP gives up a handshake that does not go on", async () => {
  const actions: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    after: (delayMs, action) => {
      if (delayMs === 5000) actions.push(action);
      return () => void actions.splice(actions.indexOf(action), 1);
    },
  };
  await using harness = await startHarness({ ...withSeed(), clock });
  using silent = await Deno.connect({ transport: "unix", path: harness.path });
  await silent.write(new Uint8Array([0]));
  for (let turn = 0; turn < 10_000 && actions.length === 0; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  equal(actions.length, 1);
  actions[0]?.();
  equal(await silent.read(new Uint8Array(10)), null);
});

Deno.test("ServerHandshake refuses what is none, in the words of the standard", () => {
  const key = deriveHandshakeKey(SEED);
  const reasonOf = (text: string) => {
    const step = new ServerHandshake(key, systemRandom, true).take(utf8(text));
    return step.kind === "fail" ? step.reason : step.kind;
  };
  for (
    const text of ["", "[]", "7", "{", '{"version":1}', '{"version":1,"client_ephemeral_pub":[1]}']
  ) {
    ok(["malformed", "unsupported_version"].includes(reasonOf(text)), text);
  }
  equal(reasonOf('{"version":2}'), "unsupported_version");
  // A key of low order agrees on a secret that everybody knows, even with a member.
  const server = new ServerHandshake(key, systemRandom, true);
  const zero = new Uint8Array(32);
  const { message } = server.take(
    utf8(JSON.stringify({ version: 1, client_ephemeral_pub: zero.toBase64() })),
  );
  const { challenge, server_ephemeral_pub } = JSON.parse(message);
  const [asked, theirs] = [challenge, server_ephemeral_pub].map((text: string) =>
    Uint8Array.fromBase64(text)
  ) as [Uint8Array, Uint8Array];
  const response = answerChallenge(key, asked, zero, theirs).toBase64();
  equal(server.take(utf8(JSON.stringify({ response }))).kind, "fail");
  equal(server.session, undefined);
});

Deno.test("both sides of a handshake agree, and no two sessions are alike", () => {
  const key = deriveHandshakeKey(SEED);
  const run = () => {
    const [server, client] = [
      new ServerHandshake(key, systemRandom, true),
      new ClientHandshake(key),
    ];
    const hello = server.take(utf8(client.hello()));
    const answer = client.answer(utf8(hello.message));
    ok(typeof answer !== "string");
    const last = server.take(utf8(answer.message));
    const session = client.finish(utf8(last.message));
    ok(typeof session !== "string");
    deepStrictEqual(session, server.session);
    equal(server.take(utf8(answer.message)).kind, "fail", "an answer counts once");
    return session.keys;
  };
  const [first, second] = [run(), run()];
  notDeepStrictEqual(first, second);
  notDeepStrictEqual(first.clientToServer, first.serverToClient);
  // The server may not choose a weaker cipher than was asked for.
  const [server, client] = [new ServerHandshake(key, systemRandom, true), new ClientHandshake(key)];
  client.answer(utf8(server.take(utf8(client.hello())).message));
  equal(typeof client.finish(utf8(`{"cipher":"null","session_id":"${"0".repeat(32)}"}`)), "string");
});

Deno.test("NonceGuard holds senders to how they began", () => {
  const nonce = (value: bigint, isLittle = false) => {
    const bytes = Uint8Array.fromHex(value.toString(16).padStart(24, "0"));
    return isLittle ? bytes.toReversed() : bytes;
  };
  for (const isLittle of [false, true]) {
    const guard = new NonceGuard();
    for (let i = 5n; i < 300n; i++) ok(guard.accept(nonce(i, isLittle)));
    ok(!guard.accept(nonce(299n, isLittle)) && !guard.accept(nonce(301n, isLittle)));
    ok(guard.accept(nonce(300n, isLittle)));
  }
  const drawn = new NonceGuard();
  ok(drawn.accept(nonce(77n)) && drawn.accept(nonce(12n)) && drawn.accept(nonce(13n)));
  ok(!drawn.accept(nonce(77n)) && !drawn.accept(nonce(12n)));
  const same = new NonceGuard();
  ok(same.accept(nonce(1n)) && !same.accept(nonce(1n)));
  for (let i = 0n; drawn.accept(nonce(1000n + 2n * i)); i++) ok(i < 20_000n);
});

Deno.test("FrameReader believes a length only as far as its bytes arrive", async () => {
  const budget = new ByteBudget(1 << 20);
  const parts = [frameLength(500_000), new Uint8Array(10)];
  const reader = new FrameReader(
    {
      read: (into) => {
        const part = parts.shift();
        if (part === undefined) return Promise.resolve(null);
        into.set(part);
        return Promise.resolve(part.length);
      },
      write: () => Promise.resolve(0),
    },
    new Uint8Array(),
    budget,
  );
  await rejects(reader.read(1 << 20), (error: NetError) => error.code === "integrity");
  equal(budget.bytes, 0);
  const long = new FrameReader(
    { read: () => Promise.resolve(null), write: () => Promise.resolve(0) },
    frameLength(0xffffffff),
  );
  await rejects(long.read(1 << 20), (error: NetError) => error.code === "limit");
});

Deno.test("readCipher() and readFamilySeed() take what members write", async () => {
  deepStrictEqual(["chacha20_poly1305", "hmac", "null", "none", 3].map(readCipher), [
    "chacha20",
    "hmac",
    "null",
    undefined,
    undefined,
  ]);
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/text`, "a seed of a family\n", { mode: 0o600 });
  await Deno.writeFile(`${folder}/raw`, new Uint8Array([0xff, ...new Uint8Array(30), 0x0a]));
  deepStrictEqual(await readFamilySeed(`@${folder}/text`, silentLog), utf8("a seed of a family"));
  equal((await readFamilySeed(`@${folder}/raw`, silentLog)).length, 32);
  deepStrictEqual(await readFamilySeed("short", silentLog), utf8("short"));
  for (const value of [`@${folder}/absent`, "@/dev/zero", " "]) {
    await rejects(readFamilySeed(value, silentLog), (error: NetError) => error.exitCode === 2);
  }
  await Deno.remove(folder, { recursive: true });
});
