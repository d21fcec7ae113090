/** The files of our own toolkit: metadata, manifest, checksums, ports (`validation.md` 7.1). */

/** What is told about one build. */
export interface ReleaseFacts {
  readonly name: string;
  readonly version: string;
  readonly domain: string;
  readonly license: string;
  readonly description: string;
  /** Every method that the built program lists. */
  readonly capabilities: readonly string[];
  /** Commit that it was built from. */
  readonly builtFrom: string;
  /** RFC 3339, UTC. */
  readonly builtAt: string;
  /** `x86_64-linux`. */
  readonly key: string;
  /** `x86_64-unknown-linux-gnu`. */
  readonly target: string;
  readonly isPie: boolean;
  readonly sha256: string;
  readonly blake3: string;
}

/** Port where nobody says another one; no member of the registry's first eighteen uses it. */
export const DEFAULT_PORT = 9900;
const REGISTRY_VERSION = "3.0.0";

/** Name of the executable among the assets of a release: `net-x86_64-unknown-linux-gnu`. */
export function assetName({ name, target }: Pick<ReleaseFacts, "name" | "target">): string {
  return `${name}-${target}`;
}

/** `net/metadata.toml`. */
export function metadataText(facts: ReleaseFacts): string {
  const variable = `${facts.name.toUpperCase()}_PORT`;
  return `# ${facts.name}: made by scripts/release.ts from the build itself

[primal]
name = ${text(facts.name)}
version = ${text(facts.version)}
domain = ${text(facts.domain)}
description = ${text(facts.description)}
license = ${text(facts.license)}

[provenance]
built_from = ${text(facts.builtFrom)}
built_at = ${text(facts.builtAt)}

[compatibility]
min_ipc_version = "1.0"
capabilities = [
${facts.capabilities.map((name) => `    ${text(name)},\n`).join("")}]

[builds.${facts.key}]
binary = ${text(facts.name)}
checksum_sha256 = ${text(facts.sha256)}
checksum_blake3 = ${text(facts.blake3)}
target = ${text(facts.target)}
pie_verified = ${facts.isPie}
static_linked = false

[genomeBin]
tier = "genomeBin"
unibin_modes = ["server", "version"]
default_mode = "server"

[genomeBin.server]
tcp_port_env = ${text(variable)}
tcp_port_default = ${DEFAULT_PORT}
tcp_protocol = "jsonrpc-newline"
socket_flag = "--socket"
port_flag = "--port"
bind_flag = "--bind"
listen_flag = "--listen"
listen_format = "{addr}:{port}"
family_id_flag = "--family"
health_probe = "health.liveness"

[genomeBin.service]
restart_policy = "on-failure"
after = []
wants = []
`;
}

/** `manifest.lock`. */
export function manifestText(facts: ReleaseFacts): string {
  const { name } = facts;
  return `[meta]
generated = ${text(facts.builtAt)}
registry_version = ${text(REGISTRY_VERSION)}
architectures = [${text(facts.key)}]

[primals.${name}]
version = ${text(facts.version)}
domain = ${text(facts.domain)}
tier = "genomeBin"
default_port = ${DEFAULT_PORT}
builds = [${text(facts.key)}]

[compositions.solo]
primals = [${text(name)}]

[compositions.mesh]
primals = [${text(name)}, ${text(name)}, ${text(name)}]
`;
}

/** `checksums.toml`. */
export function checksumsText({ name, target, blake3 }: ReleaseFacts): string {
  return `# BLAKE3 of each executable by target\n\n[primals.${name}]\n${text(target)} = ${
    text(blake3)
  }\n`;
}

/** `ports.env`. */
export function portsText({ name }: ReleaseFacts): string {
  return `${name.toUpperCase()}_PORT=${DEFAULT_PORT}\n`;
}

/** A TOML text: JSON's form of one is TOML's, too. */
function text(value: string): string {
  return JSON.stringify(value);
}
