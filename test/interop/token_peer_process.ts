/**
 * The Rust core's tokens, identities and delegation chains as operations; no node is started.
 *
 * Run with `deno run -A test/interop/token_peer_process.ts`; its client is `rust_tokens_test.ts`. Argument
 * order and results were found by calling release 0.36.0: skew is seconds as a number, `deriveGateway`
 * takes identities, `extendToSubagent` an identity and an entity id.
 */
import type { Buffer } from "node:buffer";
import { loadRustAddon, toBuffer } from "./rust_addon.ts";
import { serveLines } from "./serve_lines.ts";

/** Somebody's seed and issuer generation. */
export interface Signer {
  readonly seed: Uint8Array;
  readonly generation: number;
}

/** A floor below which an issuer's tokens are refused. */
export interface Floor {
  readonly issuer: Uint8Array;
  readonly floor: number;
}

/** What a token says, as the core reads it. */
export interface RustToken {
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly scope: readonly string[];
  readonly channelHash: bigint;
  readonly notBefore: bigint;
  readonly notAfter: bigint;
  readonly delegationDepth: number;
  readonly issuerGeneration: number;
  readonly nonce: bigint;
}

/** Operations of this process. */
export interface TokenOperations {
  /** State bytes of an identity. */
  encodeState: [Signer, Uint8Array];
  /** Seed and generation of state bytes. */
  decodeState: [{ bytes: Uint8Array }, Signer];
  /** Seed of a child. */
  childSeed: [{ seed: Uint8Array; label: string }, Uint8Array];
  issue: [
    {
      by: Signer;
      subject: Uint8Array;
      scope: readonly string[];
      channel: string;
      ttlSeconds: number;
      depth: number;
    },
    Uint8Array,
  ];
  delegate: [
    { by: Signer; parent: Uint8Array; subject: Uint8Array; scope: readonly string[] },
    Uint8Array,
  ];
  parse: [{ token: Uint8Array }, RustToken];
  /** Whether a token is signed well. */
  verify: [{ token: Uint8Array }, boolean];
  gatewayChain: [
    { root: Signer; machine: Signer; gateway: Signer; ttlSeconds: number; depth?: number },
    Uint8Array,
  ];
  extendToSubagent: [{ chain: Uint8Array; leaf: Signer; subagent: Uint8Array }, Uint8Array];
  verifyChain: [
    {
      chain: Uint8Array;
      presenter: Uint8Array;
      root: Uint8Array;
      floors: readonly Floor[];
      skewSeconds: number;
    },
    boolean,
  ];
  /** Floors of the issuers after the core has read a revocations file. */
  loadRevocations: [{ path: string; issuers: readonly Uint8Array[] }, number[]];
}

interface RustIdentity {
  readonly issuerGeneration: number;
  atGeneration(generation: number): RustIdentity;
  toBytes(): Buffer;
  toStateBytes(): Buffer;
  issueToken(
    subject: Buffer,
    scope: readonly string[],
    channel: string,
    ttlSeconds: number,
    depth: number,
  ): Buffer;
}

interface RustChain {
  toBytes(): Buffer;
  extendToSubagent(leaf: RustIdentity, subagent: Buffer): RustChain;
  verify(
    presenter: Buffer,
    root: Buffer,
    revocations: RustRevocations,
    skewSeconds?: number,
  ): boolean;
}

interface RustRevocations {
  floor(issuer: Buffer): number;
  revokeBelow(issuer: Buffer, floor: number): void;
  loadFromStore(path: string): Promise<void>;
}

interface TokenAddon {
  readonly Identity: {
    fromSeed(seed: Buffer): RustIdentity;
    fromStateBytes(bytes: Buffer): RustIdentity;
  };
  readonly DelegationChain: {
    deriveGateway(
      root: RustIdentity,
      machine: RustIdentity,
      gateway: RustIdentity,
      ttlSeconds: number,
      depth?: number,
    ): RustChain;
    fromBytes(bytes: Buffer): RustChain;
  };
  readonly RevocationRegistry: new () => RustRevocations;
  delegateToken(
    by: RustIdentity,
    parent: Buffer,
    subject: Buffer,
    scope: readonly string[],
  ): Buffer;
  deriveChildIdentity(parent: RustIdentity, label: string): RustIdentity;
  parseToken(token: Buffer): RustToken;
  verifyToken(token: Buffer): boolean;
}

type Args<Name extends keyof TokenOperations> = TokenOperations[Name][0];

async function main(): Promise<void> {
  const addon = loadRustAddon() as unknown as TokenAddon;
  const identity = ({ seed, generation }: Signer): RustIdentity =>
    addon.Identity.fromSeed(toBuffer(seed)).atGeneration(generation);
  const chain = (bytes: Uint8Array) => addon.DelegationChain.fromBytes(toBuffer(bytes));
  await serveLines({
    encodeState: (by: Args<"encodeState">) => identity(by).toStateBytes(),
    decodeState: ({ bytes }: Args<"decodeState">) => {
      const found = addon.Identity.fromStateBytes(toBuffer(bytes));
      return { seed: found.toBytes(), generation: found.issuerGeneration };
    },
    childSeed: ({ seed, label }: Args<"childSeed">) =>
      addon.deriveChildIdentity(addon.Identity.fromSeed(toBuffer(seed)), label).toBytes(),
    issue: ({ by, subject, scope, channel, ttlSeconds, depth }: Args<"issue">) =>
      identity(by).issueToken(toBuffer(subject), scope, channel, ttlSeconds, depth),
    delegate: ({ by, parent, subject, scope }: Args<"delegate">) =>
      addon.delegateToken(identity(by), toBuffer(parent), toBuffer(subject), scope),
    parse: ({ token }: Args<"parse">) => addon.parseToken(toBuffer(token)),
    verify: ({ token }: Args<"verify">) => addon.verifyToken(toBuffer(token)),
    gatewayChain: ({ root, machine, gateway, ttlSeconds, depth }: Args<"gatewayChain">) => {
      const people = [identity(root), identity(machine), identity(gateway)] as const;
      return addon.DelegationChain.deriveGateway(...people, ttlSeconds, depth).toBytes();
    },
    extendToSubagent: ({ chain: bytes, leaf, subagent }: Args<"extendToSubagent">) =>
      chain(bytes).extendToSubagent(identity(leaf), toBuffer(subagent)).toBytes(),
    verifyChain: ({ chain: bytes, presenter, root, floors, skewSeconds }: Args<"verifyChain">) => {
      const revocations = new addon.RevocationRegistry();
      for (const { issuer, floor } of floors) revocations.revokeBelow(toBuffer(issuer), floor);
      const who = [toBuffer(presenter), toBuffer(root)] as const;
      return chain(bytes).verify(...who, revocations, skewSeconds);
    },
    loadRevocations: async ({ path, issuers }: Args<"loadRevocations">) => {
      const revocations = new addon.RevocationRegistry();
      await revocations.loadFromStore(path);
      return issuers.map((issuer) => revocations.floor(toBuffer(issuer)));
    },
  });
}

if (import.meta.main) await main();
