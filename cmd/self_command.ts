/**
 * How the program starts itself again: from source, from the bundle and as an executable.
 *
 * Deno offers the mesh's socket only with `--unstable-net`, which a bundle cannot ask for by itself.
 * So a process without it replaces itself by one with it: `execv` keeps pid, parent and streams. The
 * same step takes secrets out of the argument list, where every user of the machine could read them.
 */
import { NetError } from "../src/base/mod.ts";

/** Marks a process that was replaced once, so that it cannot go round in circles. */
const REPLACED_VARIABLE = "NET_REPLACED";

/** The program's own process. */
export interface OwnProcess {
  /** True when Deno offers the mesh's socket to this process. */
  readonly hasMeshSocket: boolean;
  /** True in a process that {@linkcode OwnProcess.replace} made. */
  readonly wasReplaced: boolean;
  /**
   * Replaces this process by the program with other arguments; returns only when that is impossible.
   *
   * @param variables Added to the environment.
   */
  replace(args: readonly string[], variables: Readonly<Record<string, string>>): void;
}

/** Main module of the packed executable: a file in memory (`scripts/pack.ts`). */
const PACKED_MODULE = /^file:\/\/\/proc\/self\/fd\/\d+$/;

/**
 * Command line that runs this program with `args`, program first.
 *
 * @param mainModule Address of the module that was started.
 */
export function selfCommand(
  args: readonly string[],
  mainModule = Deno.mainModule,
): readonly [string, ...string[]] {
  // An executable that holds the program brings its own flags.
  return Deno.build.standalone || PACKED_MODULE.test(mainModule)
    ? [Deno.execPath(), ...args]
    : [Deno.execPath(), "run", "-A", "--unstable-net", mainModule, ...args];
}

/** The real process. */
export function systemProcess(): OwnProcess {
  const wasReplaced = Deno.env.get(REPLACED_VARIABLE) !== undefined;
  // Processes that this one starts are not replaced ones.
  Deno.env.delete(REPLACED_VARIABLE);
  return {
    hasMeshSocket: typeof Reflect.get(Deno, "listenDatagram") === "function",
    wasReplaced,
    replace: (args, variables) => {
      const command = selfCommand(args);
      for (const [name, value] of Object.entries({ ...variables, [REPLACED_VARIABLE]: "1" })) {
        Deno.env.set(name, value);
      }
      try {
        execute(command);
      } catch {
        // No FFI here, or another C library: the caller decides what that means.
      }
      for (const name of [...Object.keys(variables), REPLACED_VARIABLE]) Deno.env.delete(name);
    },
  };
}

/**
 * Makes sure that this process can open the mesh's socket.
 *
 * @param args Arguments that bring the program back to where it is now.
 * @param secrets What `args` leaves out, by the variable that it is handed over in.
 * @throws NetError `failed` when the process lacks the socket and cannot be replaced.
 */
export function ensureMeshSocket(
  own: OwnProcess,
  args: readonly string[],
  secrets: Readonly<Record<string, string>> = {},
): void {
  const hasSecrets = Object.keys(secrets).length > 0;
  if (own.wasReplaced ? own.hasMeshSocket : own.hasMeshSocket && !hasSecrets) return;
  if (!own.wasReplaced) own.replace(args, secrets);
  if (own.hasMeshSocket) return;
  throw new NetError("failed", "Cannot open the mesh socket: Deno runs without --unstable-net", {
    next: "run it as: deno run -A --unstable-net FILE node start",
  });
}

function execute(command: readonly [string, ...string[]]): void {
  const library = Deno.build.os === "darwin" ? "libSystem.dylib" : "libc.so.6";
  const libc = Deno.dlopen(library, {
    execv: { parameters: ["buffer", "buffer"], result: "i32" },
  });
  const texts = command.map((text) => new TextEncoder().encode(`${text}\0`));
  // A C array of pointers, ended by a null; `texts` stays referenced until the call is over.
  const pointers = new BigUint64Array(texts.length + 1);
  texts.forEach((text, i) => {
    pointers[i] = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(text)));
  });
  libc.symbols.execv(new TextEncoder().encode(`${command[0]}\0`), pointers);
}
