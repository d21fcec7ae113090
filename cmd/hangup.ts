/**
 * What SIGHUP means to a node: the end of its terminal, or that its log was moved away.
 *
 * A node that was started on a terminal ends with it. One without a terminal (a service, or `--detach`) has
 * nothing that could hang up; there the signal is what tools that rotate logs send, and the files that
 * standard output and error lead to are opened again by their names. Whoever started the program with the
 * signal ignored, as `nohup` does, keeps it ignored.
 */

const O_WRONLY = 1;
const O_CREAT = 0o100;
const O_APPEND = 0o2000;
const O_CLOEXEC = 0o2000000;
/** Nothing to a file; to open a pipe that came in its place would stop the node until somebody reads from it. */
const O_NONBLOCK = 0o4000;

/** What is done on SIGHUP. */
export type HangupAction = "ignore" | "stop" | "reopen";

/** The terminal and the log of this process. */
export interface Hangup {
  readonly action: HangupAction;
  /**
   * Opens the files again that standard output and error lead to.
   *
   * @returns Their paths.
   * @throws Error when one cannot be opened; the old one goes on being used.
   */
  reopen(): readonly string[];
}

/** The real process. */
export function systemHangup(): Hangup {
  const paths = new Map<number, string>();
  for (const descriptor of [1, 2]) {
    const path = filePath(descriptor);
    if (path !== undefined) paths.set(descriptor, path);
  }
  return {
    action: hangupAction(readText("/proc/self/status"), readText("/proc/self/stat")),
    reopen: () => {
      const reopened = new Set<string>();
      for (const [descriptor, path] of paths) {
        const link = readLink(descriptor);
        // Both streams may lead to one file, which is then opened once.
        if (link !== undefined && !reopened.has(path)) replaceAll(link, path);
        reopened.add(path);
      }
      return [...reopened];
    },
  };
}

/**
 * What SIGHUP means by the kernel's account of the process.
 *
 * @param status Text of `/proc/self/status`.
 * @param stat Text of `/proc/self/stat`.
 */
export function hangupAction(status: string, stat: string): HangupAction {
  const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  // The lowest bit stands for signal 1.
  if (ignored !== undefined && Number.parseInt(ignored.slice(-1), 16) % 2 === 1) return "ignore";
  // Behind the name, which may itself have brackets: state, parent, group, session, terminal.
  const terminal = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[4];
  return terminal === undefined || terminal === "0" ? "reopen" : "stop";
}

/** Puts the file at `path` in the place of every descriptor that leads to `link`. */
function replaceAll(link: string, path: string): void {
  const libc = Deno.dlopen("libc.so.6", {
    open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
    dup3: { parameters: ["i32", "i32", "i32"], result: "i32" },
    dup2: { parameters: ["i32", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
  });
  try {
    const { open, dup3, dup2, close } = libc.symbols;
    const name = new TextEncoder().encode(`${path}\0`);
    const flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK;
    const file = open(name, flags, 0o600);
    if (file < 0) throw new Error(`Cannot open log "${path}" again`);
    // The runtime writes through copies of the descriptors 1 and 2.
    for (const entry of [...Deno.readDirSync("/proc/self/fd")]) {
      const descriptor = Number(entry.name);
      if (descriptor === file || readLink(descriptor) !== link) continue;
      if (descriptor <= 2) dup2(file, descriptor);
      else dup3(file, descriptor, O_CLOEXEC);
    }
    close(file);
  } finally {
    libc.close();
  }
}

/** Path of the regular file a descriptor leads to. */
function filePath(descriptor: number): string | undefined {
  try {
    const isFile = Deno.statSync(`/proc/self/fd/${descriptor}`).isFile;
    return isFile ? readLink(descriptor) : undefined;
  } catch {
    return undefined; // No such descriptor, or no /proc.
  }
}

function readLink(descriptor: number): string | undefined {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return undefined; // Closed since it was listed.
  }
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return ""; // A system without /proc tells nothing.
  }
}
