/**
 * The caller's gate (`nrpc.md` 11): keeps this node from a service that a node says it does not offer to it. One
 * that says nothing of the service, or nothing at all, may still have it: it is asked.
 */
import { serviceTag } from "../../rpc/mod.ts";
import type { RpcAnnouncements } from "./rpc_parts.ts";

/** What {@linkcode CallerGate} needs. */
export interface CallerGateDeps {
  readonly announcements: Pick<RpcAnnouncements, "tagsOf" | "version">;
  /** Whether this node may ask `target` for what a tag names; refusals are counted there. */
  mayExecute(target: bigint, tag: string): boolean;
}

/** Decides on calls. */
export class CallerGate {
  readonly #deps: CallerGateDeps;
  // The last call that was let through: many calls in a row are the same.
  #version = -1;
  #target = 0n;
  #service = "";

  constructor(deps: CallerGateDeps) {
    this.#deps = deps;
  }

  /** Whether this node may call a service of a node; as long as nothing changed it is not looked up again. */
  mayCall(target: bigint, service: string): boolean {
    const { announcements } = this.#deps;
    const { version } = announcements;
    if (version === this.#version && target === this.#target && service === this.#service) {
      return true;
    }
    const tag = serviceTag(service);
    const isOffered = announcements.tagsOf(target)?.includes(tag) === true;
    if (isOffered && !this.#deps.mayExecute(target, tag)) return false;
    this.#version = version;
    this.#target = target;
    this.#service = service;
    return true;
  }
}
