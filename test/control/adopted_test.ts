import { deepStrictEqual, equal, ok } from "node:assert/strict";
import { openDescriptorCredentials } from "../../src/control/peer_credentials.ts";
import { adoptSockets, type StreamSocket } from "../../src/kernel/mod.ts";
import { bindForOther } from "../kernel/manager/_passed_socket.ts";
import { RawClient, startHarness } from "./harness.ts";

Deno.test("createControlServer() serves sockets that a service manager keeps", async () => {
  const folder = await Deno.makeTempDir({ prefix: "net-adopted-" });
  const path = `${folder}/net.sock`;
  using unix = bindForOther({ path });
  using tcp = bindForOther({ port: 0 });
  const adopted = await adoptSockets([
    { descriptor: unix.descriptor, name: "control" },
    { descriptor: tcp.descriptor, name: "port" },
  ]);
  const harness = await startHarness({ adopted });
  const { server } = harness;
  equal(server.socketPath, path);
  deepStrictEqual(server.tcpAddress, adopted.port?.address);
  deepStrictEqual(server.transports, ["uds", "tcp"]);
  equal(await Deno.readTextFile(`${folder}/net.pid`), `${Deno.pid}\n`);
  equal(await Deno.readLink(`${folder}/storage.sock`), "net.sock");

  const request = `{"jsonrpc":"2.0","method":"test.echo","params":{"text":"hi"},"id":1}\n`;
  {
    // Several connections in one turn: each is asked who it is.
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => RawClient.connect({ transport: "unix", path })),
    );
    await Promise.all(clients.map((client) => client.send(request)));
    for (const client of clients) {
      equal(await client.line(), `{"jsonrpc":"2.0","result":{"text":"hi"},"id":1}`);
      client[Symbol.dispose]();
    }
    equal(server.counters.connections_unidentified_total, 0);
    const { port } = tcp.listener.addr as Deno.NetAddr;
    using stranger = await RawClient.connect({ port });
    await stranger.send(request);
    equal(JSON.parse(await stranger.line() ?? "").error.code, -32003);
  }
  await harness[Symbol.asyncDispose]();
  ok((await Deno.lstat(path)).isSocket);
  deepStrictEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["net.sock"]);
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
  await Deno.remove(folder, { recursive: true });
});

Deno.test("openDescriptorCredentials() takes a connection without a descriptor for nobody's", () => {
  const credentials = openDescriptorCredentials();
  const conn = { close: () => {} } as StreamSocket;
  equal(credentials.identify(conn)?.uid, -1);
  equal(credentials.identify(conn)?.isGone(), false);
  equal(credentials.identify({ ...conn, descriptor: 0 } as StreamSocket)?.uid, -1);
  credentials.close();
});
