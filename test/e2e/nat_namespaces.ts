/**
 * A small internet of network namespaces: a public segment, and homes behind routers that masquerade.
 *
 * The kernel's own NAT stands in for the routers of homes. It needs root, `ip`, and `iptables` or `nft`;
 * where one of them is missing {@linkcode missingForNamespaces} says so. Nothing is installed, and
 * everything that was made is taken away again.
 */

/** How a router gives out ports: the same one for every destination, or another one each time. */
export type NatKind = "cone" | "symmetric";

/** Address of a host on the public segment, by number. The documentation's ranges count as private. */
export const publicHost = (number: number): string => `11.77.0.${number}`;

/** A host behind a router. */
export interface HomeHost {
  readonly namespace: string;
  readonly address: string;
}

/** A router and the hosts behind it. */
export interface HomeNetwork {
  /** Namespace of the router. */
  readonly router: string;
  /** Its address inside. */
  readonly gateway: string;
  /** Its address on the public segment. */
  readonly address: string;
  readonly hosts: readonly HomeHost[];
}

const DECODER = new TextDecoder();
const PUBLIC_BITS = 24;

/** What of the above is missing here; `undefined` when nothing is. */
export async function missingForNamespaces(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return `network namespaces are Linux's, this is ${Deno.build.os}`;
  if (Deno.uid() !== 0) return "making network namespaces needs root";
  const probe = `net-probe-${Deno.pid}`;
  try {
    await run("ip", ["netns", "add", probe]);
    try {
      await masquerade(probe, "lo", [{ address: "10.9.9.9", kind: "symmetric" }]);
      await run("ip", ["-n", probe, "link", "add", "p0", "type", "veth", "peer", "name", "p1"]);
      await run("ip", ["-n", probe, "link", "add", "p2", "type", "bridge"]);
    } finally {
      await run("ip", ["netns", "del", probe]);
    }
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
  }
}

/** Namespaces of one test; disposing takes them away. */
export class NamespaceNet implements AsyncDisposable {
  /** The public segment; processes in it have addresses of {@linkcode publicHost}. */
  readonly hub: string;
  readonly #prefix = `net-${Deno.pid}-`;
  readonly #made: string[] = [];
  #homes = 0;

  private constructor() {
    this.hub = `${this.#prefix}hub`;
  }

  /**
   * Makes the public segment.
   *
   * @param hosts Numbers of the addresses it has itself.
   */
  static async create(hosts: readonly number[]): Promise<NamespaceNet> {
    await removeLeftovers();
    const net = new NamespaceNet();
    try {
      await net.#add(net.hub);
      await net.#ip(net.hub, "link", "add", "seg", "type", "bridge");
      for (const host of hosts) {
        await net.#ip(net.hub, "addr", "add", `${publicHost(host)}/${PUBLIC_BITS}`, "dev", "seg");
      }
      await net.#ip(net.hub, "link", "set", "seg", "up");
      return net;
    } catch (error) {
      await net[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Words that run a command in a namespace. */
  through(namespace: string): readonly string[] {
    return ["ip", "netns", "exec", namespace];
  }

  /** A home with one host for each kind of NAT, behind a router at the public address `number`. */
  async addHome(number: number, kinds: readonly NatKind[]): Promise<HomeNetwork> {
    const home = ++this.#homes;
    const router = `${this.#prefix}r${home}`;
    const lan = (host: number) => `10.77.${home}.${host}`;
    await this.#add(router);
    await this.#ip(router, "link", "add", "out", "type", "veth", "peer", "name", `r${home}`);
    await this.#ip(router, "link", "set", `r${home}`, "netns", this.hub);
    await this.#ip(this.hub, "link", "set", `r${home}`, "master", "seg", "up");
    const address = publicHost(number);
    await this.#ip(router, "addr", "add", `${address}/${PUBLIC_BITS}`, "dev", "out");
    await this.#ip(router, "link", "set", "out", "up");
    await this.#ip(router, "link", "add", "lan", "type", "bridge");
    await this.#ip(router, "addr", "add", `${lan(1)}/24`, "dev", "lan");
    await this.#ip(router, "link", "set", "lan", "up");
    const hosts: HomeHost[] = [];
    for (const [i] of kinds.entries()) {
      const host = { namespace: `${this.#prefix}h${home}${i}`, address: lan(10 + i) };
      await this.#add(host.namespace);
      await this.#ip(host.namespace, "link", "add", "eth", "type", "veth", "peer", "name", `h${i}`);
      await this.#ip(host.namespace, "link", "set", `h${i}`, "netns", router);
      await this.#ip(router, "link", "set", `h${i}`, "master", "lan", "up");
      await this.#ip(host.namespace, "addr", "add", `${host.address}/24`, "dev", "eth");
      await this.#ip(host.namespace, "link", "set", "eth", "up");
      await this.#ip(host.namespace, "route", "add", "default", "via", lan(1));
      hosts.push(host);
    }
    await run("ip", ["netns", "exec", router, "sysctl", "-qw", "net.ipv4.ip_forward=1"]);
    const rules = hosts.map(({ address }, i) => ({ address, kind: kinds[i] ?? "cone" }));
    await masquerade(router, "out", rules);
    return { router, gateway: lan(1), address, hosts };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const namespace of this.#made.splice(0).reverse()) {
      await run("ip", ["netns", "del", namespace]).catch((error) => console.error(error.message));
    }
  }

  async #add(namespace: string): Promise<void> {
    await run("ip", ["netns", "add", namespace]);
    this.#made.push(namespace);
    await this.#ip(namespace, "link", "set", "lo", "up");
  }

  async #ip(namespace: string, ...args: readonly string[]): Promise<void> {
    await run("ip", ["-n", namespace, ...args]);
  }
}

