/**
 * The NAT-PMP side of a router, run in its network namespace: grants ports by rules of the kernel.
 *
 * Arguments: the address inside, and the one outside. A request of PCP is refused as such a router does
 * it. Each rule is told on standard output.
 */
import { forwardPort } from "./nat_namespaces.ts";

const PORT = 5351;

if (import.meta.main) await serve(Deno.args[0] ?? "", Deno.args[1] ?? "");

async function serve(inside: string, outside: string): Promise<void> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: inside, port: PORT });
  const granted = new Map<string, number>();
  console.log("ready");
  for await (const [request, from] of socket) {
    const { hostname } = from as Deno.NetAddr;
    const answer = await answerTo(request, hostname);
    if (answer !== undefined) await socket.send(answer, from);
  }

  async function answerTo(request: Uint8Array, host: string): Promise<Uint8Array | undefined> {
    const [version, op] = request;
    if (version !== 0) return Uint8Array.of(0, 128 | (op ?? 0), 0, 1, 0, 0, 0, 1);
    if (op === 0) {
      return Uint8Array.of(0, 128, 0, 0, 0, 0, 0, 1, ...outside.split(".").map(Number));
    }
    if (op !== 1 || request.length < 12) return undefined;
    const asked = new DataView(request.buffer, request.byteOffset);
    const [internal, wanted, lease] = [asked.getUint16(4), asked.getUint16(6), asked.getUint32(8)];
    const to = `${host}:${internal}`;
    const before = granted.get(to);
    // Another port than was asked for: what counts is what the router says.
    const port = lease === 0 ? 0 : before ?? wanted + 1;
    if (lease === 0 && before !== undefined) {
      await forwardPort(before, to, false);
      granted.delete(to);
      console.log(`took ${before} back`);
    } else if (lease > 0 && before === undefined) {
      await forwardPort(port, to, true);
      granted.set(to, port);
      console.log(`gave ${port} to ${to}`);
    }
    const answer = new Uint8Array(16);
    const view = new DataView(answer.buffer);
    view.setUint8(1, 129);
    view.setUint16(8, internal);
    view.setUint16(10, port);
    view.setUint32(12, lease);
    return answer;
  }
}
