import assert from "node:assert/strict";
import {
  createBatchedSocket,
  openBestUdpSocket,
  portableReason,
} from "../../../../src/core/transport/socket/batched_socket.ts";
import { Errno, type Libc, openLibc } from "../../../../src/core/transport/socket/_linux_libc.ts";
import { bindUdp } from "../../../../src/core/transport/socket/udp_socket.ts";
import { createLog } from "../../../../src/observe/mod.ts";
import { Collector, socketFixtures, stamp } from "../socket_fixtures.ts";

const LOCAL = { host: "127.0.0.1", port: 0 };
const canBatch = portableReason() === undefined;

Deno.test("openBestUdpSocket() says at debug level what it chose and why", async () => {
  const lines: string[] = [];
  const log = createLog({ level: "debug", format: "text", write: (line) => lines.push(line) });
  const portable = openBestUdpSocket(LOCAL, { kind: "portable", log });
  const best = openBestUdpSocket(LOCAL, { log });
  portable.close();
  best.close();
  await best.closed;
  assert.match(lines[0] ?? "", /udp_socket_opened kind=portable reason="asked for"/);
  assert.match(lines[1] ?? "", canBatch ? /kind=batched/ : /kind=portable reason=/);
});

Deno.test({
  name: "createBatchedSocket() leaves the bound socket alone when it cannot be found",
  ignore: !canBatch,
  fn: () => {
    const connection = bindUdp(LOCAL);
    const libc = { ...openLibc(), localAddress: () => undefined };
    assert.throws(() => createBatchedSocket(connection, libc), /descriptor/);
    libc.close();
    connection.close();
  },
});

Deno.test({
  name: "BatchedSocket.send() keeps what the kernel has no room for until the runtime finds room",
  ignore: !canBatch,
  fn: async () => {
    const real = openLibc();
    let refusals = 3;
    let errno = 0;
    const libc: Libc = {
      ...real,
      send: (descriptor, messages, count) => {
        if (refusals-- > 0) {
          errno = Errno.Again;
          return -1;
        }
        errno = 0;
        return real.send(descriptor, messages, count);
      },
      errno: () => errno === 0 ? real.errno() : errno,
    };
    const socket = createBatchedSocket(bindUdp(LOCAL), libc);
    const fixture = socketFixtures()[1]?.();
    assert.ok(fixture !== undefined);
    const target = fixture.open("127.0.0.1");
    const got = new Collector(target);
    let returned = 0;
    for (let i = 0; i < 90; i++) {
      const datagram = new Uint8Array(100);
      stamp(datagram, i);
      socket.send(datagram, target.localAddress, () => returned += 1);
    }
    assert.ok(await got.waitFor(90, fixture));
    assert.equal(returned, 90);
    assert.equal(got.numbers.size, 90);
    assert.equal((socket.counters as { sendBlocks?: number }).sendBlocks, 3);
    assert.equal(socket.counters.sendErrors, 0);
    socket.close();
    await socket.closed;
    target.close();
    await fixture.turn();
  },
});
