/** Services that are declared once, with schemas, for both sides (`nrpc.md` 13). */
export * from "./application_error.ts";
export * from "./method.ts";
export {
  defineService,
  type DefineServiceOptions,
  type Methods,
  type MethodTable,
  type ServiceDefinition,
  wireName,
} from "./service_definition.ts";
export * from "./typed_client.ts";
export * from "./typed_server.ts";
export {
  type TypedDuplex,
  type TypedRequests,
  type TypedResponses,
  type TypedUpload,
} from "./typed_streams.ts";
