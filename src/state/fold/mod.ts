/** Folds of a user's own, declared in one place. */
export * from "./define_fold.ts";
export {
  type FoldCodec,
  type FoldData,
  type GivenData,
  type GotData,
  jsonCodec,
} from "./fold_codecs.ts";
export * from "./open_fold.ts";
export * from "./plain_value.ts";
export * from "./postcard_codec.ts";
export { type FoldAppends, type FoldEventInput, OpenFold } from "./typed_fold.ts";
