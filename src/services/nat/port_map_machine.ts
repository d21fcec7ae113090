/** The machine that port mapping looks at when it is a real one. */
import { openUdpSocket } from "../../core/transport/mod.ts";
import { askGatewayByHttp } from "./gateway_http.ts";
import type { PortMapMachine } from "./port_mapping.ts";

/** Linux's table of routes; other systems have no file of it. */
const ROUTES_FILE = "/proc/net/route";

/** This machine. */
export const systemPortMapMachine: PortMapMachine = {
  readRoutes: () => Deno.readTextFile(ROUTES_FILE),
  interfaces: () => Deno.networkInterfaces(),
  openSocket: openUdpSocket,
  http: askGatewayByHttp,
};
