/** Typed capabilities between us and the live Rust core: same input, same tags; each reads the other's. */
import assert from "node:assert/strict";
import {
  CapabilityBuilder,
  type CapabilitySet,
  decodeAnnouncement,
  type GpuVendor,
  type HardwareInput,
  type HardwareView,
  type LimitsView,
  MODALITIES,
  type ModelInput,
  readHardwareView,
  readLimitsView,
  readModels,
  readSoftwareView,
  readTools,
  type SoftwareInput,
  TAG_STREAM_ACK_RANGES,
  type ToolInput,
  validateCapabilities,
} from "../../src/core/capability/mod.ts";
import { startAnnouncingNode } from "./announcement_node.ts";
import type { AnnouncementOperations } from "./announcement_peer_process.ts";
import { type LineProcess, startLineProcess } from "./line_process.ts";
import { eventually } from "./mesh_node.ts";
import { rustPeerTest } from "./rust_peer.ts";
import type { RustNodeInfo } from "./rust_protocol.ts";

type Peer = LineProcess<AnnouncementOperations>;

/** Typed input that both sides take. */
interface Input {
  readonly hardware?: HardwareInput;
  readonly software?: SoftwareInput;
  readonly models?: readonly ModelInput[];
  readonly tools?: readonly ToolInput[];
  readonly limits?: Partial<LimitsView>;
  readonly tags?: readonly string[];
}

const PSK = new Uint8Array(32).fill(0x37);

const INPUTS: readonly Input[] = [
  {},
  {
    hardware: {
      cpuCores: 4,
      cpuThreads: 8,
      memoryGb: 16,
      storageGb: 500,
      networkGbps: 10,
      gpu: {
        vendor: "nvidia",
        model: "RTX 4090",
        vramGb: 24,
        computeUnits: 128,
        tensorCores: 512,
        fp16TflopsX10: 825,
      },
    },
    software: {
      os: "linux",
      osVersion: "6.1",
      runtimes: [["python", "3.11"], ["node", "20"]],
      frameworks: [["pytorch", "2.1"]],
      cudaVersion: "12.1",
      drivers: [["nvidia", "535.86"]],
    },
    models: [
      {
        modelId: "llama",
        family: "llama",
        parametersBX10: 700,
        contextLength: 128_000,
        quantization: "fp16",
        modalities: ["text", "code", "tool_use"],
        tokensPerSec: 50,
        loaded: true,
      },
      { modelId: "tiny" },
    ],
    tools: [
      {
        toolId: "tool-a",
        name: "A",
        version: "2.0",
        inputSchema: '{"type":"object"}',
        outputSchema: "{}",
        requires: ["a", "b:1=2"],
        estimatedTimeMs: 5,
        stateless: false,
      },
      { toolId: "tool-b", name: "B" },
    ],
    limits: {
      maxConcurrentRequests: 10,
      maxTokensPerRequest: 4_096,
      rateLimitRpm: 600,
      maxBatchSize: 32,
      maxInputBytes: 1_048_576,
      maxOutputBytes: 2_097_152,
    },
  },
  // Threads follow cores; a vendor without a name is not written, the presence of its GPU is.
  { hardware: { cpuCores: 7, gpu: { vendor: "unknown", model: "x", vramGb: 1 } } },
  { hardware: { cpuCores: 1, cpuThreads: 3, gpu: { vendor: "apple", model: "", vramGb: 0 } } },
  // Names that would not read back are left out.
  {
    software: {
      os: "",
      runtimes: [["a.b", "1"], ["a=b", "1"], ["a:b", "1"], ["", "1"], ["ok", "=:."]],
      drivers: [["z", "1"], ["é", "2"]],
    },
  },
  { models: [{ modelId: "m", family: "", loaded: false, tokensPerSec: 0 }] },
  {
    models: [{ modelId: "all", modalities: MODALITIES }, { modelId: "text", modalities: ["text"] }],
  },
  // Above ten rows the order of texts is not the order of rows.
  { tools: Array.from({ length: 12 }, (_, i) => ({ toolId: `t${11 - i}`, name: `T${i}` })) },
  { limits: { maxBatchSize: 1 }, tags: ["plain", "software.arch:x64", "scope:region:eu"] },
  {
    hardware: { storageGb: 2 ** 40, memoryGb: 2 ** 32 - 1 },
    limits: { rateLimitRpm: 2 ** 32 - 1 },
  },
];

