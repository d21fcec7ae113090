/** What is particular to the portable socket; the rest is in the suite over all sockets. */

import assert from "node:assert/strict";
import { NetError } from "../../../../src/base/mod.ts";
import {
  bindUdp,
  createUdpSocket,
  openUdpSocket,
} from "../../../../src/core/transport/socket/udp_socket.ts";

Deno.test("openUdpSocket() says that a port is in use, and what to do", () => {
  const socket = openUdpSocket({ host: "127.0.0.1", port: 0 });
  const { port } = socket.localAddress;
  assert.ok(port > 0);
  assert.throws(
    () => openUdpSocket({ host: "127.0.0.1", port }),
    (error) =>
      error instanceof NetError && error.code === "address_in_use" && error.next !== undefined &&
      error.message === `Cannot bind UDP on 127.0.0.1:${port}: the port is in use`,
  );
  socket.close();
  openUdpSocket({ host: "127.0.0.1", port }).close();
});

Deno.test("openUdpSocket() refuses an address of another machine", () => {
  assert.throws(
    () => openUdpSocket({ host: "203.0.113.99", port: 0 }),
    (error) => error instanceof NetError && error.code === "network" && error.next !== undefined,
  );
});

Deno.test("a socket bound to :: gives and takes IPv4 in its plain form", async () => {
  const [both, plain] = [
    openUdpSocket({ host: "::", port: 0 }),
    openUdpSocket({ host: "127.0.0.1", port: 0 }),
  ];
  assert.equal(both.localAddress.host, "::");
  const answered = Promise.withResolvers<string>();
  const buffer = new Uint8Array(100);
  both.start(buffer, (length, from) => {
    assert.deepEqual(from, plain.localAddress);
    both.send(buffer.slice(0, length), from, () => {});
  });
  plain.start(new Uint8Array(100), (_, from) => answered.resolve(`${from.host}|${from.port}`));
  const target = { host: "127.0.0.1", port: both.localAddress.port };
  plain.send(Uint8Array.of(1, 2, 3), target, () => {});
  assert.equal(await answered.promise, `127.0.0.1|${both.localAddress.port}`);
  both.close();
  plain.close();
});

Deno.test("close() is idempotent, and sending after it gives the bytes back", async () => {
  const socket = openUdpSocket({ host: "127.0.0.1", port: 0 });
  socket.start(new Uint8Array(10), () => assert.fail());
  socket.close();
  socket.close();
  await new Promise<void>((resolve) => {
    socket.send(Uint8Array.of(1), { host: "127.0.0.1", port: 9 }, resolve);
  });
  assert.deepEqual(socket.counters, { sendErrors: 0, receiveErrors: 0 });
});

Deno.test("start() says that the socket is broken when it is gone, and nothing after close()", async () => {
  const connection = bindUdp({ host: "127.0.0.1", port: 0 });
  const socket = createUdpSocket(connection);
  const broken = Promise.withResolvers<unknown>();
  socket.start(new Uint8Array(100), () => {}, broken.resolve);
  connection.close();
  assert.ok(await broken.promise instanceof Error);
  assert.ok(socket.counters.receiveErrors > 0);

  const other = openUdpSocket({ host: "127.0.0.1", port: 0 });
  other.start(new Uint8Array(100), () => {}, () => assert.fail("it was closed on purpose"));
  other.close();
  await new Promise((resolve) => setTimeout(resolve, 0));
});
