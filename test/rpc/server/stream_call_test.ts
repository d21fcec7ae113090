/** The serving engine: streams of answers, uploads, both (`nrpc.md` 7 to 9). */
import assert from "node:assert/strict";
import fc from "fast-check";
import { utf8 } from "../../../src/base/mod.ts";
import { HeaderName, headerNumber, RpcFlag, Status, textHeader } from "../../../src/rpc/mod.ts";
import { ServerKit, SERVICE } from "./server_kit.ts";

const { clientStreaming, requestEnd, streamingResponse } = RpcFlag;
const windowOf = (credits: number) => [textHeader(HeaderName.streamWindow, String(credits))];
const uploadWindow = (credits: number) => [textHeader(HeaderName.requestWindow, String(credits))];
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** What a stream said: bodies, and how it ended. */
async function streamOf(kit: ServerKit): Promise<string[]> {
  return (await kit.responses()).map(({ status, headers, text }) => {
    const [header] = headers;
    if (status !== Status.ok) return `status ${status}: ${text}`;
    return textOf(header?.value ?? utf8("none")) === "end" ? "end" : text;
  });
}

function* letters(): Generator<Uint8Array> {
  for (const letter of "abcdef") yield utf8(letter);
}

Deno.test("RpcServer numbers items for peers of ours, and for no others", async () => {
  for (const isExtended of [true, false]) {
    const kit = new ServerKit({ isExtended });
    kit.server.serveStream(SERVICE, letters);
    kit.request(1, { flags: streamingResponse });
    const responses = await kit.responses();
    const numbers = responses.map(({ item }) => item);
    assert.deepEqual(numbers, isExtended ? [1, 2, 3, 4, 5, 6, 7] : [0, 0, 0, 0, 0, 0, 0]);
    assert.equal(responses.map(({ text }) => text).join(""), "abcdef");
    assert.equal(kit.meter.streamChunksEmitted, 6);
  }
});

Deno.test("a stream of answers waits for credit, and its handler with it", async () => {
  const kit = new ServerKit();
  let given = 0;
  kit.server.serveStream(SERVICE, async function* () {
    for (const letter of letters()) {
      given += 1;
      yield letter;
    }
  });
  kit.request(1, { flags: streamingResponse, headers: windowOf(2) });
  assert.deepEqual(await streamOf(kit), ["a", "b"]);
  assert.equal(given, 2);
  kit.grant(1, 3);
  assert.deepEqual(await streamOf(kit), ["c", "d", "e"]);
  kit.grant(1, 0xffff_ffff);
  assert.deepEqual(await streamOf(kit), ["f", "end"]);
});

Deno.test("a stream of answers waits for room on the way back", async () => {
  const kit = new ServerKit();
  kit.server.serveStream(SERVICE, letters);
  kit.link.room = 2;
  kit.request(1, { flags: streamingResponse });
  assert.deepEqual(await streamOf(kit), ["a", "b"]);
  for (const expected of ["c", "d"]) {
    kit.link.addRoom(1);
    await kit.clock.advance(0);
    assert.deepEqual(await streamOf(kit), [expected]);
  }
  kit.link.addRoom(10);
  await kit.clock.advance(0);
  assert.deepEqual(await streamOf(kit), ["e", "f", "end"]);
});

Deno.test("a stream of answers keeps its order around long items", async () => {
  const kit = new ServerKit();
  kit.server.serveStream(SERVICE, function* () {
    yield utf8("short");
    yield new Uint8Array(50_000).fill(0x61);
    yield utf8("short again");
  });
  kit.request(1, { flags: streamingResponse });
  const responses = await kit.responses();
  assert.deepEqual(responses.map(({ item, text }) => [item, text.length]), [
    [1, 5],
    [2, 50_000],
    [3, 11],
    [4, 0],
  ]);
});

