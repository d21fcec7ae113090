/**
 * Sends datagrams to the socket on which a service manager hears what becomes of a process (`sd_notify`).
 *
 * The sender's own address is an abstract name, so nothing is left in the file system and none has to be
 * writable. The kernel tells the manager who sent a datagram.
 */
import { utf8 } from "../../base/mod.ts";

/** A manager that is alive takes a datagram at once, unless its queue of a few is full. */
const STALLED_MS = 50;

/** Longest patience with one that is not: two seconds. */
const ATTEMPTS_MAX = 40;

/** Assignments of one datagram, such as `READY` to `1`. */
export type NotifyFields = Readonly<Record<string, string | number>>;

/** A way to the manager. */
export interface NotifySocket {
  /**
   * Sends one datagram; a manager that was behind may get it twice. One call at a time.
   *
   * @throws Error when nobody listens there.
   */
  send(fields: NotifyFields): Promise<void>;
  close(): void;
}

/**
 * Opens a way to the manager.
 *
 * @param address Absolute path, or an abstract name that begins with `@`.
 * @throws Error when the system has no such sockets, or the runtime was not allowed them.
 */
export function openNotifySocket(address: string): NotifySocket {
  const path = address.startsWith("@") ? `\0${address.slice(1)}` : address;
  let connection = bindOwn();
  let isClosed = false;
  return {
    send: async (fields) => {
      const bytes = utf8(encodeNotify(fields));
      for (let attempt = 1; !isClosed; attempt++) {
        const sending = connection.send(bytes, { transport: "unixpacket", path });
        if (await isDoneWithin(sending, STALLED_MS)) return;
        if (attempt === ATTEMPTS_MAX) throw new Error("it takes nothing");
        // Nobody wakes a sender when the manager's queue has room again: only another socket looks anew.
        connection.close();
        if (!isClosed) connection = bindOwn();
      }
    },
    close: () => {
      if (isClosed) return;
      isClosed = true;
      connection.close();
    },
  };
}

function bindOwn(): Deno.DatagramConn {
  const path = `\0net-notify-${Deno.pid}-${crypto.randomUUID()}`;
  return Deno.listenDatagram({ transport: "unixpacket", path });
}

/** True when it is done in time; what fails later has no meaning any more. */
async function isDoneWithin(sending: Promise<unknown>, limitMs: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), limitMs);
  try {
    return await Promise.race([sending.then(() => true), late]);
  } finally {
    clearTimeout(timer);
    sending.catch(() => {});
  }
}

/** Text of one datagram. A value is one line: what would begin another becomes a space. */
export function encodeNotify(fields: NotifyFields): string {
  return Object.entries(fields)
    // deno-lint-ignore no-control-regex -- control characters are what must not pass
    .map(([name, value]) => `${name}=${String(value).replace(/[\u0000-\u001f\u007f]+/g, " ")}`)
    .join("\n");
}
