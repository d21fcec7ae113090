/**
 * Tells a service manager what becomes of a node: that it is ready, how it is doing, that it stops; and gives
 * signs of life.
 *
 * A sign of life comes from a timer of the event loop and only while no part of the node is down for good. A
 * loop that hangs, and a node that cannot mend itself, are silent, so the manager starts them again.
 */
import type { Clock } from "../../base/mod.ts";
import type { Log } from "../../observe/mod.ts";
import type { PartReport } from "../service.ts";
import type { NotifyFields, NotifySocket } from "./notify_socket.ts";

/** How often a node is looked at when no signs of life are wanted. */
const LOOK_MS = 5_000;

/** Patience for the last messages. */
const FLUSH_MS = 1_000;

/** A manager shows the status on one line. */
const STATUS_CHARACTERS_MAX = 200;

/** What is told of a node; all of it is asked often and answered from memory. */
export interface ReportedNode {
  /** What is missing before it can serve; nothing when it is ready. */
  missing(): readonly string[];
  /** Health of each part by name. */
  health(): Readonly<Record<string, PartReport>>;
  /** One line about a node that is ready and well. */
  summary(): string;
}

/** What {@linkcode ManagerReporter} needs. */
export interface ManagerReporterDeps {
  readonly socket: NotifySocket;
  readonly clock: Clock;
  readonly log: Log;
  /** Longest time in milliseconds between two signs of life; `undefined` when none are wanted. */
  readonly watchdogMs: number | undefined;
}

/** Reports to a service manager. */
export class ManagerReporter {
  readonly #deps: ManagerReporterDeps;
  /** What is told next. Later fields replace earlier ones of the same name, so it never grows. */
  #waiting: NotifyFields | undefined;
  #node: ReportedNode | undefined;
  #sending: Promise<void> | undefined;
  #cancelLook = () => {};
  #isReadyTold = false;
  #isStopping = false;
  #isUnheard = false;
  #status = "";

  constructor(deps: ManagerReporterDeps) {
    this.#deps = deps;
  }

  /** Reports on `node` from now on, until it stops. */
  follow(node: ReportedNode): void {
    this.#node = node;
    this.#look();
  }

  /** Looks at the node at once: something has changed. */
  look(): void {
    // Each part that starts is a change; what a start waits for is told only when it takes long.
    if (this.#status === "" || this.#isReadyTold || this.#isReady()) this.#report();
  }

  /**
   * Tells that the node stops, which takes at most `limitMs`.
   *
   * @param reason Shown to the operator.
   */
  stopping(reason: string, limitMs: number): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#push({
      STOPPING: 1,
      STATUS: statusLine(`stopping: ${reason}`),
      EXTEND_TIMEOUT_USEC: Math.round(limitMs * 1000),
    });
  }

  /** Tells why the process ends. */
  failed(message: string, errno: number | undefined): void {
    this.#push({
      STATUS: statusLine(message),
      ...(errno === undefined ? {} : { ERRNO: errno }),
    });
  }

  /** Tells that another process is the one to watch, and that it is ready. */
  handOver(pid: number): void {
    this.#push({ MAINPID: pid, READY: 1 });
  }

  /** Ends reporting when everything was sent, or soon. */
  async close(): Promise<void> {
    this.#cancelLook();
    this.#node = undefined;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = this.#deps.clock.after(FLUSH_MS, resolve);
    await Promise.race([this.#sending, late]);
    cancel();
    this.#deps.socket.close();
  }

  #look(): void {
    this.#report();
    const { watchdogMs, clock } = this.#deps;
    if (watchdogMs !== undefined && this.#isAlive()) this.#push({ WATCHDOG: 1 });
    const pauseMs = watchdogMs === undefined ? LOOK_MS : Math.min(LOOK_MS, watchdogMs / 2);
    this.#cancelLook = clock.after(pauseMs, () => this.#look());
  }

  #report(): void {
    const node = this.#node;
    if (node === undefined || this.#isStopping) return;
    const missing = node.missing();
    const status = statusLine(describe(node, missing));
    const isReady = missing.length === 0 && !this.#isReadyTold;
    if (!isReady && status === this.#status) return;
    this.#status = status;
    this.#isReadyTold ||= isReady;
    this.#push({ ...(isReady ? { READY: 1 } : {}), STATUS: status });
  }

  #isReady(): boolean {
    return this.#node?.missing().length === 0;
  }

  /** Part of a node may be down while it is started again; what stays down is not alive. */
  #isAlive(): boolean {
    const parts = Object.values(this.#node?.health() ?? {});
    return this.#isStopping || parts.every(({ state }) => state !== "unhealthy");
  }

  #push(fields: NotifyFields): void {
    this.#waiting = { ...this.#waiting, ...fields };
    this.#sending ??= this.#sendAll().finally(() => this.#sending = undefined);
  }

  async #sendAll(): Promise<void> {
    for (let fields = this.#waiting; fields !== undefined; fields = this.#waiting) {
      this.#waiting = undefined;
      try {
        await this.#deps.socket.send(fields);
        this.#isUnheard = false;
      } catch (error) {
        if (this.#isUnheard) continue;
        this.#isUnheard = true;
        this.#deps.log.warn("manager_unreachable", {
          reason: error instanceof Error ? error.message : String(error),
        });
      }
    }
  }
}

function describe(node: ReportedNode, missing: readonly string[]): string {
  if (missing.length > 0) return `not ready: ${missing.join(", ")}`;
  const troubled = Object.entries(node.health()).filter(([, { state }]) => state !== "healthy");
  if (troubled.length === 0) return node.summary();
  const worst = troubled.some(([, { state }]) => state === "unhealthy") ? "unhealthy" : "degraded";
  const texts = troubled.map(([name, { detail }]) =>
    detail === undefined ? name : `${name}: ${detail}`
  );
  return `${worst}: ${texts.join("; ")}`;
}

function statusLine(text: string): string {
  return text.length <= STATUS_CHARACTERS_MAX ? text : `${text.slice(0, STATUS_CHARACTERS_MAX)}…`;
}