Deno.test("a stream of answers that fails says so behind what it gave", async () => {
  const kit = new ServerKit();
  kit.server.serveStream(SERVICE, function* () {
    yield utf8("one");
    throw new Error("slipped");
  });
  kit.request(1, { flags: streamingResponse });
  assert.deepEqual(await streamOf(kit), ["one", "status 6: handler panicked: slipped"]);
  assert.equal(kit.meter.handlerPanics, 1);
});

Deno.test("a cancelled stream lets its handler clean up", async () => {
  const kit = new ServerKit();
  let isClean = false;
  const served = kit.server.serveStream(SERVICE, async function* () {
    try {
      for (;;) yield utf8("x");
    } finally {
      isClean = true;
    }
  });
  kit.request(1, { flags: streamingResponse, headers: windowOf(1) });
  assert.deepEqual(await streamOf(kit), ["x"]);
  kit.cancel(1);
  assert.deepEqual(await streamOf(kit), [
    "status 5: server observed CANCEL during handler execution",
  ]);
  await kit.clock.advance(0);
  assert.ok(isClean);
  assert.equal(served.running, 0);
});

Deno.test("a handler is timed between items, and not while it waits for its caller", async () => {
  const kit = new ServerKit();
  kit.server.serveStream(SERVICE, async function* () {
    yield utf8("a");
    yield utf8("b");
    await new Promise(() => {});
  }, { handlerTimeoutMs: 1_000 });
  kit.request(1, { flags: streamingResponse, headers: windowOf(1) });
  await kit.clock.advance(900);
  kit.grant(1, 5);
  await kit.clock.advance(900);
  assert.deepEqual(await streamOf(kit), ["a", "b"]);
  await kit.clock.advance(200);
  assert.deepEqual(await streamOf(kit), ["status 3: handler took more than 1000 ms"]);
});

/** Serves the texts of an upload, joined. */
function serveJoin(kit: ServerKit): void {
  kit.server.serveClientStream(SERVICE, async (items) => {
    let all = "";
    for await (const item of items) all += `${textOf(item)}.`;
    return utf8(all);
  });
}

for (const isExtended of [true, false]) {
  const kind = isExtended ? "numbered" : "plain";
  Deno.test(`RpcServer takes uploads in every form of their end (${kind})`, async () => {
    const kit = new ServerKit({ isExtended });
    serveJoin(kit);
    const n = (item: number) => isExtended ? item : 0;
    const first = { flags: clientStreaming, body: utf8("a"), item: n(1) };
    kit.request(1, first);
    kit.chunk(1, n(2), utf8("b"), requestEnd);
    kit.request(2, first);
    kit.chunk(2, n(2), utf8("b"));
    kit.chunk(2, n(3), utf8(""), requestEnd);
    kit.request(3, { ...first, flags: clientStreaming | requestEnd });
    kit.request(4, { ...first, flags: clientStreaming | requestEnd, body: utf8("") });
    kit.request(5, { ...first, body: utf8("") });
    kit.chunk(5, n(2), utf8(""), requestEnd);
    const texts = (await kit.responses()).sort((a, b) => a.callLow - b.callLow)
      .map(({ status, text }) => [status, text]);
    assert.deepEqual(texts, [[0, "a.b."], [0, "a.b."], [0, "a."], [0, ""], [0, "."]]);
  });
}

Deno.test("RpcServer wants the flag of an upload", async () => {
  const kit = new ServerKit();
  serveJoin(kit);
  kit.request(1, { body: utf8("a") });
  assert.equal((await kit.responses())[0]?.status, Status.internal);
});

