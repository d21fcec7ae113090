/** Connect-probes of unix sockets: a file's existence proves nothing (`validation.md` 3.3, 3.4). */
import { PROBE_MS } from "./limits.ts";

/**
 * Whether somebody listens at `path`. Only a refused connection and an absent file say that nobody
 * does; a listener too busy to accept, or one we may not connect to, counts as live: taking a live
 * one for dead would steal its name.
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
    (error: unknown) => {
      const isDead = error instanceof Deno.errors.ConnectionRefused ||
        error instanceof Deno.errors.NotFound;
      return isDead ? "dead" as const : "live" as const;
    },
  );
  try {
    return await Promise.race([connecting, timeout]) !== "dead";
  } finally {
    clearTimeout(timer);
  }
}
