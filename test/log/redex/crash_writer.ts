/**
 * A program that writes to a log until it is killed: `crash_writer.ts FOLDER SEED RUN`. After each call it
 * says how far the log has come, in one write: `a NEXT` for what was appended, `d NEXT` for what is
 * durable. Payloads say in which run and with which number they were written.
 */
import { systemClock, systemDisk } from "../../../src/base/mod.ts";
import { openRedex, type RedexConfig, type RedexFile } from "../../../src/log/redex/mod.ts";
import { seededRandom } from "../../sim/memory_network.ts";

/** Channel that is written to. */
export const CRASH_CHANNEL = "a/b";

/** What a seed's log is like; the same in every run. */
export interface CrashPlan {
  readonly config: RedexConfig;
  readonly segmentBytesMax: number;
}

/** The plan of a seed. */
export function planCrash(seed: number): CrashPlan {
  const chance = seededRandom(seed);
  const oneOf = <Item>(items: readonly Item[]) =>
    items[Math.floor(chance() * items.length)] as Item;
  return {
    config: {
      isPersistent: true,
      fsync: oneOf<RedexConfig["fsync"]>([
        { kind: "never" },
        { kind: "every-n", records: 100 },
        { kind: "interval", ms: 5 },
        { kind: "interval-or-bytes", ms: 20, bytes: 10_000 },
      ]),
      retention: oneOf([{}, { eventsMax: 3_000 }, { bytesMax: 200_000 }]),
      sweepMs: 10,
    },
    segmentBytesMax: oneOf([20_000, 100_000, 10_000_000]),
  };
}

/** Payload of an event; an inline one has room for the number only. */
export function crashPayload(run: number, seq: number): Uint8Array<ArrayBuffer> {
  if (seq % 5 === 0) return new TextEncoder().encode(String(seq).padStart(8, "0"));
  const text = `${run}:${seq}:`;
  return new TextEncoder().encode(text.padEnd(text.length + seq * 7 % 300, "x"));
}

if (import.meta.main) {
  const [folder = "", seed = 0, run = 0] = Deno.args.map((word, i) =>
    i === 0 ? word : Number(word)
  );
  await write(String(folder), Number(seed), Number(run));
}

async function write(folder: string, seed: number, run: number): Promise<never> {
  const { config, segmentBytesMax } = planCrash(seed);
  const redex = openRedex({ clock: systemClock, disk: systemDisk }, { folder, segmentBytesMax });
  const file = await redex.open(CRASH_CHANNEL, config);
  const chance = seededRandom(seed * 1_000 + run);
  say("a", file.nextSeq);
  for (;;) {
    await step(file, chance, run);
    // Others get their turn: timers, syncs, rewriting.
    if (chance() < 0.1) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function step(file: RedexFile, chance: () => number, run: number): Promise<void> {
  const kind = chance();
  const next = Number(file.nextSeq);
  if (kind < 0.03) {
    await file.sync();
    say("d", BigInt(next));
  } else if (kind < 0.04) await file.sweep();
  else if (kind < 0.045) await file.compact();
  else if (kind < 0.08) {
    const payloads = payloadsFrom(run, next, 5);
    const durable = file.appendDurable(payloads);
    say("a", file.nextSeq);
    await durable;
    say("d", BigInt(next + payloads.length));
  } else if (kind < 0.4) {
    const payloads = payloadsFrom(run, next, Math.ceil(chance() * 40));
    file.appendBatch(payloads);
    say("a", file.nextSeq);
  } else {
    const payload = crashPayload(run, next);
    if (next % 5 === 0) file.appendInline(payload);
    else file.append(payload);
    say("a", file.nextSeq);
  }
}

/** Payloads of the next events; of those that are 8 bytes, only a single one is kept inline. */
function payloadsFrom(run: number, first: number, count: number): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  for (let seq = first; payloads.length < count; seq++) payloads.push(crashPayload(run, seq));
  return payloads;
}

function say(what: "a" | "d", next: bigint): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${what} ${next}\n`));
}
