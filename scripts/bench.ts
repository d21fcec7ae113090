/** Runs `bench/NAME.ts`; its last line is `RESULT ` and one JSON object. */

if (import.meta.main) {
  const [name, ...rest] = Deno.args;
  const names = [...Deno.readDirSync("bench")].map((entry) => entry.name)
    .filter((file) => file.endsWith(".ts") && !file.startsWith("_"))
    .map((file) => file.slice(0, -3)).sort();
  if (name === undefined || !names.includes(name)) {
    console.error(`bench: there is no benchmark "${name ?? ""}"`);
    console.error(`next: choose one of ${names.join(", ")}`);
    Deno.exit(2);
  }
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `bench/${name}.ts`, ...rest],
  }).spawn().status;
  Deno.exit(code);
}
