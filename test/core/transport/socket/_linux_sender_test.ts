import assert from "node:assert/strict";
import { Errno, type Libc } from "../../../../src/core/transport/socket/_linux_libc.ts";
import {
  BatchSender,
  SEND_QUEUE_MAX,
} from "../../../../src/core/transport/socket/_linux_sender.ts";
import {
  createNativeTarget,
  type NativeTarget,
} from "../../../../src/core/transport/socket/_linux_sockaddr.ts";

const isLinux = Deno.build.os === "linux";
const MESSAGE_BYTES = 64;

interface Message {
  readonly port: number;
  readonly sizes: readonly number[];
  /** Size the kernel is told to cut by; 0 when it is not. */
  readonly segment: number;
}

/** What the kernel would do: a number of messages it takes, or an error. */
type Answer = (messages: readonly Message[]) => number | { readonly errno: number };

function open(answer: Answer) {
  const calls: Message[][] = [];
  let errno = 0;
  const libc = {
    send: (_descriptor: number, messages: Deno.PointerValue, count: number) => {
      const seen = readMessages(messages, count);
      calls.push(seen);
      const result = answer(seen);
      if (typeof result === "number") return result;
      errno = result.errno;
      return -1;
    },
    errno: () => errno,
  } as unknown as Libc;
  const counters = {
    sendErrors: 0,
    receiveErrors: 0,
    receiveCalls: 0,
    sendCalls: 0,
    sendQueueDrops: 0,
    sendBlocks: 0,
    joinsRefused: 0,
  };
  const sender = new BatchSender({ libc, descriptor: 3, counters });
  const returned: number[] = [];
  const push = (number: number, size: number, to: NativeTarget) =>
    sender.push(new Uint8Array(size), to, () => returned.push(number));
  return { sender, counters, calls, returned, push };
}

function readMessages(pointer: Deno.PointerValue, count: number): Message[] {
  assert.ok(pointer !== null);
  const view = new Deno.UnsafePointerView(pointer);
  return Array.from({ length: count }, (_, i) => {
    const at = i * MESSAGE_BYTES;
    const pointed = (offset: number) =>
      new Deno.UnsafePointerView(view.getPointer(at + offset) as Deno.PointerObject);
    const vectors = pointed(16);
    const runs = Number(view.getBigUint64(at + 24));
    const hasControl = view.getBigUint64(at + 40) !== 0n;
    const sizes = Array.from(
      { length: runs },
      (_, run) => Number(vectors.getBigUint64(run * 16 + 8)),
    );
    const name = pointed(0);
    const port = (name.getUint8(2) << 8) | name.getUint8(3);
    return { port, sizes, segment: hasControl ? pointed(32).getUint16(16) : 0 };
  });
}

function target(port: number): NativeTarget {
  const made = createNativeTarget({ host: "127.0.0.1", port }, false);
  assert.ok(made !== undefined);
  return made;
}

const takeAll: Answer = (messages) => messages.length;

function test(name: string, fn: () => void): void {
  Deno.test({ name, ignore: !isLinux, fn });
}

test("BatchSender.flush() joins runs of one size and target, with a shorter end", () => {
  const { sender, push, calls, returned } = open(takeAll);
  const [a, b] = [target(1), target(2)];
  const sizes: [number, NativeTarget][] = [
    [100, a],
    [100, a],
    [60, a],
    [100, a],
    [100, b],
    [100, b],
    [101, b],
    [0, b],
    [0, b],
  ];
  for (const [i, [size, to]] of sizes.entries()) push(i, size, to);
  assert.equal(sender.flush(), "empty");
  assert.deepEqual(calls, [[
    { port: 1, sizes: [100, 100, 60], segment: 100 },
    { port: 1, sizes: [100], segment: 0 },
    { port: 2, sizes: [100, 100], segment: 100 },
    { port: 2, sizes: [101], segment: 0 },
    { port: 2, sizes: [0], segment: 0 },
    { port: 2, sizes: [0], segment: 0 },
  ]]);
  assert.deepEqual(returned, sizes.map((_, i) => i));
});

