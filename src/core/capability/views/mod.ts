/** What the tags of a node say, as typed values, and the other way round (`capabilities.md` 3). */
export * from "./capability_builder.ts";
export {
  decodeHardwareView,
  GPU_VENDORS,
  type GpuVendor,
  type GpuView,
  type HardwareInput,
  hardwareTags,
  type HardwareView,
  parseGpuVendor,
  readHardwareView,
} from "./hardware_view.ts";
export { decodeLimitsView, limitsTags, type LimitsView, readLimitsView } from "./limits_view.ts";
export * from "./modality.ts";
export {
  decodeModels,
  type ModelInput,
  modelTags,
  type ModelView,
  readModels,
} from "./model_view.ts";
export {
  decodeSoftwareView,
  readSoftwareView,
  type SoftwareInput,
  softwareTags,
  type SoftwareView,
} from "./software_view.ts";
export {
  decodeTools,
  readTools,
  TOOL_VERSION_DEFAULT,
  type ToolInput,
  toolMetadata,
  toolTags,
  type ToolView,
} from "./tool_view.ts";
