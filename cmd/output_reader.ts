/**
 * Whether anybody still reads standard output.
 *
 * A verb that prints until it is stopped learns from its next write that the reader of a pipe has left,
 * as behind `head`, and that may be hours away. The system tells at once, on Linux and macOS.
 */

const STDOUT = 1;
const POLLERR = 0x0008;
const POLLHUP = 0x0010;
/** `struct pollfd`: descriptor, wanted events, events that there are. */
const POLLFD_BYTES = 8;
const REVENTS_OFFSET = 6;

/** Opens the question; the answer is "no" for ever where the system can't be asked. */
export function createGoneCheck(): () => boolean {
  const poll = openPoll();
  if (poll === undefined) return () => false;
  const bytes = new Uint8Array(POLLFD_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, STDOUT, true);
  return () => {
    view.setInt16(REVENTS_OFFSET, 0, true);
    poll(bytes, 1n, 0);
    return (view.getInt16(REVENTS_OFFSET, true) & (POLLERR | POLLHUP)) !== 0;
  };
}

function openPoll() {
  const { os } = Deno.build;
  if (os !== "linux" && os !== "darwin") return undefined;
  try {
    return Deno.dlopen(os === "darwin" ? "libSystem.dylib" : "libc.so.6", {
      poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
    }).symbols.poll;
  } catch {
    // Without the permission, or the library under its usual name, the next write has to tell.
    return undefined;
  }
}
