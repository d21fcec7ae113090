/** A client process of `http.ts`: asks one server for one thing, and prints how fast it went. */

if (import.meta.main) {
  const [kind = "", url = "", secret = ""] = Deno.args;
  const size = Number(Deno.args[3] ?? 0);
  const startMs = performance.now();
  if (kind === "small") console.log(await rateOfSmall(url, startMs));
  else {
    const bytes = kind === "put" ? await put(url, secret, size) : await get(url);
    console.log(bytes / (performance.now() - startMs) / 1_000);
  }
}

async function get(url: string): Promise<number> {
  const response = await fetch(url);
  let bytes = 0;
  for await (const piece of response.body ?? []) bytes += piece.length;
  return bytes;
}

async function put(url: string, secret: string, size: number): Promise<number> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(size, at + 65_536)));
  }
  const startMs = performance.now();
  const headers = { authorization: `Bearer ${secret}` };
  const response = await fetch(url, { method: "PUT", body: bytes, headers });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`status ${response.status}`);
  // The caller's clock began before the bytes were made.
  const seconds = (performance.now() - startMs) / 1_000;
  console.log(size / seconds / 1e6);
  Deno.exit(0);
}

/** Answers in a second, sixteen asked for at once. */
async function rateOfSmall(url: string, startMs: number): Promise<number> {
  const requests = 2_000;
  let left = requests;
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (left-- > 0) await (await fetch(url)).arrayBuffer();
  }));
  return requests / (performance.now() - startMs) * 1_000;
}