/** The same with the names and types of the addon. */
function toAddon({ hardware, software, ...others }: Input): Readonly<Record<string, unknown>> {
  const pairs = (entries: Iterable<readonly [string, string]> = []) => [...entries];
  const { storageGb, ...counts } = hardware ?? {};
  return {
    ...others,
    hardware: hardware === undefined ? undefined : {
      ...counts,
      storageGb: storageGb === undefined ? undefined : BigInt(storageGb),
    },
    software: software === undefined ? undefined : {
      ...software,
      runtimes: pairs(software.runtimes),
      frameworks: pairs(software.frameworks),
      drivers: pairs(software.drivers),
    },
  };
}

function build(input: Input): CapabilitySet {
  const builder = new CapabilityBuilder();
  const { tags = [] } = input;
  builder.addTags(tags.filter((tag) => !tag.startsWith("scope:")));
  const regions = tags.filter((tag) => tag.startsWith("scope:region:"))
    .map((tag) => tag.slice("scope:region:".length));
  builder.setScope({ regions });
  if (input.hardware !== undefined) builder.setHardware(input.hardware);
  if (input.software !== undefined) builder.setSoftware(input.software);
  if (input.models !== undefined) builder.setModels(input.models);
  if (input.tools !== undefined) builder.setTools(input.tools);
  if (input.limits !== undefined) builder.setLimits(input.limits);
  return builder.build();
}

const startPeer = (): Peer =>
  startLineProcess<AnnouncementOperations>(
    new URL("./announcement_peer_process.ts", import.meta.url),
    { name: "Rust peer" },
  );

async function startRust(peer: Peer): Promise<RustNodeInfo> {
  const rust = await peer.call("create", { psk: PSK });
  await peer.call("start", { node: rust.node });
  return rust;
}

/** A node of ours, connected. */
async function connect(rust: RustNodeInfo) {
  const node = startAnnouncingNode(PSK);
  const [host = "", port] = rust.address.split(":");
  const addresses = [{ host, port: Number(port) }];
  const { nodeId, publicKey: noisePublicKey } = rust;
  await node.transport.dial({ nodeId, noisePublicKey, addresses, form: "routed" }, 3000);
  return node;
}

/** What a core announces for an input; each gets a node of its own, because one waits 10 s in between. */
async function capture(peer: Peer, input: Input): Promise<CapabilitySet> {
  const rust = await startRust(peer);
  await using node = await connect(rust);
  await peer.call("announce", { node: rust.node, capabilities: toAddon(input) });
  await eventually("it is announced", () => node.received.length > 0);
  await peer.call("shutdown", { node: rust.node });
  const decoded = decodeAnnouncement(node.received.at(-1) ?? new Uint8Array(0));
  assert.ok(decoded.ok);
  return decoded.announcement.capabilities;
}

rustPeerTest("CapabilityBuilder writes the tags that the core writes for the same", async (t) => {
  await using peer = startPeer();
  for (const [index, input] of INPUTS.entries()) {
    await t.step(`input ${index}`, async () => {
      const theirs = await capture(peer, input);
      const ours = build(input);
      // What the core adds by itself.
      const tags = theirs.tags.filter((tag) =>
        tag !== TAG_STREAM_ACK_RANGES && !tag.startsWith("nat:")
      );
      assert.deepEqual(ours.tags, tags);
      assert.deepEqual(ours.metadata, theirs.metadata);
      assert.deepEqual(validateCapabilities(theirs).errors, []);
      assertReads(theirs, input);
    });
  }
});

