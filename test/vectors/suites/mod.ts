/** Every vector file that is understood; another area adds its map here. */

import { joinSuites, type VectorSuite } from "../suite.ts";
import { AGGREGATOR_RPC_SUITES } from "./aggregator_rpc.ts";
import { BLOB_ADAPTER_SUITES } from "./blob_adapters.ts";
import { BLOB_CUT_SUITES } from "./blob_cuts.ts";
import { BLOB_DIRECTORY_SUITES } from "./blob_directories.ts";
import { BLOB_ERASURE_SUITES } from "./blob_erasure.ts";
import { BLOB_POLICY_SUITES } from "./blob_policy.ts";
import { BLOB_REF_SUITES } from "./blob_refs.ts";
import { BLOB_STORE_SUITES } from "./blob_store.ts";
import { BLOB_TRANSFER_SUITES } from "./blob_transfer.ts";
import { BLOB_TREE_SUITES } from "./blob_trees.ts";
import { FOLD_EVENTS_SUITE } from "./cortex.ts";
import { CAPABILITY_SUITES } from "./capability.ts";
import { CAPABILITY_FOLD_SUITES } from "./capability_folds.ts";
import { CAPABILITY_SET_SUITES } from "./capability_sets.ts";
import { CAUSAL_SUITES } from "./causal.ts";
import { DELEGATION_SUITES } from "./delegation.ts";
import { EVENT_BUS_SUITES } from "./event_bus.ts";
import { IDENTITY_SUITES } from "./identity.ts";
import { MEMBERSHIP_SUITES } from "./membership.ts";
import { MODEL_EVENTS_SUITE } from "./models.ts";
import { NETDB_SUITES } from "./netdb.ts";
import { TOKEN_SUITES } from "./tokens.ts";
import { NRPC_FRAME_SUITES } from "./nrpc_frames.ts";
import { NRPC_GOLDEN_SUITES } from "./nrpc_golden.ts";
import { NRPC_NAT_SUITES } from "./nrpc_nat.ts";
import { PLACEMENT_SUITES } from "./placement.ts";
import { PREDICATE_SUITES } from "./predicates.ts";
import { REDEX_FILE_SUITES } from "./redex_files.ts";
import { TOOL_SUITES } from "./tools.ts";
import { WIRE_CONTROL_SUITES } from "./wire_control.ts";
import { WIRE_CRYPTO_SUITES } from "./wire_crypto.ts";
import { WIRE_FRAME_SUITES } from "./wire_frames.ts";
import { WIRE_HANDSHAKE_SUITES } from "./wire_handshake.ts";
import { WIRE_PACKET_SUITES } from "./wire_packets.ts";
import { WIRE_STREAM_SUITES } from "./wire_streams.ts";

/** Path relative to the vector folder to its suite. */
export const SUITES: Readonly<Record<string, VectorSuite>> = {
  ...WIRE_FRAME_SUITES,
  ...WIRE_CONTROL_SUITES,
  ...WIRE_CRYPTO_SUITES,
  ...WIRE_HANDSHAKE_SUITES,
  ...WIRE_PACKET_SUITES,
  ...WIRE_STREAM_SUITES,
  ...IDENTITY_SUITES,
  ...TOKEN_SUITES,
  ...DELEGATION_SUITES,
  ...MEMBERSHIP_SUITES,
  ...CAPABILITY_SUITES,
  ...CAPABILITY_FOLD_SUITES,
  ...AGGREGATOR_RPC_SUITES,
  ...CAPABILITY_SET_SUITES,
  ...PREDICATE_SUITES,
  ...PLACEMENT_SUITES,
  ...TOOL_SUITES,
  ...NRPC_FRAME_SUITES,
  ...NRPC_GOLDEN_SUITES,
  ...NRPC_NAT_SUITES,
  ...REDEX_FILE_SUITES,
  ...CAUSAL_SUITES,
  ...BLOB_REF_SUITES,
  ...BLOB_CUT_SUITES,
  ...BLOB_TREE_SUITES,
  ...BLOB_ERASURE_SUITES,
  ...BLOB_DIRECTORY_SUITES,
  ...BLOB_STORE_SUITES,
  ...BLOB_TRANSFER_SUITES,
  ...BLOB_POLICY_SUITES,
  ...BLOB_ADAPTER_SUITES,
  ...EVENT_BUS_SUITES,
  ...NETDB_SUITES,
  "storage/cortex_events.json": joinSuites(FOLD_EVENTS_SUITE, MODEL_EVENTS_SUITE),
};
