/** Headers that calls of strangers carry: trace parent, trace state, baggage; and the paths they name. */

import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/mod.ts";
import {
  ApiRegistry,
  decodeBaggage,
  decodeTraceParent,
  decodeTraceState,
  encodeBaggage,
  receiveTrace,
  traceHeaders,
} from "../../../src/core/capability/mod.ts";
import type { CreateTarget, FuzzTarget } from "../fuzz.ts";

const LATIN = new TextDecoder("latin1");
/** A member of two letters becomes two texts in a list, a name of one letter an entry of a map. */
const LIST_GROWTH = { factor: 96, base: 1_024 };
const random = (length: number) => new Uint8Array(length).fill(7);

function parentTarget(): FuzzTarget {
  const ids = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
  return {
    corpus: [`00-${ids}-01`, `cc-${ids}-00-later`].map(utf8),
    feed: (bytes) => {
      const text = LATIN.decode(bytes);
      const decoded = decodeTraceParent(text);
      const trace = receiveTrace([["traceparent", text]], random, { kind: "never" });
      assert.equal(trace.parentSpanId !== undefined, decoded.ok);
      const [[, header = ""] = []] = traceHeaders(trace);
      const again = decodeTraceParent(header);
      assert.ok(again.ok && again.traceId === trace.traceId);
      return decoded.ok ? decoded : undefined;
    },
  };
}

function stateTarget(): FuzzTarget {
  return {
    corpus: ["a=1,b@v=2 3", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"].map(utf8),
    growth: LIST_GROWTH,
    feed: (bytes) => {
      const state = decodeTraceState(LATIN.decode(bytes));
      if (state === undefined) return undefined;
      assert.deepEqual(decodeTraceState(state.map((member) => member.join("=")).join()), state);
      return state;
    },
  };
}

function baggageTarget(): FuzzTarget {
  return {
    corpus: ["a=1,b=%20x;ttl=3", "tenant=blue%20%26%20green"].map(utf8),
    growth: LIST_GROWTH,
    feed: (bytes) => {
      const baggage = decodeBaggage(LATIN.decode(bytes));
      if (baggage === undefined) return undefined;
      let header: string | undefined;
      try {
        header = encodeBaggage(baggage);
      } catch (error) {
        // Escaped by our rules it may be longer than it came.
        assert.ok(error instanceof RangeError);
        return baggage;
      }
      assert.deepEqual(decodeBaggage(header ?? ""), baggage);
      return baggage;
    },
  };
}

function pathTarget(): FuzzTarget {
  const registry = new ApiRegistry();
  const paths = ["/", "/{a}", "/a/{b}", "/{a}/b/{c}"];
  registry.register(1n, [
    { name: "api", version: "1.0.0", methods: paths.map((path) => ({ verb: "get", path })) },
  ]);
  return {
    corpus: ["/", "/a/b", "/x/b/y", "/a"].map(utf8),
    growth: LIST_GROWTH,
    feed: (bytes) => {
      const found = registry.lookup({ path: LATIN.decode(bytes) });
      return found.length === 0 ? undefined : found.map(({ parameters }) => [...parameters]);
    },
  };
}

/** The table of this area. */
export const TRACE_TARGETS: Readonly<Record<string, CreateTarget>> = {
  trace_parent: parentTarget,
  trace_state: stateTarget,
  baggage: baggageTarget,
  api_path: pathTarget,
};
