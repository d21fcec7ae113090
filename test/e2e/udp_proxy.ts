/** A UDP relay between two nodes that keeps a bounded sample of what passes. */

/** Datagrams kept at most. */
const CAPTURE_MAX = 4000;

/** A running relay. */
export interface UdpProxy {
  /** Address to dial instead of the target's. */
  readonly address: Deno.NetAddr;
  /** Datagrams seen in both directions, a bounded sample in order of arrival. */
  captured(): readonly Uint8Array[];
  stop(): Promise<void>;
}

/**
 * Relays datagrams between one client, whoever sends first, and `target`.
 *
 * @param target Address of the node behind the relay.
 */
export function startUdpProxy(target: Deno.NetAddr): UdpProxy {
  const front = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const back = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const sample: Uint8Array[] = [];
  let client: Deno.Addr | undefined;
  const keep = (datagram: Uint8Array) => {
    if (sample.length < CAPTURE_MAX) sample.push(datagram.slice());
  };
  const running = Promise.all([
    (async () => {
      for await (const [datagram, source] of front) {
        client = source;
        keep(datagram);
        await back.send(datagram, target);
      }
    })(),
    (async () => {
      for await (const [datagram] of back) {
        keep(datagram);
        if (client !== undefined) await front.send(datagram, client);
      }
    })(),
  ]);
  return {
    address: front.addr as Deno.NetAddr,
    captured: () => sample,
    stop: async () => {
      front.close();
      back.close();
      // A send on the closed socket is how a loop may end.
      await running.catch(() => {});
    },
  };
}
