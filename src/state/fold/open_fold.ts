/** Opens a declared fold over a log. */
import { openCortex, type OpenCortexDeps, type OpenCortexOptions } from "../cortex/mod.ts";
import type { FoldDefinition, FoldEvents } from "./define_fold.ts";
import { OpenFold } from "./typed_fold.ts";

/** Options of {@linkcode openFold}. */
export type OpenFoldOptions = OpenCortexOptions;

/**
 * Opens a declared fold; see {@linkcode openCortex}.
 *
 * @example
 * ```ts
 * import { systemClock } from "../../base/mod.ts";
 * import { openRedex } from "../../log/mod.ts";
 * import { defineFold } from "./define_fold.ts";
 * import { openFold } from "./open_fold.ts";
 * import { postcardCodec } from "./postcard_codec.ts";
 * const counter = defineFold({
 *   channel: "demo/counter",
 *   state: () => ({ total: 0 }),
 *   events: {
 *     added: {
 *       dispatch: 0x80,
 *       data: postcardCodec({ amount: "u32" }),
 *       apply: (state, { amount }) => void (state.total += amount),
 *     },
 *   },
 * });
 * await using redex = openRedex({ clock: systemClock });
 * await using fold = await openFold({ redex, clock: systemClock }, counter, { origin: 1n });
 * fold.append.added({ amount: 3 });
 * console.assert(fold.state.total === 3);
 * ```
 */
export async function openFold<State, Events extends FoldEvents>(
  deps: OpenCortexDeps,
  definition: FoldDefinition<State, Events>,
  options: OpenFoldOptions,
): Promise<OpenFold<State, Events>> {
  return new OpenFold(definition, await openCortex(deps, definition.model, options));
}
