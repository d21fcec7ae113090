/** One suite over every datagram socket. Order is not promised, and neither is arrival under load. */

import assert from "node:assert/strict";
import type { DatagramSocket, SocketAddress } from "../../../src/core/transport/mod.ts";
import { Collector, socketFixtures, stamp, STAMP_BYTES } from "./socket_fixtures.ts";
import type { SocketFixture } from "./socket_fixtures.ts";

const HOST = "127.0.0.1";
/** The largest packet of the wire, with its routing header. */
const BYTES_MAX = 8_192 + 18;
/** Datagrams on their way at once where none may be lost. */
const WINDOW = 100;

const hasIpv6 = ((): boolean => {
  try {
    Deno.listenDatagram({ transport: "udp", hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
})();

for (const create of socketFixtures()) {
  const { name, isReal } = create();
  const test = (what: string, run: (fixture: SocketFixture) => Promise<void>, ignore = false) =>
    Deno.test({
      name: `${name}: ${what}`,
      ignore,
      fn: async () => {
        const fixture = create();
        await run(fixture);
        await fixture.settle();
      },
    });

  test("send() delivers every size from 1 byte to the largest packet", async (fixture) => {
    using pair = openPair(fixture);
    const bytes = new Uint8Array(BYTES_MAX);
    const wanted = new Set<number>();
    for (let size = 1; size <= BYTES_MAX; size++) {
      wanted.add(size);
      const datagram = bytes.slice(0, size);
      if (size >= STAMP_BYTES) stamp(datagram, size);
      pair.a.send(datagram, pair.b.localAddress, () => {});
      if (size % WINDOW !== 0 && size !== BYTES_MAX) continue;
      assert.ok(await pair.got.waitFor(size, fixture), `lost one of ${size}`);
    }
    assert.deepEqual(new Set(pair.got.lengths), wanted);
    assert.equal(pair.got.damaged, STAMP_BYTES - 1);
    assert.equal(pair.got.numbers.size, BYTES_MAX - STAMP_BYTES + 1);
  });

  test("send() keeps runs of equal sizes, shorter ends and empty datagrams apart", async (fixture) => {
    using pair = openPair(fixture);
    let number = 0;
    let empty = 0;
    for (let round = 0; round < 60; round++) {
      const size = 20 + (round * 331) % 2_000;
      const run = 1 + (round * 7) % 90;
      for (let i = 0; i < run; i++) send(pair.a, pair.b, number++, i === run - 1 ? size - 5 : size);
      if (round % 10 === 0) {
        pair.a.send(new Uint8Array(0), pair.b.localAddress, () => {});
        empty += 1;
      }
      assert.ok(await pair.got.waitFor(number + empty, fixture), `lost one of ${number}`);
    }
    checkAll(pair.got, number);
    assert.equal(pair.got.damaged, empty);
  });

  test("send() reads the bytes before it gives them back", async (fixture) => {
    using pair = openPair(fixture);
    const memory = new Uint8Array(16 * 3_000);
    const free: Uint8Array[] = Array.from(
      { length: 16 },
      (_, i) => memory.subarray(i * 3_000, (i + 1) * 3_000),
    );
    let returned = 0;
    for (let number = 0; number < 4_000; number++) {
      while (free.length === 0) await fixture.turn();
      const slot = free.pop() as Uint8Array;
      const datagram = slot.subarray(0, 100 + (number >> 5) * 20);
      stamp(datagram, number);
      pair.a.send(datagram, pair.b.localAddress, () => {
        slot.fill(0xaa);
        returned += 1;
        free.push(slot);
      });
      if (number % WINDOW === 0) await pair.got.waitFor(number, fixture);
    }
    assert.ok(await pair.got.waitFor(4_000, fixture));
    checkAll(pair.got, 4_000);
    assert.equal(pair.got.damaged, 0);
    assert.equal(returned, 4_000);
  });

  test("start() gives one source as one object, and others as others", async (fixture) => {
    using pair = openPair(fixture);
    using other = disposable(fixture.open(HOST));
    for (let i = 0; i < 50; i++) send(pair.a, pair.b, i, 200);
    assert.ok(await pair.got.waitFor(50, fixture));
    for (let i = 50; i < 100; i++) send(other.socket, pair.b, i, 200);
    assert.ok(await pair.got.waitFor(100, fixture));
    const sources = new Set(pair.got.sources);
    assert.equal(sources.size, 2);
    assert.deepEqual([...sources], [pair.a.localAddress, other.socket.localAddress]);
  });

  test("send() answers a source by the address it came with", async (fixture) => {
    const a = fixture.open(HOST);
    const b = fixture.open(HOST);
    const back = new Collector(a);
    const got = new Collector(b, (from, bytes) => b.send(bytes.slice(), from, () => {}));
    for (let i = 0; i < 80; i++) {
      send(a, b, i, 64 + i);
      if (i % 3 === 0) await back.waitFor(i, fixture);
    }
    assert.ok(await back.waitFor(80, fixture));
    checkAll(got, 80);
    checkAll(back, 80);
    a.close();
    b.close();
  });

  test("close() ends receiving from within a handler, and sending after it is harmless", async (fixture) => {
    const a = fixture.open(HOST);
    const b = fixture.open(HOST);
    const got = new Collector(b, () => {
      if (got.count === 3) b.close();
    });
    for (let i = 0; i < 40; i++) send(a, b, i, 100);
    await got.waitFor(3, fixture);
    for (let i = 0; i < 10; i++) await fixture.turn();
    assert.equal(got.count, 3);
    b.close();
    let returned = 0;
    b.send(new Uint8Array(10), a.localAddress, () => returned += 1);
    await fixture.turn();
    assert.equal(returned, 1);
    a.close();
  });

  test("close() gives back what was still to be sent", async (fixture) => {
    const a = fixture.open(HOST);
    const b = fixture.open(HOST);
    let returned = 0;
    for (let i = 0; i < 40; i++) a.send(new Uint8Array(100), b.localAddress, () => returned += 1);
    a.close();
    for (let i = 0; i < 10; i++) await fixture.turn();
    assert.equal(returned, 40);
    b.close();
  });

  test("start() survives bursts with pauses in between", async (fixture) => {
    using pair = openPair(fixture);
    let number = 0;
    for (let round = 0; round < 30; round++) {
      for (let i = 0; i < 60; i++) send(pair.a, pair.b, number++, 500);
      assert.ok(await pair.got.waitFor(number, fixture));
      for (let i = 0; i < round % 4; i++) await fixture.turn();
    }
    checkAll(pair.got, number);
    assert.equal(pair.got.damaged, 0);
  });

  if (!isReal) continue;

  test("open() says where it is bound and refuses a port in use", async (fixture) => {
    using first = disposable(fixture.open(HOST));
    const { port } = first.socket.localAddress;
    assert.deepEqual(first.socket.localAddress, { host: HOST, port });
    assert.ok(port > 0);
    assert.throws(() => fixture.open(HOST, port), { code: "address_in_use" });
    assert.throws(() => fixture.open("192.0.2.1"), { code: "network" });
    await fixture.turn();
  });

  test("send() drops and counts what cannot be sent", async (fixture) => {
    using pair = openPair(fixture);
    let returned = 0;
    const refused: [Uint8Array, SocketAddress][] = [
      [new Uint8Array(70_000), pair.b.localAddress],
      [new Uint8Array(10), { host: "2001:db8::1", port: 9 }],
    ];
    for (const [bytes, to] of refused) pair.a.send(bytes, to, () => returned += 1);
    send(pair.a, pair.b, 0, 100);
    assert.ok(await pair.got.waitFor(1, fixture));
    for (let i = 0; i < 10; i++) await fixture.turn();
    assert.equal(returned, 2);
    assert.equal(pair.a.counters.sendErrors, 2);
    assert.equal(pair.got.count, 1);
  });

  test("send() gives every datagram back, however many at once", async (fixture) => {
    using pair = openPair(fixture);
    let returned = 0;
    const memory = new Uint8Array(200 * 5_000);
    for (let i = 0; i < 5_000; i++) {
      const datagram = memory.subarray(i * 200, (i + 1) * 200);
      stamp(datagram, i);
      pair.a.send(datagram, pair.b.localAddress, () => returned += 1);
    }
    await pair.got.waitFor(5_000, fixture);
    assert.equal(returned, 5_000);
    assert.equal(pair.got.damaged, 0);
    assert.ok([...pair.got.numbers.values()].every((times) => times === 1));
  });

  test("IPv6 works like IPv4", async (fixture) => {
    using pair = openPair(fixture, "::1");
    for (let i = 0; i < 90; i++) send(pair.a, pair.b, i, 1_000);
    assert.ok(await pair.got.waitFor(90, fixture));
    checkAll(pair.got, 90);
    assert.deepEqual(new Set(pair.got.sources), new Set([pair.a.localAddress]));
  }, !hasIpv6);

  test("a socket bound to :: serves both families in their plain form", async (fixture) => {
    const both = fixture.open("::");
    const { port } = both.localAddress;
    const got = new Collector(both, (from, bytes) => both.send(bytes.slice(), from, () => {}));
    let number = 0;
    for (const host of [HOST, "::1"]) {
      const one = fixture.open(host);
      const back = new Collector(one);
      for (let i = 0; i < 50; i++) {
        const datagram = new Uint8Array(300);
        stamp(datagram, number++);
        one.send(datagram, { host, port }, () => {});
      }
      assert.ok(await back.waitFor(50, fixture));
      assert.deepEqual(got.sources.at(-1), one.localAddress);
      assert.deepEqual(back.sources.at(-1), { host, port });
      one.close();
    }
    checkAll(got, 100);
    both.close();
  }, !hasIpv6);

  test("start() takes a burst from another process whole or not at all", async (fixture) => {
    const report = await receiveFromProcess(fixture, ["burst", "10000", "64"]);
    const lost = 10_000 - report.got.count;
    console.log(`${name}: ${lost} of 10000 datagrams of a burst lost`);
    assert.equal(report.got.damaged, 0);
    assert.ok([...report.got.numbers.values()].every((times) => times === 1));
    assert.ok(report.got.count > 1_000);
  });

  test("start() never takes joined datagrams for one, whenever they come", async (fixture) => {
    const report = await receiveFromProcess(fixture, ["pulses", "250", "700"]);
    assert.equal(report.got.damaged, 0);
    assert.deepEqual(new Set(report.got.lengths), new Set([700]));
    assert.ok([...report.got.numbers.values()].every((times) => times === 1));
  });
}

/** Receives what `socket_sender_process.ts` sends, until it has ended and nothing comes any more. */
async function receiveFromProcess(
  fixture: SocketFixture,
  args: readonly string[],
): Promise<{ readonly got: Collector }> {
  using socket = disposable(fixture.open(HOST));
  const got = new Collector(socket.socket);
  const program = new URL("./socket_sender_process.ts", import.meta.url).pathname;
  const kind = fixture.name.startsWith("portable") ? "portable" : "auto";
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--unstable-net", "--no-check", "-q", program, kind].concat(
      String(socket.socket.localAddress.port),
      ...args,
    ),
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  assert.equal(code, 0);
  await got.waitFor(Infinity, fixture);
  return { got };
}

function send(from: DatagramSocket, to: DatagramSocket, number: number, size: number): void {
  const datagram = new Uint8Array(size);
  stamp(datagram, number);
  from.send(datagram, to.localAddress, () => {});
}

function checkAll(got: Collector, count: number): void {
  assert.equal(got.numbers.size, count);
  for (let i = 0; i < count; i++) assert.equal(got.numbers.get(i), 1, `datagram ${i}`);
}

function openPair(fixture: SocketFixture, host = HOST) {
  const a = fixture.open(host);
  const b = fixture.open(host);
  const got = new Collector(b);
  const close = () => {
    a.close();
    b.close();
  };
  return { a, b, got, [Symbol.dispose]: close };
}

function disposable(socket: DatagramSocket) {
  return { socket, [Symbol.dispose]: () => socket.close() };
}
