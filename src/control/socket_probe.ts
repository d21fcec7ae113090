/** Connect-probes of unix sockets: a file's existence proves nothing (`validation.md` 3.3, 3.4). */
import { PROBE_MS } from "./limits.ts";

/**
 * Whether somebody listens at `path`. A listener too busy to accept within the time counts as live:
 * taking a live one for dead would steal its name.
 *
 * @param timeoutMs Milliseconds to wait.
 */
export async function isSocketLive(path: string, timeoutMs: number = PROBE_MS): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<"slow">((resolve) => {
    timer = setTimeout(() => resolve("slow"), timeoutMs);
  });
  const connecting = Deno.connect({ transport: "unix", path }).then(
    (conn) => {
      conn.close();
      return "live" as const;
    },
    () => "dead" as const,
  );
  try {
    return await Promise.race([connecting, timeout]) !== "dead";
  } finally {
    clearTimeout(timer);
  }
}
