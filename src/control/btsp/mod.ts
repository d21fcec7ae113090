/** BTSP: JSON-RPC for members of a family, in frames that only they can make and read. */
export { BTSP_VERSION } from "./handshake.ts";
export { deriveHandshakeKey } from "./keys.ts";
export { acceptBtsp, type BtspStream, type ByteStream, openBtsp } from "./stream.ts";
export { readFamilySeed } from "./seed.ts";
