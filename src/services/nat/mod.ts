/** Finding a way through NATs: what runs of it. */
export { systemPortMapMachine } from "./port_map_machine.ts";
export {
  type PortMapMachine,
  type PortMapMode,
  type PortMappingDeps,
  PortMappingService,
  type PortMapReport,
} from "./port_mapping.ts";
