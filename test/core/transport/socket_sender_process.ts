/**
 * Sends numbered datagrams to a port of this machine: `KIND PORT burst COUNT BYTES` as fast as they are
 * given back, `KIND PORT pulses COUNT BYTES` in bursts of changing length with pauses around the time a
 * receiver falls asleep.
 */

import { openBestUdpSocket } from "../../../src/core/transport/socket/batched_socket.ts";
import { stamp } from "./socket_fixtures.ts";

const SLOTS = 512;
const PULSE_MAX = 150;
const PAUSE_MAX_MS = 0.15;
/** Now and then a pause as long as a receiver waits before it changes how it sleeps. */
const QUIET_EVERY = 40;
const QUIET_MS = 45;

if (import.meta.main) await main();

async function main(): Promise<void> {
  const [kind, port, pattern, count, size] = Deno.args;
  const socket = openBestUdpSocket({ host: "127.0.0.1", port: 0 }, {
    kind: kind === "portable" ? "portable" : "auto",
  });
  const to = { host: "127.0.0.1", port: Number(port) };
  const free: Uint8Array[] = Array.from({ length: SLOTS }, () => new Uint8Array(Number(size)));
  let number = 0;
  const sendMany = async (datagrams: number) => {
    for (let i = 0; i < datagrams; i++) {
      while (free.length === 0) await turn();
      const slot = free.pop() as Uint8Array;
      stamp(slot, number++);
      socket.send(slot, to, () => free.push(slot));
    }
  };
  if (pattern === "burst") await sendMany(Number(count));
  else {
    for (let i = 0; i < Number(count); i++) {
      await sendMany(1 + (i * 37) % PULSE_MAX);
      const until = performance.now() + PAUSE_MAX_MS * ((i * 13) % 20) / 20;
      await turn();
      while (performance.now() < until) continue;
      if (i % QUIET_EVERY === 0) await pause(QUIET_MS + i % 20);
    }
  }
  while (free.length < SLOTS) await turn();
  socket.close();
}

function turn(): Promise<void> {
  return pause(0);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
