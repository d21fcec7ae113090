/** The log verbs on folders that the Rust core writes, and the core on those of a node. */
import assert from "node:assert/strict";
import { utf8 } from "../../src/base/mod.ts";
import { startLineProcess } from "../interop/line_process.ts";
import { isRustPlatform } from "../interop/rust_addon.ts";
import type { RustLogOperations } from "../interop/rust_log_process.ts";
import { makeWorkspace } from "./harness.ts";
import { describe } from "./program.ts";

const CORE = new URL("../interop/rust_log_process.ts", import.meta.url);

Deno.test({
  name: "log: a folder of the Rust core is read, appended to, verified, repaired, and given back",
  ignore: !isRustPlatform(),
  fn: async () => {
    await using workspace = await makeWorkspace();
    const node = await workspace.startNode({ flags: ["--udp", "127.0.0.1:0"] });
    const { home } = node;
    await node.kill("SIGTERM");
    await using core = startLineProcess<RustLogOperations>(CORE, { name: "Rust core's log" });
    const folder = `${home.dataDir}/logs`;
    const place = { folder, channel: "lab/log" };
    const payloads = ["one", "two", "three"].map((text) => utf8(text));
    await core.call("append", { ...place, payloads, isBatch: true });
    const net = async (code: number, ...args: string[]) => {
      const result = await home.net(["log", ...args, "--data-dir", home.dataDir]);
      assert.equal(result.code, code, describe(result));
      return result.stdout;
    };
    assert.equal(await net(0, "read", "lab/log"), "one\ntwo\nthree\n");
    assert.equal(await net(0, "append", "lab/log", "four"), "appended event 3 to lab/log\n");
    assert.match(await net(0, "verify", "--folder", folder), /^lab\/log: 4 events, .*, sound$/m);
    const texts = async () =>
      (await core.call("read", place)).map(({ payload }) => new TextDecoder().decode(payload));
    assert.deepEqual(await texts(), ["one", "two", "three", "four"]);
    const live = await core.call("append", { ...place, payloads: [utf8("five")], isBatch: false });
    assert.equal(live, 4n);
    using dat = await Deno.open(`${folder}/lab/log/v0000000001/dat`, { write: true });
    await dat.seek(3, Deno.SeekMode.Start);
    await dat.write(utf8("T"));
    assert.match(await net(9, "verify", "--folder", folder), /1 damaged \(1\)/);
    await net(0, "repair", "--folder", folder);
    assert.deepEqual(await texts(), ["one", "three", "four", "five"]);
    assert.match(await net(0, "read", "lab/log", "--last", "1", "--meta"), /^4\t.*\tfive$/m);
  },
});
