/**
 * What a member's metadata says against what the member says of itself, in both directions
 * (`validation.md` 5.2, promise V-m).
 *
 * Pure. Declared but not advertised is a failure, advertised but not declared a warning.
 */
import type { Metadata } from "../deploy/mod.ts";
import type { CapabilityReport } from "./capability_probe.ts";
import { compareDeclared } from "./composition_checks.ts";
import { printable } from "./verdict.ts";

/** The comparison. */
export interface DeclaredReport {
  /** Capabilities that the metadata declares. */
  readonly declared: number;
  readonly notAdvertised: readonly string[];
  readonly notDeclared: readonly string[];
  readonly warnings: readonly string[];
}

/** What is known of the member. */
export interface DescribedMember {
  readonly capabilities: CapabilityReport | undefined;
  readonly version: string | undefined;
  /** Something to say about how the member was reached. */
  readonly note: string | undefined;
}

/** Compares; a declared domain covers all its methods. */
export function compareWithMetadata(metadata: Metadata, member: DescribedMember): DeclaredReport {
  const declared = metadata.compatibility?.capabilities ?? [];
  const { capabilities, version, note } = member;
  const { notAdvertised } = compareDeclared(declared, capabilities?.advertised ?? []);
  // Coarser names that stand beside the methods need no declaration of their own.
  const { notDeclared } = compareDeclared(declared, capabilities?.methods ?? []);
  const warnings = note === undefined ? [] : [note];
  if (version !== undefined && version !== metadata.primal.version) {
    warnings.push(`the member has version "${version}", its metadata "${metadata.primal.version}"`);
  }
  if (declared.length === 0) warnings.push("the metadata declares no capabilities");
  return {
    declared: declared.length,
    notAdvertised,
    notDeclared,
    warnings: warnings.map((warning) => printable(warning)),
  };
}