test("BatchSender.flush() joins at most 64 datagrams and 65,507 bytes", () => {
  const { sender, push, calls } = open(takeAll);
  const to = target(1);
  for (let i = 0; i < 130; i++) push(i, 10, to);
  sender.flush();
  assert.deepEqual(calls.flat().map((message) => message.sizes.length), [64, 64, 2]);
  for (let i = 0; i < 20; i++) push(i, 8_000, to);
  calls.length = 0;
  sender.flush();
  assert.deepEqual(calls.flat().map((message) => message.sizes.length), [8, 8, 4]);
});

test("BatchSender.flush() goes on where the kernel stopped", () => {
  const { sender, push, calls, returned } = open(() => 1);
  for (let i = 0; i < 5; i++) push(i, 10 + i, target(1));
  assert.equal(sender.flush(), "empty");
  assert.deepEqual(calls.map((messages) => messages.length), [5, 4, 3, 2, 1]);
  assert.deepEqual(returned, [0, 1, 2, 3, 4]);
});

test("BatchSender.flush() keeps what the kernel has no room for", () => {
  let isFull = true;
  const { sender, push, counters, returned } = open((messages) =>
    isFull ? { errno: Errno.Again } : messages.length
  );
  push(0, 10, target(1));
  assert.equal(sender.flush(), "blocked");
  assert.equal(sender.waiting, 1);
  assert.deepEqual(returned, []);
  isFull = false;
  assert.equal(sender.flush(), "empty");
  assert.deepEqual(returned, [0]);
  assert.equal(counters.sendErrors, 0);
});

test("BatchSender.flush() sends one by one where joining is refused, and remembers it", () => {
  const { sender, push, calls, counters, returned } = open((messages) =>
    (messages[0]?.segment ?? 0) > 1_400 ? { errno: Errno.Invalid } : messages.length
  );
  const to = target(1);
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 3; i++) push(i, 2_000, to);
    for (let i = 3; i < 5; i++) push(i, 1_000, to);
    sender.flush();
  }
  const oneByOne = [[2_000], [2_000], [2_000], [1_000, 1_000]];
  assert.deepEqual(calls.map((messages) => messages.map((message) => message.sizes)), [
    [[2_000, 2_000, 2_000, 1_000], [1_000]],
    oneByOne,
    oneByOne,
  ]);
  assert.equal(counters.joinsRefused, 1);
  assert.equal(counters.sendErrors, 0);
  assert.deepEqual(returned, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
});

test("BatchSender.flush() drops and counts what the kernel refuses", () => {
  const { sender, push, counters, returned } = open((messages) =>
    messages[0]?.port === 9 ? { errno: 101 } : messages.length
  );
  push(0, 10, target(9));
  push(1, 10, target(1));
  assert.equal(sender.flush(), "empty");
  assert.equal(counters.sendErrors, 1);
  assert.deepEqual(returned, [0, 1]);
});

test("BatchSender.push() refuses more than the queue holds", () => {
  const { sender, push, returned } = open(takeAll);
  const to = target(1);
  for (let i = 0; i < SEND_QUEUE_MAX; i++) assert.equal(push(i, 1, to), true);
  assert.equal(push(-1, 1, to), false);
  sender.flush();
  assert.equal(returned.length, SEND_QUEUE_MAX);
});

test("BatchSender.flush() also sends what comes while bytes are given back", () => {
  const { sender, calls } = open(takeAll);
  const to = target(1);
  let left = 3;
  const again = () => {
    if (left-- > 0) sender.push(new Uint8Array(5), to, again);
    sender.flush();
  };
  sender.push(new Uint8Array(5), to, again);
  assert.equal(sender.flush(), "empty");
  assert.equal(calls.length, 4);
  assert.equal(sender.waiting, 0);
});
