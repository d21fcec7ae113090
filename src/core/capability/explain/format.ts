/** An explanation as lines of text. */
import type { ConditionReport, MatchReport } from "./explain.ts";

const INDENT = "  ";

/**
 * One line per condition: whether it holds, what was asked, and what the node has. No line break at the
 * end; nothing at all when nothing was asked.
 */
export function formatMatchReport({ conditions }: MatchReport): string {
  const lines = conditions.flatMap((condition) => linesOf(condition, ""));
  const width = Math.max(0, ...lines.map(({ asked }) => [...asked].length));
  return lines.map(({ asked, found }) => {
    const padding = " ".repeat(width - [...asked].length);
    return found === "" ? asked : `${asked}${padding}${INDENT}${found}`;
  }).join("\n");
}

interface Line {
  readonly asked: string;
  readonly found: string;
}

function linesOf({ text, holds, found, children }: ConditionReport, indent: string): Line[] {
  const asked = `${holds ? "yes" : "no "}${INDENT}${indent}${text}`;
  return [{ asked, found }, ...children.flatMap((child) => linesOf(child, indent + INDENT))];
}
