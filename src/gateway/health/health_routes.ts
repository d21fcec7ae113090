/**
 * The health of the node over HTTP (`onions.md` 12): the documents of the JSON-RPC triad under the paths that
 * orchestrators and load balancers ask for.
 *
 * All of them are vital: they are answered while the node has too much to do, and while it drains. None touches a
 * disk, a lock or a peer.
 */
import {
  checkDocument,
  type HealthView,
  livenessDocument,
  readinessDocument,
  type ReadinessUse,
  versionDocument,
} from "../../kernel/mod.ts";
import { jsonResponse, problemResponse } from "../problem.ts";
import type { GatewayHandler, GatewayRoute } from "../route.ts";

/** What a prober that got 503 is told to wait, in seconds. */
const RETRY_AFTER_SECONDS = 3;

const USES: readonly string[] = ["any", "read", "write"] satisfies readonly ReadinessUse[];

/**
 * The routes.
 *
 * @param isLocal Only this machine reaches them: then they tell why a part is not well, which names peers,
 * channels and paths.
 */
export function healthRoutes(view: HealthView, isLocal: boolean): readonly GatewayRoute[] {
  return [
    vital("/livez", () => jsonResponse(livenessDocument())),
    vital("/readyz", ({ url }) => {
      const use = url.searchParams.get("for") ?? "any";
      return isUse(use) ? answerReadiness(view, use) : problemResponse({
        status: 400,
        code: "usage",
        message: "Cannot tell readiness: for must be any, read or write",
      });
    }),
    vital("/healthz", () => {
      const document = checkDocument(view, { tellsReasons: isLocal });
      const unhealthy = Object.entries(document.subsystems)
        .filter(([, { status }]) => status === "unhealthy").map(([name]) => name);
      return document.status === "unhealthy"
        ? unavailable({ ...document, unhealthy })
        : jsonResponse(document);
    }),
    vital("/version", () => {
      const { member } = view;
      return jsonResponse({ service: member.primal, ...versionDocument(member) });
    }),
  ];
}

function answerReadiness(view: HealthView, use: ReadinessUse): Response {
  const document = readinessDocument(view, use);
  return document.ready ? jsonResponse(document) : unavailable(document);
}

function unavailable(document: object): Response {
  return jsonResponse({ ...document, retry_after: RETRY_AFTER_SECONDS }, 503, {
    "retry-after": String(RETRY_AFTER_SECONDS),
  });
}

/** A route that is only looked at, and always answered. */
export function vital(path: string, handler: GatewayHandler): GatewayRoute {
  return { path, handlers: { GET: handler }, isVital: true };
}

function isUse(text: string): text is ReadinessUse {
  return USES.includes(text);
}
