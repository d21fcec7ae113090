/** Methods about the node itself; all of them privileged. */
import * as v from "../../schema/mod.ts";
import { idToHex, NetError, toHex } from "../../base/mod.ts";
import type { Node } from "../../node.ts";
import type { MetricFamily } from "../../observe/mod.ts";
import { defineMethod, type Method } from "../method.ts";
import { describeCounters } from "./counter_report.ts";

/** Time a node needs to stop behind its drain: 6 s for its services, and a little for the rest. */
const STOP_MS = 10_000;

const NOTHING = v.object({});
/** Longest life of a ticket: ten years. */
const TICKET_SECONDS_MAX = 10 * 366 * 86_400;

/** The methods of a node. */
export function nodeMethods(node: Node): readonly Method[] {
  return [
    defineMethod({
      name: "node.status",
      access: "privileged",
      summary: "Who and where the node is, and its peers",
      isReadOnly: true,
      answersWhileDraining: true,
      params: NOTHING,
      handle: () => node.status(),
    }),
    defineMethod({
      name: "node.ticket",
      access: "privileged",
      summary: "A ticket for joining the mesh through this node; secret",
      isReadOnly: true,
      params: v.object({
        expires_secs: v.optional(
          v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(TICKET_SECONDS_MAX)),
        ),
        label: v.optional(v.pipe(v.string(), v.maxLength(64))),
      }),
      handle: ({ expires_secs, label }) => node.ticket({ expiresSeconds: expires_secs, label }),
    }),
    defineMethod({
      name: "node.http",
      access: "privileged",
      summary: "Where the node serves HTTP, and on request the secret to write with",
      isReadOnly: true,
      answersWhileDraining: true,
      params: v.object({ secret: v.optional(v.boolean(), false) }),
      handle: ({ secret: isSecretWanted }) => {
        const { http, config } = node;
        if (http === undefined) {
          throw new NetError("not_found", "Cannot show HTTP: this node serves none", {
            next: "start it with --http PORT",
          });
        }
        return {
          address: http.address,
          url: `http://${http.address}`,
          write: config.httpWrite,
          ...(isSecretWanted ? { secret: http.secret } : {}),
        };
      },
    }),
    defineMethod({
      name: "node.counters",
      access: "privileged",
      summary: "All counters of the node, the stages they add up in, what was dropped",
      isReadOnly: true,
      answersWhileDraining: true,
      params: NOTHING,
      handle: () => describeCounters(node),
    }),
    defineMethod({
      name: "node.metrics",
      access: "privileged",
      summary: "Everything that is counted, as text for Prometheus or as families",
      isReadOnly: true,
      answersWhileDraining: true,
      params: v.object({
        format: v.optional(v.picklist(["prometheus", "openmetrics", "json"]), "prometheus"),
      }),
      handle: ({ format }) => {
        const { metrics } = node;
        if (format === "prometheus") return { text: metrics.toPrometheus() };
        if (format === "openmetrics") return { text: metrics.toOpenMetrics() };
        return { families: describeFamilies(metrics.families()) };
      },
    }),
    defineMethod({
      name: "node.stop",
      access: "privileged",
      summary: "Stop the node",
      isReadOnly: false,
      answersWhileDraining: true,
      params: NOTHING,
      handle: () => {
        node.stopSoon("asked over the control socket");
        return {
          status: "stopping",
          pid: Deno.pid,
          socket_kept: node.isSocketKept,
          stops_within_ms: node.config.drainTimeoutMs + STOP_MS,
        };
      },
    }),
    defineMethod({
      name: "identity.show",
      access: "privileged",
      summary: "Public identity of the node",
      isReadOnly: true,
      params: NOTHING,
      handle: () => {
        const { identity, noise } = node.keys;
        return {
          node_id: idToHex(identity.nodeId),
          entity_id: toHex(identity.entityId),
          origin_hash: idToHex(identity.originHash),
          routing_id: identity.routingId,
          issuer_generation: identity.issuerGeneration,
          noise_public_key: toHex(noise.publicKey),
        };
      },
    }),
  ];
}

/** JSON has no infinities: those are texts, as the text formats write them. */
function describeFamilies(families: readonly MetricFamily[]): object[] {
  return families.map(({ name, type, help, samples }) => ({
    name,
    type,
    help,
    samples: samples.map(({ suffix, labels = [], value }) => ({
      ...(suffix === undefined ? {} : { suffix }),
      labels: Object.fromEntries(labels),
      value: Number.isFinite(value) ? value : value > 0 ? "+Inf" : value < 0 ? "-Inf" : "NaN",
    })),
  }));
}
