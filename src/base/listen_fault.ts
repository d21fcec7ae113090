/** Why a port could not be opened, as an error that says what helps. */
import { NetError } from "./errors.ts";

/** Ports below it are for root, unless the machine says otherwise. */
const FREE_PORT_MIN = 1024;

/** What was tried. */
export interface ListenAttempt {
  /** What could not be done, for the message: `Cannot listen`. */
  readonly what: string;
  readonly host: string;
  readonly port: number;
  /** The flag that names the address, for the next step. */
  readonly flag: string;
}

/**
 * The error for a listener that could not be opened: `address_in_use` or `network`.
 *
 * @example
 * ```ts
 * import { listenFault } from "./listen_fault.ts";
 *
 * const attempt = { what: "Cannot listen", host: "::1", port: 80, flag: "--port" };
 * const { code } = listenFault(new Deno.errors.AddrInUse(), attempt);
 * if (code !== "address_in_use") throw new Error(code);
 * ```
 */
export function listenFault(error: unknown, { what, host, port, flag }: ListenAttempt): NetError {
  const where = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const fault = (code: "address_in_use" | "network", reason: string, next: string) =>
    new NetError(code, `${what} on ${where}: ${reason}`, { cause: error, next });
  const other = `choose another port with ${flag}, or 0 for any free one`;
  if (error instanceof Deno.errors.AddrInUse) {
    return fault("address_in_use", "the port is in use", other);
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return fault(
      "network",
      "this machine has no such address",
      `give an address of this machine with ${flag}, or 0.0.0.0 for all of them`,
    );
  }
  if (error instanceof Deno.errors.PermissionDenied && port < FREE_PORT_MIN) {
    return fault(
      "network",
      `ports below ${FREE_PORT_MIN} are for root`,
      `choose a higher port with ${flag}, or have systemd open this one (docs/service.md)`,
    );
  }
  return fault("network", error instanceof Error ? error.message : String(error), other);
}

/**
 * True when accepting failed only because the client of that one connection has gone already. The next one is to
 * be accepted without a pause: else clients that connect and reset keep everybody else out.
 */
export function isAcceptedGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotConnected ||
    error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.ConnectionReset;
}