/** The typed views of what the core announced hold what it was told. */
function assertReads(set: CapabilitySet, input: Input): void {
  const { hardware = {}, software = {}, models = [], tools = [], limits = {} } = input;
  const { gpu, ...counts } = hardware;
  const view = readHardwareView(set);
  const told = { ...counts, cpuThreads: hardware.cpuThreads ?? hardware.cpuCores };
  for (const [field, value] of Object.entries(told)) {
    if (value !== undefined) assert.equal(view[field as keyof HardwareView], value, field);
  }
  assert.equal(view.gpu === undefined, gpu === undefined);
  assertHolds(view.gpu ?? {}, gpu ?? {});
  assertHolds(readLimitsView(set), limits);
  const { runtimes = [], frameworks = [], drivers = [], ...texts } = software;
  const programs = readSoftwareView(set);
  assertHolds(programs, texts);
  const readable = (entries: Iterable<readonly [string, string]>) =>
    new Map([...entries].filter(([name]) => !/[=:.]|^$/.test(name)).sort());
  assert.deepEqual(new Map([...programs.runtimes].sort()), readable(runtimes));
  assert.deepEqual(new Map([...programs.frameworks].sort()), readable(frameworks));
  assert.deepEqual(new Map([...programs.drivers].sort()), readable(drivers));
  assert.equal(readModels(set).length, models.length);
  for (const [index, model] of models.entries()) assertHolds(readModels(set)[index] ?? {}, model);
  assert.equal(readTools(set).length, tools.length);
  for (const [index, tool] of tools.entries()) assertHolds(readTools(set)[index] ?? {}, tool);
}

function assertHolds(view: object, told: object): void {
  const values = new Map<string, unknown>(Object.entries(view));
  for (const [field, value] of Object.entries(told)) {
    assert.deepEqual(values.get(field), value, field);
  }
}

rustPeerTest(
  "the core says of every model that it works on text, CapabilityBuilder does not",
  async () => {
    await using peer = startPeer();
    const input: Input = { models: [{ modelId: "m", modalities: ["embedding"] }] };
    const [theirs] = readModels(await capture(peer, input));
    assert.deepEqual(theirs?.modalities, ["text", "embedding"]);
    assert.deepEqual(readModels(build(input))[0]?.modalities, ["embedding"]);
  },
);

rustPeerTest("the core reads the tags that CapabilityBuilder writes", async () => {
  await using peer = startPeer();
  const rust = await startRust(peer);
  await using node = await connect(rust);
  const set = build(INPUTS[1] ?? {});
  node.send(rust.nodeId, node.announcement(set.tags, { metadata: [...set.metadata] }));
  const finds = async (filter: Readonly<Record<string, unknown>>) =>
    (await peer.call("findByFilter", { node: rust.node, filter })).includes(node.nodeId);
  const deadlineMs = performance.now() + 20_000;
  while (!await finds({ requireTags: ["software.os=linux"] })) {
    assert.ok(performance.now() < deadlineMs);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const vendor: GpuVendor = "nvidia";
  const yes = [
    { minMemoryGb: 16 },
    { requireGpu: true },
    { gpuVendor: vendor },
    { minVramGb: 24 },
    { requireModels: ["tiny"] },
    { requireTools: ["tool-b"] },
    { minMemoryGb: 16, gpuVendor: vendor, minVramGb: 24, requireModels: ["llama"] },
  ];
  for (const filter of yes) assert.ok(await finds(filter), JSON.stringify(filter));
  const no = [
    { minMemoryGb: 17 },
    { gpuVendor: "amd" },
    { minVramGb: 25 },
    { requireModels: ["huge"] },
    { requireTools: ["tool-c"] },
  ];
  for (const filter of no) assert.ok(!await finds(filter), JSON.stringify(filter));
});
