/** Reads what `net node start --pcap` wrote. */
const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const UDP_HEADER_BYTES = 8;

/**
 * The datagrams of a capture, without their IP and UDP headers.
 *
 * @param bytes A file that may still be written: half a record at its end is left out.
 */
export function readPcap(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const datagrams: Uint8Array[] = [];
  for (let at = FILE_HEADER_BYTES; at + RECORD_HEADER_BYTES <= bytes.length;) {
    const start = at + RECORD_HEADER_BYTES;
    const end = start + view.getUint32(at + 8, true);
    if (end > bytes.length) break;
    const isIpv4 = view.getUint8(start) >>> 4 === 4;
    datagrams.push(bytes.subarray(start + (isIpv4 ? 20 : 40) + UDP_HEADER_BYTES, end));
    at = end;
  }
  return datagrams;
}
