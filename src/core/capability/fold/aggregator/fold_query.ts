/**
 * The service `fold.query` as a function from bytes to bytes (`capabilities.md` 14, promise C1); who
 * calls it over what is not known here.
 *
 * Entries are answered from the fold itself, as their publishers signed them, a page at a time, and only
 * those that the caller may hear of.
 */
import { NetError } from "../../../../base/mod.ts";
import type { FoldEntry } from "../entry.ts";
import type { AnyFoldEnvelope } from "../envelope.ts";
import type { FoldSet } from "../fold_set.ts";
import { isFoldKind } from "../kinds.ts";
import type { FoldReach } from "../reach.ts";
import type { Aggregator } from "./aggregator.ts";
import { decodeDetailQuery, isDetailMatch } from "./detail_query.ts";
import {
  decodeFoldQueryRequest,
  type DetailEntry,
  encodeDetailEntry,
  encodeFoldQueryReply,
  type FoldQueryReply,
  type FoldQueryRequest,
} from "./fold_query_wire.ts";
import { DETAIL_BYTES_MAX, DETAIL_ENTRIES_MAX } from "./limits.ts";
import type { FoldSummary } from "./summary.ts";

/** What {@linkcode createFoldQueryHandler} needs. */
export interface FoldQueryDeps {
  readonly folds: FoldSet;
  /** Left out, there are no summaries here, only entries. */
  readonly aggregator?: Aggregator;
  readonly reach: FoldReach;
  /** Gets what a count on demand found new, to be published as any other. */
  publish(news: readonly FoldSummary[]): void;
}

/** Answers one request. */
export type FoldQueryHandler = (request: Uint8Array, caller: bigint) => Uint8Array<ArrayBuffer>;

type DetailRequest = Extract<FoldQueryRequest, { op: "detail" }>;

interface Candidate {
  readonly name: string;
  readonly entry: FoldEntry;
  readonly envelope: AnyFoldEnvelope;
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();
const NO_CURSOR = new Uint8Array(0);

/** The handler of one node. */
export function createFoldQueryHandler(deps: FoldQueryDeps): FoldQueryHandler {
  return (bytes, caller) => {
    const request = decodeFoldQueryRequest(bytes);
    const reply: FoldQueryReply = request === undefined
      ? { kind: "decode_failed", text: "not a fold query" }
      : request.op === "detail"
      ? answerDetail(deps, request, caller)
      : answerSummaries(deps, request.op, request.kind);
    return encodeFoldQueryReply(reply);
  };
}

function answerSummaries(
  { aggregator, publish }: FoldQueryDeps,
  op: "latest" | "now",
  foldKind: number,
): FoldQueryReply {
  if (aggregator === undefined || !aggregator.counts(foldKind)) {
    return { kind: "unknown_kind", foldKind };
  }
  if (op === "latest") {
    return { kind: "summaries", foldKind, summaries: aggregator.latest(foldKind) };
  }
  const { summaries, news } = aggregator.summariseNow(foldKind);
  publish(news);
  return { kind: "summaries", foldKind, summaries };
}

function answerDetail(
  { folds, reach }: FoldQueryDeps,
  request: DetailRequest,
  caller: bigint,
): FoldQueryReply {
  const { kind, classHash } = request;
  if (!isFoldKind(kind)) return { kind: "unknown_kind", foldKind: kind };
  const query = decodeDetailQuery(kind, request.query);
  if (query === undefined) return { kind: "decode_failed", text: `not a query of kind ${kind}` };
  const limit = Math.min(request.limit || DETAIL_ENTRIES_MAX, DETAIL_ENTRIES_MAX);
  const after = DECODER.decode(request.cursor);
  return folds.query(kind, (fold, { nowMs }) => {
    let total = 0;
    // The first few by name, and one more to know whether there are others.
    const page: Candidate[] = [];
    for (const entry of fold.values(nowMs)) {
      const { envelope } = entry;
      if (classHash !== undefined && envelope.classHash !== classHash) continue;
      if (!isDetailMatch(query, envelope)) continue;
      if (!reach.mayReach(kind, envelope.nodeId, caller)) continue;
      total += 1;
      const name = `${envelope.nodeId.toString(16)}/${entry.key}`;
      if (name > after) insert(page, { name, entry, envelope }, limit + 1);
    }
    const { entries, looked } = takeWhatFits(page.slice(0, limit), nowMs);
    const last = page[looked - 1];
    const isMore = looked < page.length && last !== undefined;
    const cursor = isMore ? ENCODER.encode(last.name) : NO_CURSOR;
    return { kind: "detail", foldKind: kind, total, entries, cursor };
  });
}

/** Keeps the first `count` by name, in order. */
function insert(page: Candidate[], candidate: Candidate, count: number): void {
  const last = page.at(-1);
  if (page.length >= count && last !== undefined && candidate.name >= last.name) return;
  const at = page.findIndex(({ name }) => name > candidate.name);
  page.splice(at === -1 ? page.length : at, 0, candidate);
  if (page.length > count) page.pop();
}

/** The entries that fit one answer, and how many were looked at for them, at least one. */
function takeWhatFits(
  page: readonly Candidate[],
  nowMs: number,
): { readonly entries: readonly DetailEntry[]; readonly looked: number } {
  const entries: DetailEntry[] = [];
  let bytes = 0;
  for (const [looked, { entry, envelope }] of page.entries()) {
    const { publisher, expiresAt } = entry;
    const detail = { envelope, publisher, leftMs: expiresAt - nowMs };
    const size = sizeOf(detail);
    if (size === undefined) continue;
    if (entries.length > 0 && bytes + size > DETAIL_BYTES_MAX) return { entries, looked };
    bytes += size;
    entries.push(detail);
  }
  return { entries, looked: page.length };
}

/** Bytes of an entry; `undefined` for what was announced and is too long in this form. */
function sizeOf(entry: DetailEntry): number | undefined {
  try {
    return encodeDetailEntry(entry).length;
  } catch (error) {
    if (error instanceof NetError) return undefined;
    throw error;
  }
}
