/** Makes adapters of their descriptions; nothing is sent or stored by that. */
import type { Clock, RandomBytes } from "../../base/mod.ts";
import {
  type BlobAdapter,
  createNoopAdapter,
  createS3Adapter,
  openFileAdapter,
  readS3Credentials,
  S3Adapter,
  type SmallRef,
} from "../../blob/mod.ts";
import type { AdapterSpec } from "./adapter_memory.ts";

/** What {@linkcode openAdapter} needs. */
export interface AdapterOpenerDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Variables of the process, for credentials. */
  readonly readEnv: () => Readonly<Record<string, string | undefined>>;
}

/** @throws BlobAdapterError `backend` for a folder that cannot be used, or a place that cannot be. */
export async function openAdapter(
  spec: AdapterSpec,
  { clock, random, readEnv }: AdapterOpenerDeps,
): Promise<BlobAdapter> {
  if (spec.kind === "noop") return createNoopAdapter(spec.id);
  if (spec.kind === "file") {
    return await openFileAdapter({ id: spec.id, folder: spec.folder, clock });
  }
  const { id, bucket, region, endpoint, path_style: isPathStyle, prefix, profile } = spec;
  return createS3Adapter({
    id,
    place: { bucket, region, endpoint, isPathStyle: isPathStyle ?? endpoint !== undefined },
    prefix,
    credentials: () =>
      readS3Credentials({
        file: spec.credentials,
        profile,
        env: readEnv(),
        readFile: (path) => Deno.readTextFile(path),
      }),
    clock,
    random,
  });
}

/** The reference of a blob in an adapter, with the name that other programs have for it. */
export function smallRef(adapter: BlobAdapter, hash: Uint8Array, size: number): SmallRef {
  const [scheme = "mesh"] = adapter.schemes;
  const uri = adapter instanceof S3Adapter ? adapter.uriOf(hash) : `${scheme}://${hash.toHex()}`;
  return { kind: "small", uri, hash, size };
}

/** Where an adapter keeps blobs. */
export function placeOf(spec: AdapterSpec): string {
  if (spec.kind === "noop") return "nowhere";
  if (spec.kind === "file") return spec.folder;
  const at = spec.endpoint === undefined ? "" : ` at ${spec.endpoint}`;
  return `s3://${spec.bucket}/${spec.prefix ?? ""}${at}`;
}
