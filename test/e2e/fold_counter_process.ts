/** A program that counts in a fold of a node, as fast as it can, and says how far it is; `fold_kill_test.ts` kills it. */
import { defineFold, postcardCodec, startNode } from "../../src/mod.ts";

/** Each event is the number behind the one before it. */
export const counted = defineFold({
  channel: "test/counted",
  state: () => ({ last: 0, holes: 0 }),
  events: {
    next: {
      dispatch: 0x80,
      data: postcardCodec({ number: "u32" }),
      apply: (state, { number }) => {
        if (number !== state.last + 1) state.holes += 1;
        state.last = number;
      },
    },
  },
});

if (import.meta.main) {
  const [dataDir = ""] = Deno.args;
  const node = await startNode({ listen: "127.0.0.1:0", traversal: false, dataDir });
  const fold = await node.fold(counted);
  const encoder = new TextEncoder();
  for (;;) {
    const last = fold.state.last + 1;
    fold.append.next({ number: last });
    // What was said is what was appended before.
    Deno.stdout.writeSync(encoder.encode(`${last}\n`));
    if (last % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}
