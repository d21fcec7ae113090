/**
 * Methods about puts that survive an interruption: streams with a token that the caller may keep, and what was left
 * of puts of files (`dataforts.md` 11); all of them privileged.
 */
import * as v from "../../schema/mod.ts";
import type { Node } from "../../node.ts";
import type { StagingStatus } from "../../services/mod.ts";
import { defineMethod, type Method } from "../method.ts";
import { describePut, FORM_WORDS } from "./blob_methods.ts";

const TOKEN = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/));
/** 512 KiB as base64: fits the 1 MiB line. */
const PIECE_TEXT_MAX = 700_000;
const OFFSET = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** The methods about stagings. */
export function blobStagingMethods(node: Node): readonly Method[] {
  return [
    defineMethod({
      name: "blob.staging_begin",
      access: "privileged",
      summary: "Begin a blob that comes in pieces and can be gone on with after a crash",
      isReadOnly: false,
      params: v.object({
        label: v.optional(v.pipe(v.string(), v.maxLength(255))),
        ...FORM_WORDS,
      }),
      handle: async ({ label, cdc, ec }) => {
        const form = node.blobs.putForm({ cdc, ec });
        return { staging: await node.blobs.stagings.begin({ label, form }), offset: 0 };
      },
    }),
    defineMethod({
      name: "blob.staging_append",
      access: "privileged",
      summary: "Add a piece, base64, at most 512 KiB; offset, if given, must be where it belongs",
      isReadOnly: false,
      isContinuation: true,
      params: v.object({
        staging: TOKEN,
        data: v.pipe(v.string(), v.maxLength(PIECE_TEXT_MAX), v.base64()),
        offset: v.optional(OFFSET),
      }),
      handle: async ({ staging, data, offset }) => {
        const piece = Uint8Array.fromBase64(data);
        return { offset: await node.blobs.stagings.append(staging, piece, offset) };
      },
    }),
    defineMethod({
      name: "blob.staging_finalize",
      access: "privileged",
      summary: "End a blob that came in pieces",
      isReadOnly: false,
      isContinuation: true,
      params: v.object({ staging: TOKEN }),
      handle: async ({ staging }) => {
        const { stored, seconds } = await node.blobs.finalizeStaging(staging);
        return describePut({ stored, seconds });
      },
    }),
    defineMethod({
      name: "blob.staging_resume",
      access: "privileged",
      summary: "Go on with a blob that came in pieces; the next one begins at offset",
      isReadOnly: false,
      params: v.object({ staging: TOKEN }),
      handle: async ({ staging }) => ({
        staging,
        offset: await node.blobs.stagings.resume(staging),
      }),
    }),
    defineMethod({
      name: "blob.staging_abort",
      access: "privileged",
      summary: "Drop a put that is not finished, and what was stored of it",
      isReadOnly: false,
      isContinuation: true,
      params: v.object({ staging: TOKEN }),
      handle: async ({ staging }) => ({ aborted: await node.blobs.stagings.abort(staging) }),
    }),
    defineMethod({
      name: "blob.staging_list",
      access: "privileged",
      summary: "Puts that are not finished, the last used first",
      isReadOnly: true,
      params: v.object({}),
      handle: async () => ({ stagings: (await node.blobs.stagings.list()).map(describe) }),
    }),
  ];
}

function describe(staging: StagingStatus): object {
  const isStream = staging.sourceKey === "";
  return {
    staging: staging.token,
    kind: isStream ? "stream" : "file",
    path: isStream ? null : pathOf(staging.sourceKey),
    label: staging.label,
    bytes: staging.bytes,
    open: staging.isOpen,
    created_at: new Date(staging.createdAtMs).toISOString(),
    updated_at: new Date(staging.updatedAtMs).toISOString(),
    expires_at: new Date(staging.expiresAtMs).toISOString(),
  };
}

/** Path in the key of a file, which is a JSON list that begins with it. */
function pathOf(sourceKey: string): string | null {
  try {
    const path = v.safeParse(
      v.array(v.union([v.string(), v.number(), v.null()])),
      JSON.parse(sourceKey),
    );
    const [first] = path.success ? path.output : [];
    return typeof first === "string" ? first : null;
  } catch {
    return null; // Written by something else; the staging is none the worse for it.
  }
}
