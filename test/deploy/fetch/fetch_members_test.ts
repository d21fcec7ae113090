/** Executables into a toolkit: verified before they get their name, or not there at all. */
import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { platformOf } from "../../../src/deploy/mod.ts";
import {
  listFiles,
  makeExecutable,
  metadataText,
  runFetch,
  sumsOf,
  withFolder,
  writeFiles,
} from "./_kit.ts";

const GOOD = makeExecutable(300_000);
const SUMS = sumsOf(GOOD);
const TRIPLE = "x86_64-unknown-linux-musl";

Deno.test("V31: a wrong checksum leaves no file, a right one an executable of mode 0755", () =>
  withFolder(async (root) => {
    const bad = makeExecutable(300_000, 62, 2);
    await writeFiles(root, {
      "kit/a/metadata.toml": metadataText("a", SUMS.sha256),
      "bad/primals/x86_64/a": bad,
      "good/primals/x86_64/a": GOOD,
    });
    const kit = `${root}/kit`;
    const wrong = await runFetch(kit, ["a"], { sources: [`${root}/bad`] });
    assert.equal(wrong.outcomes[0]?.status, "failed");
    assert.equal(wrong.outcomes[0]?.error?.code, "integrity");
    assert.match(
      wrong.outcomes[0]?.error?.message ?? "",
      /sha256 is .* must be .*a\/metadata.toml/,
    );
    assert.deepEqual(await listFiles(kit), ["a/metadata.toml 644"]);

    // The next source counts when the first one's file is wrong.
    const right = await runFetch(kit, ["a"], { sources: [`${root}/bad`, `${root}/good`] });
    assert.equal(right.outcomes[0]?.status, "fetched");
    assert.deepEqual(right.outcomes[0]?.digests, SUMS);
    assert.deepEqual(right.outcomes[0]?.verified, ["sha256"]);
    assert.deepEqual(await listFiles(kit), ["a/metadata.toml 644", "primals/x86_64/a 755"]);
    assert.deepEqual(await Deno.readFile(`${kit}/primals/x86_64/a`), GOOD);

    // There and right: nobody is asked, also no source that does not exist.
    const again = await runFetch(kit, ["a"], { sources: [`${root}/none`] });
    assert.equal(again.outcomes[0]?.status, "present");
    const forced = await runFetch(kit, ["a"], { sources: [`${root}/none`], isForced: true });
    assert.equal(forced.outcomes[0]?.status, "failed");
    assert.deepEqual(await Deno.readFile(`${kit}/primals/x86_64/a`), GOOD);
  }));

Deno.test("V31: a source that is not there is named, not the checksum that it should have had", () =>
  withFolder(async (root) => {
    const report = await runFetch(`${root}/kit`, ["a"], { sources: [`${root}/none`] });
    assert.equal(report.outcomes[0]?.error?.code, "not_found");
    assert.match(report.outcomes[0]?.error?.message ?? "", /none: there is no such folder/);
    await writeFiles(root, { "source/manifest.lock": "#".repeat(2_000_000) });
    const long = await runFetch(`${root}/kit`, ["a"], { sources: [`${root}/source`] });
    assert.match(long.outcomes[0]?.error?.message ?? "", /manifest.lock/);
  }));

Deno.test("V31: bytes are written through no link that lies where they are collected", () =>
  withFolder(async (root) => {
    await writeFiles(root, {
      "kit/a/metadata.toml": metadataText("a", SUMS.sha256),
      "kit/primals/x86_64/other": "",
      "source/a": GOOD,
      precious: "keep",
    });
    const kit = `${root}/kit`;
    await Deno.symlink(`${root}/precious`, `${kit}/primals/x86_64/.a.part`);
    const report = await runFetch(kit, ["a"], { sources: [`${root}/source`] });
    assert.equal(report.outcomes[0]?.error?.code, "conflict");
    assert.match(report.outcomes[0]?.error?.message ?? "", /no plain file/);
    assert.equal(await Deno.readTextFile(`${root}/precious`), "keep");
  }));

