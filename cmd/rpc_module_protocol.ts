/** What a worker that runs a module of handlers and the verb that started it tell each other. */
import type { ServeParams } from "./rpc_serving.ts";

/** Name of such a worker, by which the program knows what it was started as. */
export const MODULE_WORKER_NAME = "net:rpc-module";

/** A service of a module, with what it asks for itself. */
export type ModuleService = ServeParams;

/** A call as it goes to the worker; ids are 16 hex digits. */
export interface ModuleCall {
  readonly service: string;
  readonly caller: string;
  readonly origin: string;
  readonly callId: string;
  readonly deadlineMs: number | undefined;
  readonly headers: readonly Readonly<Record<string, unknown>>[];
  readonly trace: Readonly<Record<string, unknown>>;
}

/** To the worker. */
export type ToWorker =
  | { readonly kind: "load"; readonly url: string }
  | { readonly kind: "call"; readonly id: number; readonly call: ModuleCall }
  /** One that was asked for by `take`; without bytes there are no more. */
  | { readonly kind: "item"; readonly id: number; readonly bytes: Uint8Array | undefined }
  /** The item that was given has left: the next may come. */
  | { readonly kind: "taken"; readonly id: number }
  | { readonly kind: "cancel"; readonly id: number; readonly reason: string };

/** From the worker. */
export type FromWorker =
  | { readonly kind: "ready" }
  | { readonly kind: "loaded"; readonly services: readonly ModuleService[] }
  | { readonly kind: "load_failed"; readonly message: string }
  | { readonly kind: "take"; readonly id: number }
  | { readonly kind: "give"; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: "done"; readonly id: number }
  | {
    readonly kind: "failed";
    readonly id: number;
    readonly status: number | undefined;
    readonly message: string;
    readonly body: Uint8Array | undefined;
  };
