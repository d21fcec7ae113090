/**
 * The library: what a TypeScript program needs to be a node of the mesh (`docs/library.md`).
 *
 * {@linkcode startNode} makes a node and, given a ticket, joins with it. The node serves and calls,
 * publishes and subscribes, puts, gets and finds, keeps logs and folds them, until it is closed.
 *
 * @example
 * ```ts
 * import { startNode, toText } from "./mod.ts";
 * await using alice = await startNode({ listen: "127.0.0.1:0" });
 * await using bob = await startNode({ listen: "127.0.0.1:0", join: alice.ticket() });
 * const { address } = await alice.put("a letter");
 * console.assert(toText(await bob.get(address)) === "a letter");
 * ```
 */
export { type ErrorCode, idToHex, NetError, parseId, systemClock } from "./base/mod.ts";
export { BlobAdapterError } from "./blob/mod.ts";
export type { BlobAdapter, BlobProgress, BlobRef, OnBlobProgress } from "./blob/mod.ts";
export type { ChannelConfig, Overflow, PublishReport } from "./channel/mod.ts";
export * from "./library/mod.ts";
export {
  CircuitBreaker,
  clientStream,
  createTypedClient,
  defineError,
  defineService,
  duplex,
  RpcError,
  RpcStatusError,
  serverStream,
  serveTyped,
  Status,
  unary,
} from "./rpc/mod.ts";
export type {
  CallOptions,
  CancelToken,
  ClientStreamCall,
  DuplexCall,
  JsonValue,
  ListedTool,
  RoutingPolicy,
  Rpc,
  RpcContext,
  RpcErrorKind,
  RpcResponses,
  ServedTool,
  ServeHandle,
  ServeOptions,
  ServiceDefinition,
  ToolDescriptor,
  ToolDescriptorOptions,
  TypedClient,
  TypedHandlers,
  TypedServeHandle,
} from "./rpc/mod.ts";
export {
  formatWriteToken,
  type FsyncPolicy,
  parseWriteToken,
  RedexError,
  type RedexLag,
  type RedexStat,
  type Retention,
  type WriteToken,
} from "./log/mod.ts";
export type {
  Appended,
  AppendOptions,
  LogRules,
  NodeDbOptions,
  NodeFoldOptions,
  NodeRestoreOptions,
  PublishOptions,
  SubscribeOptions,
} from "./services/mod.ts";
export {
  CortexError,
  defineCollection,
  defineFold,
  FoldDecodeError,
  jsonCodec,
  NetDbError,
  OpenFold,
  OwnCollection,
  postcardCodec,
  TriggerEngine,
} from "./state/mod.ts";
export type {
  Collection,
  CollectionDefinition,
  CortexSnapshot,
  FoldCodec,
  FoldDefinition,
  JoinPolicy,
  Memory,
  MemoryCollection,
  MemoryFilter,
  NetDb,
  OpenNetDb,
  RestoredDb,
  RestoreReport,
  RowFilter,
  RowQuery,
  SetAsideEvent,
  ShardGroup,
  Task,
  TaskCollection,
  TaskFilter,
  TriggerAction,
  TriggerCondition,
  WorkflowCollection,
  WorkflowFilter,
  WorkflowTask,
} from "./state/mod.ts";
