/** Names of services in the form that requests carry them, kept so that a call does not encode one. */
import { SERVICE_BYTES_MAX } from "../wire/mod.ts";
import { SERVICES_KEPT_MAX } from "./limits.ts";

const encoder = new TextEncoder();

/** A service's name, both ways. */
export interface ServiceName {
  readonly text: string;
  readonly bytes: Uint8Array;
  /** It fits a request; whether its channels have valid names is for who opens them. */
  readonly isValid: boolean;
}

/** The names last used. */
export class ServiceNames {
  readonly #names = new Map<string, ServiceName>();

  /** The encoded form of a name. */
  of(text: string): ServiceName {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    const bytes = encoder.encode(text);
    const isValid = bytes.length > 0 && bytes.length <= SERVICE_BYTES_MAX;
    const name = { text, bytes, isValid };
    if (this.#names.size >= SERVICES_KEPT_MAX) this.#names.clear();
    this.#names.set(text, name);
    return name;
  }
}
