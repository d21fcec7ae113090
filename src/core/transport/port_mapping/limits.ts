/** Bounds of port mapping, with where the numbers come from. */

/** `nrpc.md` 16. */
export const LEASE_SECONDS = 3_600;
export const RENEW_MS = 30 * 60_000;
export const FAILURES_MAX = 3;
export const NAT_PMP_PORT = 5_351;
export const GATEWAY_DEADLINE_MS = 1_000;
export const SEARCH_MS = 1_500;
export const UPNP_DEADLINE_MS = 2_000;
export const MAPPING_DESCRIPTION = "cyberdeck-mesh";

/** RFC 6886, 3.1: the pause doubles from 250 ms; the third copy still leaves 250 ms for its answer. */
export const RESEND_AT_MS: readonly number[] = [0, 250, 750];

/**
 * Three failures have to fit between the first renewal and the end of the lease: 30, 35 and 40 minutes
 * of 60.
 */
export const RETRY_RENEWAL_MS = 5 * 60_000;

/** A lease is renewed at its half, but a gateway that grants seconds is not asked every second. */
export const RENEW_MS_MIN = 60_000;

/** Pauses between tries where no gateway gave anything: they double. */
export const RETRY_MS_MIN = 10 * 60_000;
export const RETRY_MS_MAX = 60 * 60_000;

/** How often it is looked whether this machine moved to another network. */
export const MOVE_LOOK_MS = 60_000;

/** Taking a mapping back may hold up the stop of a node for so long. */
export const UNMAP_MS = 1_500;

/** RFC 6887, 7: a longer packet is none of PCP. */
export const PCP_BYTES_MAX = 1_100;

/** An answer to a search is a dozen short lines. */
export const SSDP_BYTES_MAX = 2_048;
export const SSDP_LINES_MAX = 32;
export const LOCATION_CHARACTERS_MAX = 512;

/** Descriptions of real gateways have 3 to 20 KiB, a hundred elements, and depths up to 9. */
export const DESCRIPTION_BYTES_MAX = 64 * 1024;
export const SOAP_BYTES_MAX = 16 * 1024;
export const XML_DEPTH_MAX = 24;
export const XML_ELEMENTS_MAX = 2_048;
export const XML_ATTRIBUTES_MAX = 16;

/** WAN connections of one gateway that are asked: a router has one, some list two or three. */
export const WAN_SERVICES_MAX = 4;

/** Ports outside that are tried where the wanted one is taken. */
export const EXTERNAL_PORTS_MAX = 4;
