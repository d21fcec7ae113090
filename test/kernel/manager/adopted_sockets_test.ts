import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { type AdoptedUnix, adoptSockets, assignRoles } from "../../../src/kernel/mod.ts";
import { bindForOther } from "./_passed_socket.ts";

const LISTENING = { kind: "stream", isListening: true, path: undefined } as const;
const TCP = { ...LISTENING, domain: "internet" } as const;
const UNIX = { ...LISTENING, domain: "unix", path: "/run/net.sock" } as const;

/** Roles of sockets with these names and kinds. */
function rolesOf(sockets: readonly (readonly [string, Parameters<typeof factsOf>[0]])[]) {
  const passed = sockets.map(([name], i) => ({ descriptor: 3 + i, name }));
  const roles = assignRoles(passed, () => sockets.map(([, facts]) => factsOf(facts)));
  return Object.fromEntries([...roles].map(([role, { descriptor }]) => [role, descriptor]));
}

function factsOf(facts: Partial<typeof TCP | typeof UNIX> & { kind: string }) {
  return facts as ReturnType<Parameters<typeof assignRoles>[1]>[number];
}

Deno.test("assignRoles() goes by names", () => {
  assert.deepEqual(rolesOf([["http", TCP], ["port", TCP], ["control", UNIX]]), {
    http: 3,
    port: 4,
    control: 5,
  });
});

Deno.test("assignRoles() tells sockets without names apart by what they are", () => {
  assert.deepEqual(rolesOf([["net.socket", UNIX], ["net.socket", TCP]]), { control: 3, port: 4 });
  assert.deepEqual(rolesOf([["", TCP]]), { port: 3 });
  assert.deepEqual(rolesOf([]), {});
});

Deno.test("assignRoles() refuses what would be waited on for ever", () => {
  const cases: readonly [RegExp, Parameters<typeof rolesOf>[0]][] = [
    [/no open socket/, [["control", { ...UNIX, kind: "none" as never }]]],
    [/for datagrams: the mesh binds its own/, [["mesh", { ...TCP, kind: "datagram" as never }]]],
    [/neither unix nor TCP/, [["port", { ...TCP, kind: "other" as never }]]],
    [/must say Accept=no/, [["port", { ...TCP, isListening: false as never }]]],
    [/it is not a unix socket/, [["control", TCP]]],
    [/it is not TCP/, [["http", UNIX]]],
    [/without a path/, [["control", { ...UNIX, path: "@net" as never }]]],
    [/a second one for "port"/, [["", TCP], ["", TCP]]],
    [/a second one for "control"/, [["control", UNIX], ["", UNIX]]],
    [/without a name that says/, [["a", TCP], ["http", TCP], ["port", TCP]]],
  ];
  for (const [message, sockets] of cases) {
    assert.throws(() => rolesOf(sockets), (error) => {
      assert.ok(error instanceof NetError);
      assert.equal(error.code, "config_invalid");
      assert.match(error.message, message);
      return true;
    });
  }
});

/** A control socket that was passed on, and a way to it. */
async function passUnix(test: (control: AdoptedUnix, path: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/net.sock`;
  using bound = bindForOther({ path });
  const { control } = await adoptSockets([{ descriptor: bound.descriptor, name: "control" }]);
  assert.ok(control);
  assert.equal(control.path, path);
  try {
    await test(control, path);
  } finally {
    control.close();
    assert.ok((await Deno.lstat(path)).isSocket, "the socket is not ours to remove");
    await nextTurn();
  }
  bound.listener.unref();
  await Deno.remove(path);
  await Deno.remove(folder);
}

/** The Node layer closes handles a turn later. */
async function nextTurn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

Deno.test("adoptSockets() serves who connected before, and reads in pieces", async () => {
  await passUnix(async (control, path) => {
    using client = await Deno.connect({ transport: "unix", path });
    await client.write(new TextEncoder().encode("hello"));
    const served = await control.accept();
    assert.equal(typeof served.descriptor, "number");
    const piece = new Uint8Array(3);
    assert.equal(await served.read(piece), 3);
    assert.equal(await served.read(piece.subarray(0, 1)), 1);
    assert.equal(await served.read(piece), 1);
    const reading = served.read(piece);
    await client.closeWrite();
    assert.equal(await reading, null);
    // Half closed: the other direction still works.
    assert.equal(await served.write(new TextEncoder().encode("bye")), 3);
    await served.closeWrite();
    const answer = new Uint8Array(8);
    assert.equal(await client.read(answer), 3);
    assert.equal(await client.read(answer), null);
    served.close();
  });
});

Deno.test("adoptSockets() moves more than any buffer holds, unchanged", async () => {
  await passUnix(async (control, path) => {
    using client = await Deno.connect({ transport: "unix", path });
    const served = await control.accept();
    const bytes = crypto.getRandomValues(new Uint8Array(65_536));
    const rounds = 32;
    const send = async (socket: Pick<Deno.Conn, "write">) => {
      for (let round = 0; round < rounds; round++) {
        for (let offset = 0; offset < bytes.length;) {
          offset += await socket.write(bytes.subarray(offset));
        }
      }
    };
    const receive = async (socket: Pick<Deno.Conn, "read">) => {
      const buffer = new Uint8Array(100_000);
      let total = 0;
      while (total < rounds * bytes.length) {
        const count = await socket.read(buffer) ?? assert.fail("ended early");
        for (let i = 0; i < count; i += 997) {
          assert.equal(buffer[i], bytes[(total + i) % bytes.length]);
        }
        total += count;
      }
    };
    await Promise.all([send(client), receive(served)]);
    await Promise.all([send(served), receive(client)]);
    served.close();
  });
});

Deno.test("adoptSockets() gives sockets whose closing ends what waits for them", async () => {
  await passUnix(async (control, path) => {
    const accepting = control.accept();
    using _client = await Deno.connect({ transport: "unix", path });
    const served = await accepting;
    const reading = served.read(new Uint8Array(1));
    served.close();
    await assert.rejects(reading, Deno.errors.BadResource);
    await assert.rejects(served.read(new Uint8Array(1)), Deno.errors.BadResource);
    await assert.rejects(served.write(new Uint8Array(1)), Deno.errors.BadResource);
    await assert.rejects(served.closeWrite(), Deno.errors.BadResource);
    const next = control.accept();
    control.close();
    await assert.rejects(next, Deno.errors.BadResource);
    await assert.rejects(control.accept(), Deno.errors.BadResource);
  });
});

Deno.test("adoptSockets() tells a broken connection as the runtime does", async () => {
  await passUnix(async (control, path) => {
    const client = await Deno.connect({ transport: "unix", path });
    const served = await control.accept();
    client.close();
    const write = async () => {
      for (;;) await served.write(new Uint8Array(65_536));
    };
    await assert.rejects(
      write,
      (error) =>
        error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset,
    );
    served.close();
  });
});

Deno.test("adoptSockets() tells the address of TCP sockets", async () => {
  using bound = bindForOther({ port: 0 });
  const { http } = await adoptSockets([{ descriptor: bound.descriptor, name: "http" }]);
  assert.ok(http);
  const { port } = bound.listener.addr as Deno.NetAddr;
  assert.deepEqual(http.address, { host: "127.0.0.1", port });
  using client = await Deno.connect({ port });
  const served = await http.accept();
  served.setNoDelay?.(true);
  assert.equal(served.remoteAddr.transport, "tcp");
  await served.write(Uint8Array.of(7));
  const byte = new Uint8Array(1);
  await client.read(byte);
  assert.equal(byte[0], 7);
  served.close();
  http.close();
  await nextTurn();
});
