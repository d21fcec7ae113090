/** Cases that a file holds as the named hex texts of an object. */
import { recordOf, type VectorObject } from "../vector_reader.ts";

/** Hex texts of an object as cases; notes and numbers are none. */
export function textsOf(file: VectorObject, field: string): VectorObject[] {
  return Object.entries(recordOf(file, field))
    .filter(([, value]) => typeof value === "string" && /^([0-9a-f]{2})+$/.test(value))
    .map(([name, hex]) => ({ name, hex }));
}
