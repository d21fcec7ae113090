/** What a toolkit knows of members beside their sockets: who provides a domain, and usual ports. */
import type { MemberRegistry } from "./lookup.ts";
import type { Manifest } from "./manifest.ts";
import type { Metadata } from "./metadata.ts";
import { portOf, type Ports } from "./ports.ts";
import { readManifest, readPorts } from "./toolkit.ts";

/** A toolkit's manifest and ports. */
export interface ToolkitRegistry extends MemberRegistry {
  readonly manifest: Manifest | undefined;
  readonly ports: Ports;
}

/**
 * Reads the registry of a toolkit; without one, or where its files are not there, it knows nothing.
 *
 * @throws NetError `usage` when a file cannot be understood.
 */
export async function readRegistry(toolkit: string | undefined): Promise<ToolkitRegistry> {
  const manifest = toolkit === undefined ? undefined : await readManifest(toolkit);
  const ports = toolkit === undefined
    ? { ports: new Map<string, number>(), warnings: [] }
    : await readPorts(toolkit);
  return {
    manifest,
    ports,
    membersOf: (domain) =>
      [...manifest?.primals ?? []].filter(([, member]) => member.domain === domain)
        .map(([name]) => name),
    portOf: (name) => portOf(ports, name) ?? manifest?.primals.get(name)?.defaultPort,
  };
}

/** The usual port of a member: of `ports.env`, its metadata, the manifest. */
export function usualPort(
  registry: ToolkitRegistry,
  member: string,
  metadata: Metadata | undefined,
): number | undefined {
  return portOf(registry.ports, member) ?? metadata?.genomeBin?.server?.tcpPortDefault ??
    registry.portOf(member);
}
