/** Five real nodes: one address finds a blob at the other end of a line, and copies outlive two of them. */
import assert from "node:assert/strict";
import {
  assertFails,
  equalFiles,
  makeWorkspace,
  patternBytes,
  type TestNode,
  ticketOf,
  untilConnected,
  waitFor,
} from "./harness.ts";
import { describe } from "./program.ts";

type Row = Record<string, unknown>;

const MIB = 1024 * 1024;

const present = <T>(value: T | undefined): T => {
  assert.ok(value !== undefined);
  return value;
};

Deno.test("five nodes: copies are taken, told, found over hops, and outlive two nodes", async (t) => {
  await using workspace = await makeWorkspace();
  const nodes: TestNode[] = [];
  for (let i = 0; i < 5; i++) {
    const last = nodes.at(-1);
    const joining = last === undefined ? {} : { stdin: await ticketOf(last) };
    const node = await workspace.startNode({
      flags: ["--udp", "127.0.0.1:0", ...last === undefined ? [] : ["--join", "-"]],
      ...joining,
    });
    if (last !== undefined) await untilConnected(last, node);
    nodes.push(node);
  }
  const [first, , , , fifth] = nodes;
  assert.ok(first && fifth);
  const ids = new Map<string, TestNode>();
  for (const node of nodes) ids.set(String((await node.status()).node_id), node);
  const source = `${workspace.dir}/source`;
  await Deno.writeFile(source, patternBytes(9 * MIB + 5, 3));
  let address = "";
  let holders: string[] = [];

  await t.step("the far end finds and gets it by its address alone", async () => {
    const put = await first.home.json(["blob", "put", source]);
    address = String(put.address);
    await waitFor("the far end has heard of the holder", async () => {
      const found = await fifth.home.json(["blob", "holders", address]);
      return (found.holders as Row[]).some(({ announced }) => announced === true);
    }, 60_000);
    const output = `${workspace.dir}/far`;
    const got = await fifth.home.net(["blob", "get", address, output]);
    assert.equal(got.code, 0, describe(got));
    assert.ok(await equalFiles(source, output));
  });

  await t.step("put --replicas ends when two others have synced it", async () => {
    await Deno.writeFile(source, patternBytes(6 * MIB + 5, 4));
    const put = await first.home.json(["blob", "put", source, "--replicas", "2", "--wait", "60s"]);
    const receipt = put.receipt as Row;
    assert.deepEqual([receipt.reached, receipt.copies, receipt.wanted], [true, 2, 2]);
    address = String(put.address);
    holders = receipt.holders as string[];
    assert.equal(new Set(holders).size, 2);
    for (const id of holders) {
      const stat = await present(ids.get(id)).home.json(["blob", "stat", address]);
      assert.equal(stat.local, true);
    }
    const shown = await first.home.json(["blob", "replicas", address]);
    const [row] = shown.blobs as Row[];
    assert.deepEqual([row?.copies, row?.wanted], [3, 3]);
    assert.deepEqual([...row?.nodes as string[]].sort(), [...holders].sort());
  });

  await t.step("a folder is copied with its files, and a copy says why it stays", async () => {
    const folder = `${workspace.dir}/folder`;
    await Deno.mkdir(`${folder}/sub`, { recursive: true });
    for (const name of ["a", "sub/b"]) {
      await Deno.writeFile(`${folder}/${name}`, patternBytes(5_000, name.length));
    }
    const put = await first.home.json(["blob", "put", folder, "--replicas", "1"]);
    const [id] = (put.receipt as Row).holders as string[];
    const { home } = present(ids.get(present(id)));
    const why = await home.net(["blob", "why", String(put.address)]);
    assert.match(why.stdout, /replica/, describe(why));
    // Without force a copy stays; the others would replace it.
    assertFails(await home.net(["blob", "rm", String(put.address)]), 1, "conflict");
    const out = `${workspace.dir}/folder.copy`;
    const got = await home.net(["blob", "get", String(put.address), out]);
    assert.equal(got.code, 0, describe(got));
    assert.ok(await equalFiles(`${folder}/sub/b`, `${out}/sub/b`));
  });

  await t.step("a blob is published as an event when its copies are there", async () => {
    const film = `${workspace.dir}/film`;
    await Deno.writeFile(film, patternBytes(100_000, 8));
    const appended = await first.home.json([
      "log",
      "append",
      "films",
      "--blob",
      film,
      "--replicas",
      "1",
    ]);
    assert.equal((appended.receipt as Row).copies, 1);
    const waited = await first.home.json(["blob", "wait", String(appended.token)]);
    assert.deepEqual([waited.done, (waited.receipt as Row).copies], [true, 1]);
    const stat = await first.home.json(["log", "stat", "films"]);
    assert.equal(stat.persisted_seq, 1);
    const sent = await first.home.json(["channel", "publish", "news", "--blob", film]);
    assert.deepEqual([sent.address, sent.seq, sent.delivered], [appended.address, null, 0]);
  });

  await t.step("a receipt is never more than what was reached", async () => {
    const other = await first.home.json(["blob", "put", "-"], { stdin: "some other bytes" });
    const far = [
      "blob",
      "replicate",
      String(other.address),
      "--copies",
      "7",
      "--wait",
      "3s",
      "--once",
    ];
    const late = await first.home.net(far);
    assert.match(assertFails(late, 7, "timeout"), /of 7 other nodes have every chunk/);
  });

  await t.step(
    "with the first node and a holder gone it is read from the other holder",
    async () => {
      // One holder goes with it: the one without which the other still has a neighbour that reads.
      const at = holders.map((id) => nodes.indexOf(present(ids.get(id))));
      const ways = at.flatMap((kept) =>
        [kept - 1, kept + 1].filter((i) => i > 0 && i < nodes.length && !at.includes(i))
          .map((i) => ({ reader: nodes[i], gone: nodes[at.find((other) => other !== kept) ?? 0] }))
      );
      const { reader, gone } = present(ways[0]);
      assert.ok(reader && gone);
      await first.kill("SIGKILL");
      await gone.kill("SIGKILL");
      const output = `${workspace.dir}/after`;
      const got = await reader.home.net(["blob", "get", address, output], {
        timeoutMs: 120_000,
      });
      assert.equal(got.code, 0, describe(got));
      assert.ok(await equalFiles(source, output));
    },
  );
});
