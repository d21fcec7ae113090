/**
 * A listener over a socket that somebody else bound.
 *
 * The runtime's own API has no way to take a descriptor; its Node layer has. So connections come from there and
 * are given the shape of the runtime's, with the same errors.
 */
import { createServer, type Server, type Socket } from "node:net";
import type { StreamListener, StreamSocket } from "./stream_socket.ts";

/** Connections that were accepted and not asked for yet; servers ask at once. */
const WAITING_MAX = 1024;

/** Address of a listener. */
export type AdoptedAddress = { readonly host: string; readonly port: number } | undefined;

/** A listener over a descriptor. */
export interface AdoptedListener extends StreamListener {
  accept(): Promise<AdoptedSocket>;
  /** Where it listens; `undefined` for a unix socket. */
  readonly address: AdoptedAddress;
}

/**
 * Takes a listening descriptor.
 *
 * @throws Error when it is none.
 */
export async function adoptListener(descriptor: number): Promise<AdoptedListener> {
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ fd: descriptor }, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return new Listener(server);
}

class Listener implements AdoptedListener {
  readonly address: AdoptedAddress;
  readonly #server: Server;
  readonly #waiting: AdoptedSocket[] = [];
  #asking: PromiseWithResolvers<AdoptedSocket> | undefined;
  #failure: Error | undefined;
  #isClosed = false;

  constructor(server: Server) {
    const address = server.address();
    this.address = address === null || typeof address === "string"
      ? undefined
      : { host: address.address, port: address.port };
    this.#server = server;
    server.on("connection", (socket) => this.#take(socket));
    server.on("error", (error) => this.#fail(error));
  }

  accept(): Promise<AdoptedSocket> {
    if (this.#isClosed) return Promise.reject(closedError());
    const next = this.#waiting.shift();
    if (next !== undefined) return Promise.resolve(next);
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) return Promise.reject(failure);
    this.#asking ??= Promise.withResolvers();
    return this.#asking.promise;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#server.close();
    for (const socket of this.#waiting.splice(0)) socket.close();
    this.#asking?.reject(closedError());
    this.#asking = undefined;
  }

  #take(socket: Socket): void {
    const adopted = new AdoptedSocket(socket);
    if (this.#isClosed) return adopted.close();
    if (this.#waiting.length >= WAITING_MAX) {
      adopted.close();
      // Whoever accepts counts it as a failure, once the others were taken.
      return this.#fail(new Error(`more than ${WAITING_MAX} connections wait`));
    }
    const asking = this.#asking;
    this.#asking = undefined;
    if (asking === undefined) this.#waiting.push(adopted);
    else asking.resolve(adopted);
  }

  #fail(error: Error): void {
    const asking = this.#asking;
    this.#asking = undefined;
    if (asking === undefined) this.#failure = error;
    else asking.reject(error);
  }
}

/** A connection in the shape of the runtime's. One read and one write may be under way. */
export class AdoptedSocket implements StreamSocket {
  /** Descriptor of a unix connection, to find out who is behind it. */
  readonly descriptor: number | undefined;
  readonly remoteAddr: Deno.Addr;
  readonly #socket: Socket;
  #rest: Uint8Array | undefined;
  #error: unknown;
  #hasEnded = false;
  #isClosed = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    const { remoteAddress, remotePort } = socket;
    this.remoteAddr = remoteAddress === undefined
      ? { transport: "unix", path: "" }
      : { transport: "tcp", hostname: remoteAddress, port: remotePort ?? 0 };
    this.descriptor = descriptorOf(socket);
    const wake = () => {
      this.#wake?.();
      this.#wake = undefined;
    };
    socket.on("readable", wake);
    socket.on("end", () => {
      this.#hasEnded = true;
      wake();
    });
    socket.on("error", (error) => {
      this.#error = toDenoError(error);
      wake();
    });
    socket.on("close", wake);
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#isClosed) throw closedError();
      const chunk = this.#rest ?? readChunk(this.#socket);
      if (chunk !== undefined) return this.#give(chunk, into);
      if (this.#error !== undefined) throw this.#error;
      if (this.#hasEnded || this.#socket.destroyed) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.#isClosed) throw closedError();
    await new Promise<void>((resolve, reject) => {
      this.#socket.write(bytes, (error) => {
        if (error === undefined || error === null) resolve();
        else reject(this.#isClosed ? closedError() : toDenoError(error));
      });
    });
    return bytes.length;
  }

  async closeWrite(): Promise<void> {
    if (this.#isClosed) throw closedError();
    await new Promise<void>((resolve) => this.#socket.end(() => resolve()));
  }

  close(): void {
    this.#isClosed = true;
    this.#rest = undefined;
    this.#socket.destroy();
    this.#wake?.();
    this.#wake = undefined;
  }

  setNoDelay(isOn = true): void {
    this.#socket.setNoDelay(isOn);
  }

  #give(chunk: Uint8Array, into: Uint8Array): number {
    const count = Math.min(chunk.length, into.length);
    into.set(chunk.subarray(0, count));
    this.#rest = count < chunk.length ? chunk.subarray(count) : undefined;
    return count;
  }
}

function readChunk(socket: Socket): Uint8Array | undefined {
  const chunk: unknown = socket.read();
  return chunk instanceof Uint8Array ? chunk : undefined;
}

/** The Node layer keeps it to itself, so it may be missing; whoever asks has to be strict then. */
function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null) return undefined;
  const descriptor: unknown = Reflect.get(handle, "fd");
  return typeof descriptor === "number" && descriptor >= 0 ? descriptor : undefined;
}

function closedError(): Error {
  return new Deno.errors.BadResource("The socket was closed here");
}

/** Errors as the runtime's own sockets throw them. */
function toDenoError(error: Error): Error {
  switch (Reflect.get(error, "code")) {
    case "EPIPE":
      return new Deno.errors.BrokenPipe(error.message);
    case "ECONNRESET":
      return new Deno.errors.ConnectionReset(error.message);
    case "ENOTCONN":
      return new Deno.errors.NotConnected(error.message);
    default:
      return error;
  }
}
