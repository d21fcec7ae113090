/** Memories: what a row, an event and a filter of them look like (`storage.md` 11). */
import { PostcardWriter } from "../../../base/mod.ts";
import type { ModelEvent } from "../rows.ts";
import type { TimedFilter } from "../tables/timed_rows.ts";

/** A memory: a text with tags. */
export interface Memory {
  readonly id: bigint;
  readonly content: string;
  readonly tags: readonly string[];
  readonly source: string;
  /** Unix nanoseconds. */
  readonly createdNs: bigint;
  readonly updatedNs: bigint;
  readonly isPinned: boolean;
}

/** Memories that are wanted; all parts have to hold. */
export interface MemoryFilter extends TimedFilter {
  /** Exactly this. */
  readonly source?: string;
  /** Without regard to case; empty is in every content. */
  readonly contentContains?: string;
  /** Has this tag, in these letters. */
  readonly tag?: string;
  /** Has one of these; an empty list is no filter. */
  readonly anyTag?: readonly string[];
  /** Has all of these. */
  readonly allTags?: readonly string[];
  readonly isPinned?: boolean;
  /** Any other condition; it must depend on the memory alone. Asked last. */
  readonly matching?: (memory: Memory) => boolean;
}

/** Channel of the memories' log. */
export const MEMORIES_CHANNEL = "cortex/memories";

/** Dispatch bytes of memory events. */
export const MEMORY_EVENTS = {
  store: 0x10,
  retag: 0x11,
  pin: 0x12,
  unpin: 0x13,
  delete: 0x14,
} as const;

/** What a memory holds. */
export interface MemoryContent {
  readonly content: string;
  readonly tags?: readonly string[];
  readonly source?: string;
}

/** A new memory, or other content of one that is there: it stays pinned, and created when it was. */
export function storeMemoryEvent(
  id: bigint,
  { content, tags = [], source = "" }: MemoryContent,
  nowNs: bigint,
): ModelEvent {
  const tail = new PostcardWriter(32 + content.length).varint(id).text(content);
  return event(MEMORY_EVENTS.store, writeTags(tail, tags).text(source).varint(nowNs));
}

/** Other tags instead of those it has. */
export function retagMemoryEvent(id: bigint, tags: readonly string[], nowNs: bigint): ModelEvent {
  return event(
    MEMORY_EVENTS.retag,
    writeTags(new PostcardWriter().varint(id), tags).varint(nowNs),
  );
}

export function pinMemoryEvent(id: bigint, nowNs: bigint): ModelEvent {
  return event(MEMORY_EVENTS.pin, new PostcardWriter().varint(id).varint(nowNs));
}

export function unpinMemoryEvent(id: bigint, nowNs: bigint): ModelEvent {
  return event(MEMORY_EVENTS.unpin, new PostcardWriter().varint(id).varint(nowNs));
}

/** The memory goes; one stored later under its id is new. */
export function deleteMemoryEvent(id: bigint): ModelEvent {
  return event(MEMORY_EVENTS.delete, new PostcardWriter().varint(id));
}

/** True when two memories have the same content. */
export function isSameMemory(a: Memory, b: Memory): boolean {
  return a === b || a.id === b.id && a.content === b.content && a.source === b.source &&
      a.createdNs === b.createdNs && a.updatedNs === b.updatedNs && a.isPinned === b.isPinned &&
      a.tags.length === b.tags.length && a.tags.every((tag, at) => tag === b.tags[at]);
}

function writeTags(writer: PostcardWriter, tags: readonly string[]): PostcardWriter {
  return writer.list(tags, (tag) => writer.text(tag));
}

function event(dispatch: number, tail: PostcardWriter): ModelEvent {
  return { dispatch, tail: tail.finish() };
}
