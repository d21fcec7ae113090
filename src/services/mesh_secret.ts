/**
 * Which mesh a node belongs to: its own, the one of a ticket, or the one of a secret file.
 */
import { equalBytes, NetError } from "../base/mod.ts";
import {
  KEY_FILES,
  type NodeKeys,
  readPskFile,
  replaceMeshSecret,
  type Ticket,
} from "../core/crypto/mod.ts";
import type { Log } from "../observe/mod.ts";

/** What decides about the mesh secret. */
export interface ChooseMeshSecretOptions {
  readonly keys: NodeKeys;
  /** Folder the secret is kept in; `undefined` for RAM. */
  readonly folder: string | undefined;
  readonly ticket: Ticket | undefined;
  /** File with the secret of this run; it is not kept. */
  readonly pskFile: string | undefined;
  /** True when the node knows peers of the mesh it is in. */
  readonly hasPeers: boolean;
  readonly log: Log;
}

/**
 * The secret to use in this run. Joining another mesh replaces the kept secret; the old one stays beside
 * it under another name.
 *
 * @throws NetError `conflict` when ticket and file differ, or when joining would leave a mesh in use.
 */
export async function chooseMeshSecret(options: ChooseMeshSecretOptions): Promise<Uint8Array> {
  const { keys, folder, ticket, pskFile, hasPeers, log } = options;
  if (pskFile !== undefined) {
    const secret = await readPskFile(pskFile);
    if (ticket !== undefined && !equalBytes(secret, ticket.meshSecret)) {
      throw new NetError(
        "conflict",
        "Cannot join: --psk-file and the ticket name different meshes",
        {
          next: "leave one of the two out",
        },
      );
    }
    return secret;
  }
  if (ticket === undefined) return keys.meshSecret;
  if (equalBytes(keys.meshSecret, ticket.meshSecret)) return keys.meshSecret;
  if (hasPeers) {
    throw new NetError("conflict", "Cannot join: this node already belongs to another mesh", {
      next: "use another --data-dir, or --family NAME, for the second mesh",
    });
  }
  if (folder !== undefined) {
    const path = `${folder}/${KEY_FILES.meshSecret}`;
    if (!keys.created.includes(KEY_FILES.meshSecret)) {
      await Deno.copyFile(path, `${path}.old`);
      log.warn("mesh_secret_replaced", {
        hint: `the one before is kept in ${KEY_FILES.meshSecret}.old`,
      });
    }
    await replaceMeshSecret(folder, ticket.meshSecret);
  }
  return ticket.meshSecret;
}