Deno.test("an upload earns credit as its handler takes it", async () => {
  const kit = new ServerKit();
  const gates: (() => void)[] = [];
  kit.server.serveClientStream(SERVICE, async (items) => {
    let count = 0;
    for await (const _item of items) {
      count += 1;
      await new Promise<void>((resolve) => gates.push(resolve));
    }
    return utf8(String(count));
  });
  kit.request(1, { flags: clientStreaming, headers: uploadWindow(4), item: 1 });
  for (let item = 2; item <= 4; item++) kit.chunk(1, item, utf8("x"));
  assert.deepEqual(await kit.grants(), []);
  gates.shift()?.();
  assert.deepEqual(await kit.grants(), [2]);
  for (let item = 5; item <= 6; item++) kit.chunk(1, item, utf8("x"));
  kit.chunk(1, 7, utf8("x"));
  const [response] = await kit.responses();
  assert.equal(response?.status, Status.internal);
  assert.match(response.text, /more items than it was granted/);
});

Deno.test("an upload without a window is bounded, and its caller told", async () => {
  const kit = new ServerKit({ isExtended: false });
  kit.server.serveClientStream(SERVICE, () => new Promise(() => {}));
  kit.request(1, { flags: clientStreaming });
  for (let sent = 0; sent < 5_000; sent++) kit.chunk(1, 0, utf8("x"));
  const [response] = await kit.responses();
  assert.equal(response?.status, Status.backpressure);
  assert.ok(kit.server.counters.late > 0, "what comes afterwards is nobody's");
});

Deno.test("items that overtake their request or each other find their place", async () => {
  await fc.assert(fc.asyncProperty(
    fc.integer({ min: 1, max: 30 }).chain((count) =>
      fc.shuffledSubarray(Array.from({ length: count }, (_, at) => at + 1), { minLength: count })
    ),
    async (order) => {
      const kit = new ServerKit();
      serveJoin(kit);
      const last = order.length;
      for (const item of order) {
        const end = item === last ? requestEnd : 0;
        const body = utf8(String(item));
        if (item === 1) kit.request(1, { flags: clientStreaming | end, body, item });
        else kit.chunk(1, item, body, end);
      }
      const [response] = await kit.responses();
      const expected = Array.from({ length: last }, (_, at) => `${at + 1}.`).join("");
      assert.equal(response?.text, expected);
      assert.equal(kit.server.counters.earlyDropped, 0);
    },
  ));
});

Deno.test("an upload with a hole fails, and what overtook a request that never comes is forgotten", async () => {
  const kit = new ServerKit();
  serveJoin(kit);
  kit.request(1, { flags: clientStreaming, item: 1 });
  kit.chunk(1, 3, utf8("x"), requestEnd);
  kit.chunk(2, 2, utf8("x"));
  await kit.clock.advance(10_000);
  const [response] = await kit.responses();
  assert.match(response?.text ?? "", /item 2 never came/);
  assert.equal(kit.server.counters.earlyDropped, 1);
});

Deno.test("an upload that asks for grants is not taken from an origin that nobody proved", async () => {
  const kit = new ServerKit();
  let runs = 0;
  kit.server.serveClientStream(SERVICE, () => {
    runs += 1;
    return utf8("");
  });
  kit.peer.provenOriginHigh = 0x99;
  kit.request(1, { flags: clientStreaming, headers: uploadWindow(4) });
  assert.deepEqual(await kit.responses(), []);
  assert.equal(runs, 0);
  assert.equal(kit.meter.relayedFlowControlledRejected, 1);
});

Deno.test("an answer before the end of an upload ends it", async () => {
  const kit = new ServerKit();
  kit.server.serveClientStream(SERVICE, async (items) => {
    for await (const item of items) return item;
    return utf8("none");
  });
  kit.request(1, { flags: clientStreaming, body: utf8("enough"), item: 1 });
  assert.deepEqual((await kit.responses()).map(({ text }) => text), ["enough"]);
  kit.chunk(1, 2, utf8("more"));
  assert.deepEqual(await kit.responses(), []);
  assert.equal(kit.server.counters.late, 1);
});