/** Takes away what a test left that was killed before it could. */
async function removeLeftovers(): Promise<void> {
  const { stdout } = await new Deno.Command("ip", { args: ["netns", "list"] }).output();
  for (const [namespace, pid] of DECODER.decode(stdout).matchAll(/^net-([0-9]+)-[a-z0-9]+/gm)) {
    const isRunning = await Deno.stat(`/proc/${pid}`).then(() => true, () => false);
    // Another test may be doing the same.
    if (!isRunning) await run("ip", ["netns", "del", namespace]).catch(() => {});
  }
}

interface MasqueradeRule {
  readonly address: string;
  readonly kind: NatKind;
}

/**
 * Hides hosts behind the address of `device`. What comes from outside without having been asked for is
 * dropped before it leaves a trace, as routers of homes do it.
 */
async function masquerade(
  namespace: string,
  device: string,
  rules: readonly MasqueradeRule[],
): Promise<void> {
  const inside = (command: string, text: string) =>
    run("ip", ["netns", "exec", namespace, command, ...text.split(" ")]);
  try {
    for (const { address, kind } of rules) {
      const random = kind === "symmetric" ? " --random-fully" : "";
      const rule = `-t nat -A POSTROUTING -s ${address} -o ${device} -j MASQUERADE${random}`;
      await inside("iptables", rule);
    }
    await inside("iptables", `-A INPUT -i ${device} -j DROP`);
  } catch (error) {
    if (!(error instanceof MissingCommand)) throw error;
    const chain = (name: string, type: string, hook: string) =>
      inside("nft", `add chain ip home ${name} { type ${type} hook ${hook} priority 0 ; }`);
    await inside("nft", "add table ip home");
    await chain("post", "nat", "postrouting");
    for (const { address, kind } of rules) {
      const random = kind === "symmetric" ? " fully-random" : "";
      const rule = `ip saddr ${address} oifname ${device} masquerade${random}`;
      await inside("nft", `add rule ip home post ${rule}`);
    }
    await chain("in", "filter", "input");
    await inside("nft", `add rule ip home in iifname ${device} drop`);
  }
}

/**
 * Sends what arrives at a port of this namespace's router on to a host behind it; false takes that back.
 *
 * @param to `HOST:PORT`.
 */
export async function forwardPort(port: number, to: string, isOn: boolean): Promise<void> {
  const rule = `-i out -p udp --dport ${port} -j DNAT --to-destination ${to}`;
  try {
    const words = `-t nat ${isOn ? "-A" : "-D"} PREROUTING ${rule}`;
    return await run("iptables", words.split(" "));
  } catch (error) {
    if (!(error instanceof MissingCommand)) throw error;
  }
  // A table of its own, so that taking it back is simple.
  const table = `forward${port}`;
  const nft = (text: string) => run("nft", text.split(" "));
  if (!isOn) return await nft(`delete table ip ${table}`);
  await nft(`add table ip ${table}`);
  await nft(`add chain ip ${table} pre { type nat hook prerouting priority -100 ; }`);
  await nft(`add rule ip ${table} pre iifname out udp dport ${port} dnat to ${to}`);
}

/** A program is not there. */
class MissingCommand extends Error {}

async function run(command: string, args: readonly string[]): Promise<void> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(command, { args: [...args], stdin: "null" }).output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new MissingCommand(`there is no ${command}`);
    throw error;
  }
  if (output.success) return;
  const said = DECODER.decode(output.stderr).trim();
  // What `ip netns exec` says when it finds no such program.
  const isMissing = /exec of .* failed: No such file/.test(said);
  const message = `${[command, ...args].join(" ")}: ${said}`;
  throw isMissing ? new MissingCommand(message) : new Error(message);
}
