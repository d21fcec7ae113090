/** The tree of verbs: which words lead where. */
import { buildRouteMap } from "@stricli/core";
import { benchTransportCommand } from "./bench_transport.ts";
import { blobBenchCommand } from "./blob_bench.ts";
import { blobCatCommand } from "./blob_cat.ts";
import { blobGcCommand } from "./blob_gc.ts";
import { blobExportCommand, blobImportCommand } from "./blob_exchange.ts";
import { blobAdapterRoutes } from "./blob_adapter.ts";
import { blobGetCommand } from "./blob_get.ts";
import { blobLsCommand } from "./blob_ls.ts";
import { blobPolicyRoutes } from "./blob_policy.ts";
import { blobPathCommand } from "./blob_path.ts";
import { blobPinCommand, blobUnpinCommand } from "./blob_pin.ts";
import { blobPutCommand } from "./blob_put.ts";
import { blobHoldersCommand, blobReplicasCommand } from "./blob_replicas.ts";
import { blobReplicateCommand } from "./blob_replicate.ts";
import { blobRepairCommand } from "./blob_repair.ts";
import { blobRmCommand } from "./blob_rm.ts";
import { blobScrubCommand } from "./blob_scrub.ts";
import { blobStagingRoutes } from "./blob_staging.ts";
import { blobStatCommand } from "./blob_stat.ts";
import { blobWaitCommand } from "./blob_wait.ts";
import { blobWhyCommand } from "./blob_why.ts";
import { busPollCommand } from "./bus_poll.ts";
import { busPublishCommand } from "./bus_publish.ts";
import { busStatsCommand } from "./bus_stats.ts";
import { capAnnounceCommand } from "./cap_announce.ts";
import { capExplainCommand } from "./cap_explain.ts";
import { capFindCommand } from "./cap_find.ts";
import { capShowCommand } from "./cap_show.ts";
import { capWatchCommand } from "./cap_watch.ts";
import { channelCreateCommand } from "./channel_create.ts";
import { channelLsCommand } from "./channel_ls.ts";
import { channelPublishCommand } from "./channel_publish.ts";
import { channelRmCommand } from "./channel_rm.ts";
import { channelStatsCommand } from "./channel_stats.ts";
import { channelSubscribeCommand } from "./channel_subscribe.ts";
import { completionsCommand } from "./completions.ts";
import type { NetContext } from "./context.ts";
import { dbMemoryRoutes } from "./db_memories.ts";
import { dbSnapshotLoadCommand, dbSnapshotSaveCommand, dbStatCommand } from "./db_snapshot.ts";
import { dbTaskRoutes } from "./db_tasks.ts";
import { dbWorkflowRoutes } from "./db_workflow.ts";
import { doctorCommand } from "./doctor.ts";
import { bareRecord } from "./flags.ts";
import { fetchCommand } from "./fetch.ts";
import { gatewayExportCommand } from "./gateway_export.ts";
import { gatewayExportsCommand } from "./gateway_exports.ts";
import { gatewayStatsCommand } from "./gateway_stats.ts";
import { gatewayUnexportCommand } from "./gateway_unexport.ts";
import { helpCommand } from "./help.ts";
import { identityExportCommand } from "./identity_export.ts";
import { identityImportCommand } from "./identity_import.ts";
import { identityLsCommand } from "./identity_ls.ts";
import { identityNewCommand } from "./identity_new.ts";
import { identityRotateCommand } from "./identity_rotate.ts";
import { identityShowCommand } from "./identity_show.ts";
import { logAppendCommand } from "./log_append.ts";
import { logCompactCommand, logRepairCommand, logVerifyCommand } from "./log_care.ts";
import { logCreateCommand, logRmCommand } from "./log_create.ts";
import { logLsCommand, logStatCommand } from "./log_ls.ts";
import { logReadCommand, logTailCommand } from "./log_read.ts";
import { lookupCommand } from "./lookup.ts";
import { membersCommand } from "./members.ts";
import { nodeConnectCommand } from "./node_connect.ts";
import { nodeCountersCommand } from "./node_counters.ts";
import { nodeDrainCommand } from "./node_drain.ts";
import { nodeForgetCommand } from "./node_forget.ts";
import { nodeHealthCommand } from "./node_health.ts";
import { nodeHttpCommand } from "./node_http.ts";
import { nodeMetricsCommand } from "./node_metrics.ts";
import { nodePeersCommand } from "./node_peers.ts";
import { nodePingCommand } from "./node_ping.ts";
import { nodeRoutesCommand } from "./node_routes.ts";
import { nodeStartCommand } from "./node_start.ts";
import { nodeStatusCommand } from "./node_status.ts";
import { nodeStopCommand } from "./node_stop.ts";
import { nodeStreamsCommand } from "./node_streams.ts";
import { nodeTicketCommand } from "./node_ticket.ts";
import { nodeTraceCommand } from "./node_trace.ts";
import { nodeUnitCommand } from "./node_unit.ts";
import { rpcBenchCommand } from "./rpc_bench.ts";
import { rpcCallCommand } from "./rpc_call.ts";
import { rpcLsCommand } from "./rpc_ls.ts";
import { rpcServeCommand } from "./rpc_serve.ts";
import { rpcStatsCommand } from "./rpc_stats.ts";
import { rpcWatchCommand } from "./rpc_watch.ts";
import { startCommand } from "./start.ts";
import { stopCommand } from "./stop.ts";
import { subnetLsCommand } from "./subnet_ls.ts";
import { subnetPolicyCommand } from "./subnet_policy.ts";
import { subnetShowCommand } from "./subnet_show.ts";
import { subnetTreeCommand } from "./subnet_tree.ts";
import { tokenDelegateCommand } from "./token_delegate.ts";
import { tokenIssueCommand } from "./token_issue.ts";
import { tokenRevokeCommand } from "./token_revoke.ts";
import { tokenShowCommand } from "./token_show.ts";
import { tokenVerifyCommand } from "./token_verify.ts";
import { toolCallCommand } from "./tool_call.ts";
import { toolExportCommand } from "./tool_export.ts";
import { toolLsCommand } from "./tool_ls.ts";
import { toolServeCommand } from "./tool_serve.ts";
import { toolShowCommand } from "./tool_show.ts";
import { transferRoutes } from "./transfer.ts";
import { validateBinaryCommand } from "./validate_binary.ts";
import { validateCompositionCommand } from "./validate_composition.ts";
import { validateIpcCommand } from "./validate_ipc.ts";
import { validateMetadataCommand } from "./validate_metadata.ts";
import { versionCommand } from "./version.ts";

const nodeRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Start, stop and ask the node of this machine" },
  routes: bareRecord({
    start: nodeStartCommand,
    status: nodeStatusCommand,
    health: nodeHealthCommand,
    drain: nodeDrainCommand,
    stop: nodeStopCommand,
    ticket: nodeTicketCommand,
    http: nodeHttpCommand,
    metrics: nodeMetricsCommand,
    peers: nodePeersCommand,
    streams: nodeStreamsCommand,
    routes: nodeRoutesCommand,
    counters: nodeCountersCommand,
    connect: nodeConnectCommand,
    ping: nodePingCommand,
    trace: nodeTraceCommand,
    forget: nodeForgetCommand,
    unit: nodeUnitCommand,
  }),
  aliases: bareRecord({}),
});

const blobRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Store, fetch and list blobs" },
  routes: bareRecord({
    put: blobPutCommand,
    get: blobGetCommand,
    cat: blobCatCommand,
    ls: blobLsCommand,
    stat: blobStatCommand,
    rm: blobRmCommand,
    pin: blobPinCommand,
    unpin: blobUnpinCommand,
    why: blobWhyCommand,
    path: blobPathCommand,
    gc: blobGcCommand,
    scrub: blobScrubCommand,
    export: blobExportCommand,
    import: blobImportCommand,
    repair: blobRepairCommand,
    bench: blobBenchCommand,
    staging: blobStagingRoutes,
    replicate: blobReplicateCommand,
    replicas: blobReplicasCommand,
    holders: blobHoldersCommand,
    wait: blobWaitCommand,
    policy: blobPolicyRoutes,
    adapter: blobAdapterRoutes,
  }),
  aliases: bareRecord({ list: "ls", remove: "rm" }),
});

const capRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Say what this node can do, and find who can do what" },
  routes: bareRecord({
    announce: capAnnounceCommand,
    show: capShowCommand,
    find: capFindCommand,
    watch: capWatchCommand,
    explain: capExplainCommand,
  }),
  aliases: bareRecord({}),
});

const channelRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Publish events and subscribe to them" },
  routes: bareRecord({
    ls: channelLsCommand,
    create: channelCreateCommand,
    rm: channelRmCommand,
    publish: channelPublishCommand,
    subscribe: channelSubscribeCommand,
    stats: channelStatsCommand,
  }),
  aliases: bareRecord({ list: "ls", remove: "rm", pub: "publish", sub: "subscribe" }),
});

const logRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Append events to logs that stay, and read them" },
  routes: bareRecord({
    append: logAppendCommand,
    read: logReadCommand,
    tail: logTailCommand,
    ls: logLsCommand,
    stat: logStatCommand,
    create: logCreateCommand,
    rm: logRmCommand,
    verify: logVerifyCommand,
    repair: logRepairCommand,
    compact: logCompactCommand,
  }),
  aliases: bareRecord({ list: "ls", remove: "rm" }),
});

const busRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Gather events quickly, and poll what was gathered" },
  routes: bareRecord({
    publish: busPublishCommand,
    poll: busPollCommand,
    stats: busStatsCommand,
  }),
  aliases: bareRecord({ pub: "publish" }),
});

const dbRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Rows that are folded out of logs: tasks, memories, workflows" },
  routes: bareRecord({
    tasks: dbTaskRoutes,
    memories: dbMemoryRoutes,
    workflow: dbWorkflowRoutes,
    snapshot: buildRouteMap<string, NetContext>({
      docs: { brief: "The whole database in a file" },
      routes: bareRecord({ save: dbSnapshotSaveCommand, load: dbSnapshotLoadCommand }),
      aliases: bareRecord({ restore: "load" }),
    }),
    stat: dbStatCommand,
  }),
  aliases: bareRecord({}),
});

const rpcRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Call services of other nodes, and serve some" },
  routes: bareRecord({
    call: rpcCallCommand,
    serve: rpcServeCommand,
    ls: rpcLsCommand,
    watch: rpcWatchCommand,
    stats: rpcStatsCommand,
    bench: rpcBenchCommand,
  }),
  aliases: bareRecord({ list: "ls" }),
});

const toolRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Tools that nodes of the mesh offer to models" },
  routes: bareRecord({
    ls: toolLsCommand,
    show: toolShowCommand,
    call: toolCallCommand,
    serve: toolServeCommand,
    export: toolExportCommand,
  }),
  aliases: bareRecord({ list: "ls" }),
});

const benchRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Measure between nodes of your own" },
  routes: bareRecord({ transport: benchTransportCommand }),
  aliases: bareRecord({}),
});

const identityRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Make, keep and show identities: the node's own and named ones" },
  routes: bareRecord({
    new: identityNewCommand,
    ls: identityLsCommand,
    show: identityShowCommand,
    export: identityExportCommand,
    import: identityImportCommand,
    rotate: identityRotateCommand,
  }),
  aliases: bareRecord({ list: "ls", generate: "new" }),
});

const tokenRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Allow others what they may do on channels, and take it back" },
  routes: bareRecord({
    issue: tokenIssueCommand,
    delegate: tokenDelegateCommand,
    verify: tokenVerifyCommand,
    show: tokenShowCommand,
    revoke: tokenRevokeCommand,
  }),
  aliases: bareRecord({}),
});

const subnetRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Show subnets and who is in them" },
  routes: bareRecord({
    show: subnetShowCommand,
    ls: subnetLsCommand,
    tree: subnetTreeCommand,
    policy: subnetPolicyCommand,
  }),
  aliases: bareRecord({ list: "ls" }),
});

const gatewayRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Decide what crosses between subnets" },
  routes: bareRecord({
    stats: gatewayStatsCommand,
    exports: gatewayExportsCommand,
    export: gatewayExportCommand,
    unexport: gatewayUnexportCommand,
  }),
  aliases: bareRecord({ ls: "exports" }),
});

const validateRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "Check that a member behaves as its contract says" },
  routes: bareRecord({
    ipc: validateIpcCommand,
    composition: validateCompositionCommand,
    metadata: validateMetadataCommand,
    binary: validateBinaryCommand,
  }),
  aliases: bareRecord({}),
});

/** All verbs; `server` and `daemon` are other words for `node start`. */
export const rootRoutes = buildRouteMap<string, NetContext>({
  docs: {
    brief: "A mesh of machines: nodes find each other, move blobs, answer probes.",
    hideRoute: { server: true, daemon: true },
  },
  routes: bareRecord({
    node: nodeRoutes,
    blob: blobRoutes,
    transfer: transferRoutes,
    cap: capRoutes,
    channel: channelRoutes,
    log: logRoutes,
    bus: busRoutes,
    db: dbRoutes,
    rpc: rpcRoutes,
    tool: toolRoutes,
    bench: benchRoutes,
    identity: identityRoutes,
    subnet: subnetRoutes,
    gateway: gatewayRoutes,
    token: tokenRoutes,
    fetch: fetchCommand,
    validate: validateRoutes,
    lookup: lookupCommand,
    start: startCommand,
    stop: stopCommand,
    members: membersCommand,
    doctor: doctorCommand,
    completions: completionsCommand,
    version: versionCommand,
    help: helpCommand,
    server: nodeStartCommand,
    daemon: nodeStartCommand,
  }),
  aliases: bareRecord({}),
});