Deno.test("V31: SHA-256 and BLAKE3 must both be right where both are given", () =>
  withFolder(async (root) => {
    const sums = (hex: string) => `[primals.a]\n"${TRIPLE}" = "${hex}"\n`;
    await writeFiles(root, {
      "source/a": GOOD,
      "kit/a/metadata.toml": metadataText("a", SUMS.sha256),
    });
    const kit = `${root}/kit`;
    for (
      const [sha256, blake3, status] of [
        [SUMS.sha256, "0".repeat(64), "failed"],
        ["0".repeat(64), SUMS.blake3, "failed"],
        [SUMS.sha256, SUMS.blake3.toUpperCase(), "fetched"],
      ] as const
    ) {
      await writeFiles(kit, {
        "a/metadata.toml": metadataText("a", sha256),
        "checksums.toml": sums(blake3),
      });
      const { outcomes } = await runFetch(kit, ["a"], { sources: [`${root}/source`] });
      assert.equal(outcomes[0]?.status, status, `${sha256} ${blake3}`);
    }
    // BLAKE3 alone is enough.
    await Deno.remove(`${kit}/a`, { recursive: true });
    const alone = await runFetch(kit, ["a"], { sources: [`${root}/source`], isForced: true });
    assert.deepEqual(alone.outcomes[0]?.verified, ["blake3"]);
  }));

Deno.test("V31: without a checksum a fetch fails, unless that is allowed", () =>
  withFolder(async (root) => {
    await writeFiles(root, { "source/a/a": GOOD });
    const sources = [`${root}/source`];
    const refused = await runFetch(`${root}/kit`, ["a"], { sources });
    assert.equal(refused.outcomes[0]?.error?.code, "integrity");
    assert.match(refused.outcomes[0]?.error?.next ?? "", /--allow-unverified/);
    const allowed = await runFetch(`${root}/kit`, ["a"], { sources, allowUnverified: true });
    assert.equal(allowed.outcomes[0]?.status, "fetched");
    assert.deepEqual(allowed.outcomes[0]?.verified, []);
    assert.deepEqual(allowed.outcomes[0]?.digests, SUMS);
    // It is not vouched for by being there.
    const again = await runFetch(`${root}/kit`, ["a"], { sources });
    assert.equal(again.outcomes[0]?.error?.code, "integrity");
    const there = await runFetch(`${root}/kit`, ["a"], { sources, allowUnverified: true });
    assert.equal(there.outcomes[0]?.status, "present");
  }));

Deno.test("what is there counts for its own machine only, and is made executable", () =>
  withFolder(async (root) => {
    await writeFiles(root, {
      "kit/a/metadata.toml": metadataText("a", SUMS.sha256),
      "kit/a/a": GOOD,
      "kit/primals/b": makeExecutable(1_000, 183),
      "source/b": GOOD,
    });
    const kit = `${root}/kit`;
    const here = await runFetch(kit, ["a"]);
    assert.equal(here.outcomes[0]?.path, `${kit}/a/a`);
    assert.equal(here.outcomes[0]?.status, "present");
    assert.ok((await listFiles(kit)).includes("a/a 755"));
    const other = await runFetch(kit, ["b"], {
      sources: [`${root}/source`],
      allowUnverified: true,
    });
    assert.equal(other.outcomes[0]?.status, "fetched");
  }));

Deno.test("V-g: an executable for another machine is refused, whatever its checksum", () =>
  withFolder(async (root) => {
    const arm = makeExecutable(50_000, 183);
    const text = metadataText("a", sumsOf(arm).sha256) +
      `[builds.aarch64-linux]\nchecksum_sha256 = "${sumsOf(arm).sha256}"\n`;
    await writeFiles(root, { "kit/a/metadata.toml": text, "source/a": arm });
    const kit = `${root}/kit`;
    const sources = [`${root}/source`];
    const here = await runFetch(kit, ["a"], { sources });
    assert.equal(here.outcomes[0]?.error?.code, "integrity");
    assert.match(
      here.outcomes[0]?.error?.message ?? "",
      /another machine: ELF 64 bits machine 183, must be 64 bits machine 62 for x86_64/,
    );
    assert.deepEqual(await listFiles(kit), ["a/metadata.toml 644"]);
    const there = await runFetch(kit, ["a"], { sources, platform: platformOf("arm64") });
    assert.equal(there.outcomes[0]?.path, `${kit}/primals/aarch64/a`);
    assert.deepEqual(await listFiles(kit), ["a/metadata.toml 644", "primals/aarch64/a 755"]);
    const none = await runFetch(kit, ["a"], { sources, platform: platformOf("riscv64") });
    assert.match(none.outcomes[0]?.error?.message ?? "", /no build for riscv64-linux/);
  }));