Deno.test("duplex calls stream both ways, and end by cancel and deadline with words of their own", async () => {
  const kit = new ServerKit();
  kit.server.serveDuplex(SERVICE, async function* (items) {
    for await (const item of items) yield utf8(textOf(item).toUpperCase());
  });
  const flags = clientStreaming | streamingResponse;
  kit.request(1, { flags, body: utf8("a"), item: 1 });
  assert.deepEqual(await streamOf(kit), ["A"]);
  kit.chunk(1, 2, utf8("b"), requestEnd);
  assert.deepEqual(await streamOf(kit), ["B", "end"]);
  kit.request(2, { flags, item: 1 });
  assert.deepEqual(await streamOf(kit), [""]);
  kit.cancel(2);
  assert.deepEqual(await streamOf(kit), [
    "status 5: server observed CANCEL during duplex handler execution",
  ]);
  kit.request(3, { flags, item: 1, deadlineMs: kit.clock.wallMs() + 100 });
  await kit.clock.advance(100);
  assert.deepEqual(await streamOf(kit), ["", "status 3: duplex handler deadline_ns exceeded"]);
});

Deno.test("RpcServer wants both flags of a call with streams both ways", async () => {
  const kit = new ServerKit();
  kit.server.serveDuplex(SERVICE, (items) => items);
  kit.request(1, { flags: clientStreaming, body: utf8("a"), item: 1 });
  assert.deepEqual(await streamOf(kit), [
    `status 6: "${SERVICE}" answers with a stream of items`,
  ]);
});

Deno.test("a window beyond all bounds is the greatest there is, not none (promise 66)", () => {
  const read = (said: string) =>
    headerNumber([textHeader(HeaderName.streamWindow, said)], HeaderName.streamWindow);
  assert.equal(read("4294967296"), 0xffff_ffff);
  assert.equal(read("9".repeat(4_000)), 0xffff_ffff);
  for (const none of ["", "-1", "1e9", "0x10", " 1"]) assert.equal(read(none), undefined, none);
});

Deno.test("what waits of an upload is given back, however it ends", async () => {
  const ends = {
    taken: (kit: ServerKit) => kit.chunk(1, 4, utf8("last"), requestEnd),
    cancelled: (kit: ServerKit) => kit.cancel(1),
    lost: (kit: ServerKit) => kit.lose(),
    late: (kit: ServerKit) => kit.clock.advance(60_000),
  };
  for (const [name, end] of Object.entries(ends)) {
    for (const handles of ["reads", "leaves", "answers", "waits"]) {
      const kit = new ServerKit();
      kit.server.serveClientStream(SERVICE, async (items, { signal }) => {
        if (handles === "reads") { for await (const _ of items); }
        if (handles === "leaves") { for await (const _ of items) break; }
        if (handles === "waits") {
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        }
        return utf8("done");
      });
      kit.chunk(1, 3, utf8("overtook"));
      kit.request(1, { flags: clientStreaming, body: utf8("first"), item: 1 });
      kit.chunk(1, 2, new Uint8Array(1_000));
      kit.chunk(1, 5, utf8("overtook as well"), requestEnd);
      await kit.responses();
      await end(kit);
      await kit.responses();
      if (handles === "waits" && name === "taken") await kit.clock.advance(60_000);
      await kit.clock.advance(20_000);
      await kit.responses();
      const { heldBytes, running } = kit.server.counters;
      assert.deepEqual([heldBytes, running], [0, 0], `${name}, ${handles}`);
    }
  }
});

Deno.test("an item of an upload that cannot be read ends its call", async () => {
  const kit = new ServerKit();
  serveJoin(kit);
  kit.request(1, { flags: clientStreaming, item: 1 });
  kit.chunk(1, 2, utf8("x"));
  const { encodeRequest } = await import("./server_kit.ts");
  const broken = encodeRequest(1).slice();
  broken[0] = 0x15;
  kit.deliver(broken);
  const [response] = await kit.responses();
  assert.match(response?.text ?? "", /an item cannot be read/);
});
