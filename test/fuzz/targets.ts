/** Every decoder that bytes from outside reach, by name. */

import type { CreateTarget } from "./fuzz.ts";
import { BLOB_READ_TARGETS } from "./targets/blob_read_targets.ts";
import { BLOB_TARGETS } from "./targets/blob_targets.ts";
import { BUS_TARGETS } from "./targets/bus_targets.ts";
import { CAPABILITY_TARGETS } from "./targets/capability_targets.ts";
import { CAUSAL_TARGETS } from "./targets/causal_targets.ts";
import { CHANNEL_TARGETS } from "./targets/channel_targets.ts";
import { CHUNK_STORE_TARGETS } from "./targets/chunk_store_targets.ts";
import { CORTEX_TARGETS } from "./targets/cortex_targets.ts";
import { AGGREGATOR_TARGETS } from "./targets/aggregator_targets.ts";
import { ENGINE_TARGETS } from "./targets/engine_targets.ts";
import { FOLD_TARGETS } from "./targets/fold_targets.ts";
import { CONTROL_TARGETS } from "./targets/control_targets.ts";
import { COPY_TARGETS } from "./targets/copy_targets.ts";
import { GATEWAY_TARGETS } from "./targets/gateway_targets.ts";
import { HANDSHAKE_TARGETS } from "./targets/handshake_target.ts";
import { INDEX_TARGETS } from "./targets/index_targets.ts";
import { LOG_FILE_TARGETS } from "./targets/log_file_targets.ts";
import { MANAGER_TARGETS } from "./targets/manager_targets.ts";
import { MEMBER_TARGETS } from "./targets/member_targets.ts";
import { NAT_TARGETS } from "./targets/nat_targets.ts";
import { OVERFLOW_TARGETS } from "./targets/overflow_targets.ts";
import { PORT_MAPPING_TARGETS } from "./targets/port_mapping_targets.ts";
import { PREDICATE_TARGETS } from "./targets/predicate_targets.ts";
import { RPC_ENGINE_TARGETS } from "./targets/rpc_engine_targets.ts";
import { RPC_FRAME_TARGETS } from "./targets/rpc_frame_targets.ts";
import { RPC_LINK_TARGETS } from "./targets/rpc_link_targets.ts";
import { SEALED_TARGETS } from "./targets/sealed_targets.ts";
import { STATE_MODEL_TARGETS } from "./targets/state_model_targets.ts";
import { SUBNET_TARGETS } from "./targets/subnet_targets.ts";
import { TOKEN_TARGETS } from "./targets/token_targets.ts";
import { TOOL_TARGETS } from "./targets/tool_targets.ts";
import { TOOLKIT_TARGETS } from "./targets/toolkit_targets.ts";
import { TRACE_TARGETS } from "./targets/trace_targets.ts";
import { TRANSFER_TARGETS } from "./targets/transfer_targets.ts";
import { TRANSPORT_TARGETS } from "./targets/transport_target.ts";
import { VALIDATE_TARGETS } from "./targets/validate_targets.ts";
import { VALUE_TARGETS } from "./targets/value_targets.ts";
import { WIRE_TARGETS } from "./targets/wire_targets.ts";

/** The one table. */
export const FUZZ_TARGETS: Readonly<Record<string, CreateTarget>> = {
  ...WIRE_TARGETS,
  ...SEALED_TARGETS,
  ...VALUE_TARGETS,
  ...PREDICATE_TARGETS,
  ...RPC_FRAME_TARGETS,
  ...RPC_LINK_TARGETS,
  ...RPC_ENGINE_TARGETS,
  ...TOOL_TARGETS,
  ...TRACE_TARGETS,
  ...HANDSHAKE_TARGETS,
  ...TRANSPORT_TARGETS,
  ...FOLD_TARGETS,
  ...AGGREGATOR_TARGETS,
  ...SUBNET_TARGETS,
  ...CHANNEL_TARGETS,
  ...TOKEN_TARGETS,
  ...CAPABILITY_TARGETS,
  ...INDEX_TARGETS,
  ...MEMBER_TARGETS,
  ...NAT_TARGETS,
  ...PORT_MAPPING_TARGETS,
  ...OVERFLOW_TARGETS,
  ...COPY_TARGETS,
  ...GATEWAY_TARGETS,
  ...CONTROL_TARGETS,
  ...LOG_FILE_TARGETS,
  ...CHUNK_STORE_TARGETS,
  ...CORTEX_TARGETS,
  ...CAUSAL_TARGETS,
  ...ENGINE_TARGETS,
  ...BUS_TARGETS,
  ...STATE_MODEL_TARGETS,
  ...BLOB_TARGETS,
  ...BLOB_READ_TARGETS,
  ...TRANSFER_TARGETS,
  ...TOOLKIT_TARGETS,
  ...MANAGER_TARGETS,
  ...VALIDATE_TARGETS,
};
