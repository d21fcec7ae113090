/** Tests against the golden documents of nRPC; ignored, with the reason, where there are none. */
import { readVectorFile, vectorFolder } from "../vectors/folder.ts";

/** A document of `vectors/nrpc`. */
export type GoldenFile = "golden_unary.json" | "golden_streaming.json";

/** Registers a test that is handed a golden document. */
export function goldenTest<T>(
  name: string,
  file: GoldenFile,
  fn: (golden: T) => void | Promise<void>,
): void {
  const text = readVectorFile(vectorFolder(), `nrpc/${file}`);
  if (text === undefined) console.log(`ignored: ${name}: there is no nrpc/${file}`);
  Deno.test({
    name,
    ignore: text === undefined,
    fn: () => fn(JSON.parse(text ?? "null") as T),
  });
}
