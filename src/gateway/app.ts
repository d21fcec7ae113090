/**
 * The gateway as one HTTP application: the layers of `onions.md` 18 around its routes, from outside in: request
 * id, whether a web page sent it, rate, requests in flight, encodings, time, body.
 *
 * A route adds itself by being in the list; it cannot leave a layer out, only be vital.
 */
import { Hono } from "hono";
import { toHex } from "../base/mod.ts";
import { Admission } from "./admission.ts";
import { answerWith } from "./answer.ts";
import { NO_ROUTE, notAllowed } from "./failures.ts";
import type { Env, GatewayAppDeps } from "./gateway_env.ts";
import type { RequestInfo } from "./http/connection.ts";
import { REQUEST_ID_CHARACTERS_MAX } from "./limits.ts";
import { problemResponse } from "./problem.ts";
import type { GatewayHandler, GatewayRoute, RouteMethod } from "./route.ts";

export type { GatewayAppDeps } from "./gateway_env.ts";

/** Answers requests. */
export type GatewayApp = (request: Request, info: RequestInfo) => Promise<Response>;

/** A request id of a client is shown in logs and sent back: plain characters only. */
const REQUEST_ID = new RegExp(`^[A-Za-z0-9._:-]{1,${REQUEST_ID_CHARACTERS_MAX}}$`);

/** Builds the application. */
export function createGatewayApp(
  deps: GatewayAppDeps,
  routes: readonly GatewayRoute[],
): GatewayApp {
  const admission = new Admission(deps);
  const app = new Hono<Env>();
  const vitalPaths = new Set(routes.filter(({ isVital }) => isVital).map(({ path }) => path));
  for (const route of routes) {
    const allowed = allowedMethods(route);
    app.all(route.path, async (context) => {
      context.env.route = route.path;
      const refused = admission.check(context, route);
      if (refused !== undefined) return refused;
      const { method } = context.req.raw;
      if (method === "OPTIONS") {
        return new Response(null, { status: 204, headers: { allow: allowed } });
      }
      const handler = handlerOf(route, method);
      if (handler === undefined) return problemResponse(notAllowed(method, allowed));
      return await answerWith(deps, route, handler, context);
    });
  }
  app.all("*", (context) => admission.check(context, undefined) ?? problemResponse(NO_ROUTE));
  return async (request, info) => {
    const { headers } = request;
    const requestId = readId(headers, "x-request-id") ?? toHex(deps.random(8));
    const env = { info, requestId, route: "none" };
    const startMs = deps.clock.now();
    const response = await app.fetch(request, env);
    const latencyMs = deps.clock.now() - startMs;
    deps.counters.countAnswer(env.route, request.method, response.status, latencyMs);
    if (deps.isDraining?.() === true && !vitalPaths.has(env.route)) {
      // The client's next request goes where work is taken.
      response.headers.set("connection", "close");
    }
    response.headers.set("x-request-id", requestId);
    const correlation = readId(headers, "x-corr-id");
    if (correlation !== undefined) response.headers.set("x-corr-id", correlation);
    response.headers.set("x-content-type-options", "nosniff");
    return response;
  };
}

function handlerOf(route: GatewayRoute, method: string): GatewayHandler | undefined {
  const { handlers } = route;
  if (method === "HEAD") return handlers.HEAD ?? handlers.GET;
  return Object.hasOwn(handlers, method) ? handlers[method as RouteMethod] : undefined;
}

function allowedMethods({ handlers }: GatewayRoute): string {
  const methods = Object.keys(handlers);
  if (handlers.GET !== undefined && handlers.HEAD === undefined) methods.push("HEAD");
  return [...methods, "OPTIONS"].join(", ");
}

function readId(headers: Headers, name: string): string | undefined {
  const id = headers.get(name);
  return id !== null && REQUEST_ID.test(id) ? id : undefined;
}
