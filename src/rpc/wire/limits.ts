/** Sizes of nRPC frames (`nrpc.md` 2, 3). */

/** Event metadata and route word in front of every body. */
export const FRAME_BYTES = 32;

/** Headers of one request, chunk or response. */
export const HEADERS_MAX = 32;

/** Bytes of a header's name, at least one. */
export const HEADER_NAME_BYTES_MAX = 64;

/** Bytes of a header's value. */
export const HEADER_VALUE_BYTES_MAX = 4_096;

/** Bytes of a service's name; the names of its channels are longer, so fewer are usable. */
export const SERVICE_BYTES_MAX = 255;

/** Bytes of a body that the Rust core decodes; what one packet holds is far less. */
export const PLAIN_BODY_BYTES_MAX = 4_194_304;

/** Bytes of a body between nodes of ours, in fragments where it does not fit one packet. */
export const BODY_BYTES_MAX = 67_108_864;

/** Credits that a caller may give or have, so that absurd numbers overflow nothing. */
export const CREDITS_MAX = 1_000_000;
