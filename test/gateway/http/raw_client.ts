/** A client that sends bytes as they are given and keeps what comes back. */

const encoder = new TextEncoder();

/** Bytes of a text, one for each character. */
export function ascii(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** One connection. */
export class RawClient implements Disposable {
  readonly conn: Deno.TcpConn;
  #received = "";

  private constructor(conn: Deno.TcpConn) {
    this.conn = conn;
  }

  static async open(port: number): Promise<RawClient> {
    return new RawClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async send(text: string | Uint8Array): Promise<void> {
    let rest = typeof text === "string" ? ascii(text) : text;
    while (rest.length > 0) rest = rest.subarray(await this.conn.write(rest));
  }

  /** Everything until the other side ends. */
  async readAll(): Promise<string> {
    while (await this.#more());
    return this.#take(this.#received.length);
  }

  /** Everything up to and with a text; fails when the connection ends before. */
  async readUntil(text: string): Promise<string> {
    for (;;) {
      const at = this.#received.indexOf(text);
      if (at >= 0) return this.#take(at + text.length);
      if (!await this.#more()) throw new Error(`ended before "${text}": "${this.#received}"`);
    }
  }

  /** So many bytes. */
  async readBytes(count: number): Promise<string> {
    while (this.#received.length < count) {
      if (!await this.#more()) throw new Error(`ended after ${this.#received.length} bytes`);
    }
    return this.#take(count);
  }

  [Symbol.dispose](): void {
    try {
      this.conn.close();
    } catch {
      // Closed by the test.
    }
  }

  async #more(): Promise<boolean> {
    const bytes = new Uint8Array(65_536);
    try {
      const count = await this.conn.read(bytes);
      if (count === null) return false;
      this.#received += new TextDecoder("latin1").decode(bytes.subarray(0, count));
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionReset) return false;
      throw error;
    }
  }

  #take(count: number): string {
    const taken = this.#received.slice(0, count);
    this.#received = this.#received.slice(count);
    return taken;
  }
}

/** Sends one request on a connection of its own and reads until the server ends it. */
export async function exchange(port: number, request: string): Promise<string> {
  using client = await RawClient.open(port);
  await client.send(request);
  return await client.readAll();
}
