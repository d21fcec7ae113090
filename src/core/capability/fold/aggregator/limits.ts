/** Bounds of summaries and of the bodies of aggregator services (`capabilities.md` 14). */
import { MAX_EVENT_BYTES } from "../../../transport/mod.ts";

/** A summary is published as one event. */
export const SUMMARY_BYTES_MAX = MAX_EVENT_BYTES;

/** Time between summaries. */
export const SUMMARY_INTERVAL_MS = 30_000;

/** Summaries an aggregator keeps; the oldest go. */
export const SUMMARIES_KEPT = 32;

/** An aggregator that is so many summaries behind is not healthy. */
export const SUMMARIES_BEHIND_MAX = 3;

/**
 * Classes and subnets that a summary counts one by one; the others are counted together. 32 classes with
 * four states and 64 subnets are 192 buckets of at most 35 bytes: 6,720, which fits one event.
 */
export const SUMMARY_CLASSES_MAX = 32;
export const SUMMARY_SUBNETS_MAX = 64;

/** How long a client believes the latest summaries of an aggregator, and for how many it keeps them. */
export const SUMMARY_CACHE_MS = 5_000;
export const SUMMARY_CACHE_MAX = 1_024;

/** Body of an answer with entries: one event, with room for what the call puts around it. */
export const DETAIL_BYTES_MAX = 7_168;

/** Entries of one answer: what fits of the shortest, about 90 bytes each. */
export const DETAIL_ENTRIES_MAX = 80;