Deno.test("what is neither ELF nor a script is refused, also where checksums are not asked for", () =>
  withFolder(async (root) => {
    await writeFiles(root, {
      "source/page": "<html>please log in</html>",
      "source/short": "\x7fELF",
      "source/script": "#!/bin/sh\necho hello\n",
    });
    const { outcomes } = await runFetch(`${root}/kit`, ["page", "short", "script"], {
      sources: [`${root}/source`],
      allowUnverified: true,
    });
    assert.deepEqual(outcomes.map(({ status }) => status), ["failed", "failed", "fetched"]);
    assert.deepEqual(await listFiles(`${root}/kit`), ["primals/x86_64/script 755"]);
  }));

Deno.test("compositions and --all choose members; a toolkit without manifest takes the source's files", () =>
  withFolder(async (root) => {
    const other = makeExecutable(10_000, 62, 7);
    await writeFiles(`${root}/source`, {
      "manifest.lock": "[primals.a]\n[primals.b]\n[primals.later]\n" +
        '[compositions.both]\nprimals = ["a", "b", "a"]\n',
      "a/metadata.toml": metadataText("a", SUMS.sha256),
      "checksums.toml": `[primals.b]\n"${TRIPLE}" = "${sumsOf(other).blake3}"\n`,
      "ports.env": "A_PORT=9100\n",
      "primals/x86_64/a": GOOD,
      [`primals/${TRIPLE}/b`]: other,
    });
    const kit = `${root}/kit`;
    const sources = [`${root}/source`];
    const choice = { members: [], compositions: ["both"], isAll: false };
    const dry = await runFetch(kit, [], { choice, sources, isDry: true });
    assert.deepEqual(dry.outcomes.map(({ status }) => status), ["planned", "planned"]);
    await assert.rejects(Deno.stat(kit), Deno.errors.NotFound);

    const report = await runFetch(kit, [], { choice, sources });
    assert.deepEqual(report.outcomes.map(({ member, status }) => `${member} ${status}`), [
      "a fetched",
      "b fetched",
    ]);
    assert.deepEqual([...report.files].sort(), [
      "a/metadata.toml",
      "checksums.toml",
      "manifest.lock",
      "ports.env",
    ]);
    assert.deepEqual(await listFiles(kit), [
      "a/metadata.toml 644",
      "checksums.toml 644",
      "manifest.lock 644",
      "ports.env 644",
      "primals/x86_64/a 755",
      "primals/x86_64/b 755",
    ]);

    const all = await runFetch(kit, [], {
      choice: { members: [], compositions: [], isAll: true },
      sources,
    });
    assert.deepEqual(all.outcomes.map(({ member, status }) => `${member} ${status}`), [
      "a present",
      "b present",
      "later skipped",
    ]);
  }));

