/**
 * Sends datagrams to the socket on which a service manager hears what becomes of a process (`sd_notify`).
 *
 * The sender's own address is an abstract name, so nothing is left in the file system and none has to be
 * writable. The kernel tells the manager who sent a datagram.
 */
import { utf8 } from "../../base/mod.ts";

/** Assignments of one datagram, such as `READY` to `1`. */
export type NotifyFields = Readonly<Record<string, string | number>>;

/** A way to the manager. */
export interface NotifySocket {
  /**
   * Sends one datagram.
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
  const path = nativePath(address);
  const own = `\0net-notify-${Deno.pid}-${crypto.randomUUID()}`;
  const connection = Deno.listenDatagram({ transport: "unixpacket", path: own });
  return {
    send: async (fields) => {
      await connection.send(utf8(encodeNotify(fields)), { transport: "unixpacket", path });
    },
    close: () => connection.close(),
  };
}

/** Text of one datagram. A value is one line: what would begin another becomes a space. */
export function encodeNotify(fields: NotifyFields): string {
  return Object.entries(fields)
    // deno-lint-ignore no-control-regex -- control characters are what must not pass
    .map(([name, value]) => `${name}=${String(value).replace(/[\u0000-\u001f\u007f]+/g, " ")}`)
    .join("\n");
}

function nativePath(address: string): string {
  return address.startsWith("@") ? `\0${address.slice(1)}` : address;
}
