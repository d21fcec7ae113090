/**
 * Puts everything written to a file system on its device, in one call of the C library: after many small files that
 * takes a small part of what syncing each of them does. Only for 64-bit Linux, and only where FFI is allowed.
 */

const O_RDONLY = 0;
const O_CLOEXEC = 0o2000000;

/**
 * Waits until all data and names of the file system that `path` is on are on the device.
 *
 * @returns False where this cannot be used, or when it failed: then files are to be synced one by one, which says why.
 */
export async function syncFileSystem(path: string): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  // Asking for it in the middle of something would stop the program at a prompt.
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return false;
  let library;
  try {
    library = Deno.dlopen("libc.so.6", {
      open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
      close: { parameters: ["i32"], result: "i32" },
      syncfs: { parameters: ["i32"], result: "i32", nonblocking: true },
    });
  } catch {
    return false;
  }
  try {
    const { open, close, syncfs } = library.symbols;
    const descriptor = open(new TextEncoder().encode(`${path}\0`), O_RDONLY | O_CLOEXEC, 0);
    if (descriptor < 0) return false;
    try {
      return await syncfs(descriptor) === 0;
    } finally {
      close(descriptor);
    }
  } finally {
    library.close();
  }
}