Deno.test("a choice that cannot be used is refused before anything is fetched", () =>
  withFolder(async (root) => {
    await writeFiles(root, { "manifest.lock": "[primals.a]\n[compositions.t]\nprimals = []\n" });
    const choose = (members: string[], compositions: string[] = [], isAll = false) =>
      runFetch(root, [], { choice: { members, compositions, isAll }, sources: [root] });
    for (
      const [run, pattern] of [
        [() => choose([]), /no member was chosen/],
        [() => choose(["../a"]), /no name of a member/],
        [() => choose(["unknown"]), /unknown is in no file of/],
        [() => choose([], ["none"]), /no composition "none"/],
        [() => choose([], ["t"]), /names no member/],
        [() => runFetch(root, ["a"], { sources: ["ftp://host/"] }), /https:\/\/ or http:\/\//],
        [() => runFetch(root, ["a"], { sources: ["https://u:secret@host/"] }), /no password/],
        [() => runFetch(root, ["a"], { sources: ["https://host/?a=b"] }), /without \? and #/],
        [() => runFetch(root, ["a"], { tag: "../../x" }), /no name of a tag/],
        [() => runFetch(root, ["a"], { sources: ["github:only"] }), /github:OWNER\/NAME/],
        [() => runFetch(root, ["a"], { sources: ["github:a/.."] }), /github:OWNER\/NAME/],
      ] as const
    ) {
      await assert.rejects(run(), (error: NetError) => {
        assert.ok(error instanceof NetError && error.code === "usage", String(error));
        assert.match(error.message, pattern);
        assert.ok(!error.message.includes("secret"));
        return true;
      });
    }
    await assert.rejects(Deno.stat(`${root}/primals`), Deno.errors.NotFound);
  }));

Deno.test("a folder's interrupted copy goes on where it stopped, and starts anew when it changed", () =>
  withFolder(async (root) => {
    await writeFiles(root, {
      "kit/a/metadata.toml": metadataText("a", SUMS.sha256),
      "source/primals/x86_64/a": GOOD,
    });
    const place = `${root}/source/primals/x86_64/a`;
    const { size, mtime, ino } = await Deno.stat(place);
    const validator = `${size}-${mtime?.getTime()}-${ino}`;
    const leave = (bytes: Uint8Array, origin: object) =>
      writeFiles(`${root}/kit`, {
        "primals/x86_64/.a.part": bytes,
        "primals/x86_64/.a.part.json": JSON.stringify(origin),
      });
    const resumed = async () => {
      const { outcomes } = await runFetch(`${root}/kit`, ["a"], { sources: [`${root}/source`] });
      assert.equal(outcomes[0]?.status, "fetched", outcomes[0]?.error?.message);
      assert.deepEqual(await Deno.readFile(`${root}/kit/primals/x86_64/a`), GOOD);
      assert.deepEqual(await listFiles(`${root}/kit`), [
        "a/metadata.toml 644",
        "primals/x86_64/a 755",
      ]);
      await Deno.remove(`${root}/kit/primals/x86_64/a`);
      return outcomes[0]?.resumedBytes;
    };
    await leave(GOOD.subarray(0, 100_000), { place, validator, size });
    assert.equal(await resumed(), 100_000);
    await leave(GOOD, { place, validator, size });
    assert.equal(await resumed(), GOOD.length);
    // Another version of the file, another file, bytes that are not its beginning, a torn note.
    await leave(GOOD.subarray(0, 100_000), { place, validator: "1-1-1", size });
    assert.equal(await resumed(), 0);
    await leave(GOOD.subarray(0, 100_000), { place: "/elsewhere", validator, size });
    assert.equal(await resumed(), 0);
    await leave(makeExecutable(100_000, 62, 9), { place, validator, size });
    assert.equal(await resumed(), 0);
    await leave(GOOD.subarray(0, 100_000), []);
    assert.equal(await resumed(), 0);
  }));

Deno.test("two fetches of one member at once bring it once", () =>
  withFolder(async (root) => {
    await writeFiles(root, {
      "kit/a/metadata.toml": metadataText("a", SUMS.sha256),
      "source/a": GOOD,
    });
    const runs = await Promise.all(
      [1, 2, 3].map(() => runFetch(`${root}/kit`, ["a"], { sources: [`${root}/source`] })),
    );
    const statuses = runs.map(({ outcomes }) => outcomes[0]?.status).sort();
    assert.deepEqual(statuses, ["fetched", "present", "present"]);
    assert.deepEqual(await listFiles(`${root}/kit`), [
      "a/metadata.toml 644",
      "primals/x86_64/a 755",
    ]);
  }));

Deno.test("an abort ends a fetch with its reason", () =>
  withFolder(async (root) => {
    await writeFiles(root, { "source/a": GOOD });
    const reason = new NetError("timeout", "time is up");
    await assert.rejects(
      runFetch(`${root}/kit`, ["a"], {
        sources: [`${root}/source`],
        allowUnverified: true,
        signal: AbortSignal.abort(reason),
      }),
      reason,
    );
  }));

Deno.test("fetchMembers() can be called off while another process has the part", () =>
  withFolder(async (root) => {
    await writeFiles(root, { "a/metadata.toml": metadataText("a", SUMS.sha256) });
    await Deno.mkdir(`${root}/primals/x86_64`, { recursive: true });
    using file = await Deno.open(`${root}/primals/x86_64/.a.part`, { create: true, write: true });
    await file.lock(true);
    const controller = new AbortController();
    const fetching = runFetch(root, ["a"], { sources: [root], signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 100);
    await assert.rejects(fetching, /enough/);
  }));
