/** Finding a way through NATs: what runs of it. */
export { NatService, type NatServiceDeps, type NatServiceOptions } from "./nat_service.ts";
export type { ReflexOverride } from "./nat_service.ts";
export { describeNat } from "./nat_view.ts";
export { systemPortMapMachine } from "./port_map_machine.ts";
export {
  type PortMapMachine,
  type PortMapMode,
  type PortMappingDeps,
  PortMappingService,
  type PortMapReport,
} from "./port_mapping.ts";
