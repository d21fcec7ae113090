/** Records of engines behind the bus, which other programs may write to. */
import { decodeEnvelope, encodeEnvelope } from "../../../src/log/bus/adapters/engine/mod.ts";
import { assertSame, type CreateTarget, type FuzzTarget } from "../fuzz.ts";

const TEXTS = [
  '{"r":{"a":1},"t":5,"s":0}',
  '{"r":not json,"t":18446744073709551615,"s":65535}',
  '{"r":,"t":0,"s":1}',
  ' { "s" : 6 , "r" : ["}", {"x":"\\""}] , "t" : 5 } ',
  '{"r":1,"other":{"r":2,"t":[]}}',
];

function envelopeTarget(): FuzzTarget {
  return {
    corpus: TEXTS.map((text) => new TextEncoder().encode(text)),
    feed: (bytes) => {
      const envelope = decodeEnvelope(bytes);
      if (envelope === undefined) return undefined;
      const again = decodeEnvelope(encodeEnvelope(envelope));
      assertSame(again?.raw ?? new Uint8Array(1), envelope.raw);
      return envelope;
    },
  };
}

/** Targets of this file. */
export const ENGINE_TARGETS: Readonly<Record<string, CreateTarget>> = {
  bus_envelope: envelopeTarget,
};
