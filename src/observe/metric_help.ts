/** What metrics mean, in a sentence: written for those that people look for, made of the name for the rest. */

const HELP: Readonly<Record<string, string>> = {
  bytes_in_total: "Bytes that came over HTTP.",
  bytes_out_total: "Bytes that went over HTTP.",
  dataforts_blob_disk_capacity_bytes: "Bytes the store of blobs may have.",
  dataforts_blob_disk_used_bytes: "Bytes the store of blobs has.",
  fold_apply_duration: "Seconds that folds took to apply what nodes said.",
  fold_entries_total: "Entries of folds now.",
  fold_query_duration: "Seconds that questions to folds took.",
  http_requests_total: "Requests over HTTP, by route, method and status.",
  inflight_requests: "Requests over HTTP that are under way.",
  integrity_fail_total: "Objects that were not what their address says.",
  net_blob_keeping_is_full: "1 while the store of blobs is so full that it should get nothing new.",
  net_blob_keeping_missing_chunks: "Chunks of blobs that are missing.",
  net_blob_store_free_bytes: "Bytes the store of blobs has left.",
  net_control_connections_active: "Connections to the control surface now.",
  net_control_requests_in_flight: "Requests to the control surface that are not answered yet.",
  net_http_connections_active: "HTTP connections now.",
  net_metrics_read_failures_total: "Times that a stage could not be read for an exposition.",
  net_rpc_calls_pending: "Calls of this node that wait for an answer.",
  net_rpc_handlers_running: "Handlers of this node at work.",
  net_transfer_serves_active: "Pieces of blobs being served to peers.",
  net_transport_peers_connected: "Peers with a session now.",
  rejected_total: "Requests over HTTP that were turned away, by reason.",
};

/** The meaning of a metric. */
export function helpOf(name: string): string {
  const known = HELP[name];
  if (known !== undefined) return known;
  const words = name.replace(/^net_/, "").replace(/_total$/, "").split("_");
  const unit = words.at(-1) === "bytes" || words.at(-1) === "seconds" ? words.pop() : undefined;
  const what = words.join(" ");
  const inUnit = unit === undefined ? "" : ` in ${unit}`;
  const text = name.endsWith("_total")
    ? `${what}${inUnit}, counted since the start.`
    : `${what}${inUnit}, now.`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}
