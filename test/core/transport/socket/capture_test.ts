import assert from "node:assert/strict";
import { CaptureFile, captureSocket } from "../../../../src/core/transport/socket/capture.ts";
import { ManualClock } from "../../../sim/manual_clock.ts";
import { MemoryNetwork } from "../../../sim/memory_network.ts";

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "net-capture-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("captureSocket() records both directions as packets with valid headers", () =>
  inFolder(async (folder) => {
    const path = `${folder}/a.pcap`;
    const clock = new ManualClock();
    const network = new MemoryNetwork(clock, 1);
    const file = CaptureFile.open(path, { wallMs: () => 1_700_000_000_250 });
    const socket = captureSocket(network.open("10.0.0.1", 4000), file);
    const other = network.open("10.0.0.2", 5000);
    socket.start(new Uint8Array(100), () => {});
    other.start(new Uint8Array(100), () => {});
    socket.send(Uint8Array.of(1, 2, 3), other.localAddress, () => {});
    other.send(Uint8Array.of(4, 5), socket.localAddress, () => {});
    await clock.advance(10);
    socket.close();
    socket.close();
    assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
    const bytes = await Deno.readFile(path);
    const view = new DataView(bytes.buffer);
    assert.equal(view.getUint32(0, true), 0xa1b2c3d4);
    assert.equal(view.getUint32(20, true), 101);
    const packets = readPackets(bytes, view);
    assert.deepEqual(packets, [
      { from: "10.0.0.1:4000", to: "10.0.0.2:5000", payload: [1, 2, 3], checksum: 0 },
      { from: "10.0.0.2:5000", to: "10.0.0.1:4000", payload: [4, 5], checksum: 0 },
    ]);
    assert.deepEqual(file.counters, { datagrams: 2, dropped: 0 });
  }));

Deno.test("CaptureFile.record() writes IPv6 and stops at its limit", () =>
  inFolder(async (folder) => {
    const file = CaptureFile.open(`${folder}/b.pcap`, { bytesMax: 200 });
    const [a, b] = [{ host: "::1", port: 1 }, { host: "192.0.2.1", port: 2 }];
    for (let i = 0; i < 3; i++) file.record(new Uint8Array(50), a, b);
    file.close();
    assert.deepEqual(file.counters, { datagrams: 1, dropped: 2 });
    const bytes = await Deno.readFile(`${folder}/b.pcap`);
    assert.equal(bytes.length, 24 + 16 + 40 + 8 + 50);
    assert.equal(bytes[40], 0x60);
    assert.equal(bytes[40 + 6], 17);
  }));

Deno.test("CaptureFile.open() refuses a file that cannot be written", () => {
  assert.throws(() => CaptureFile.open("/proc/none/x.pcap"), { code: "config_invalid" });
});

function readPackets(bytes: Uint8Array, view: DataView) {
  const packets = [];
  for (let at = 24; at < bytes.length;) {
    assert.equal(view.getUint32(at, true), 1_700_000_000);
    assert.equal(view.getUint32(at + 4, true), 250_000);
    const length = view.getUint32(at + 8, true);
    const ip = at + 16;
    let sum = 0;
    for (let i = 0; i < 20; i += 2) sum += view.getUint16(ip + i);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    const host = (start: number) => [...bytes.subarray(start, start + 4)].join(".");
    packets.push({
      from: `${host(ip + 12)}:${view.getUint16(ip + 20)}`,
      to: `${host(ip + 16)}:${view.getUint16(ip + 22)}`,
      payload: [...bytes.subarray(ip + 28, ip + length)],
      checksum: ~sum & 0xffff,
    });
    assert.equal(view.getUint16(ip + 2), length);
    at = ip + length;
  }
  return packets;
}
