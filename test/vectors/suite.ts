/**
 * What a vector suite is, and how the cases of a file are made from it.
 *
 * A suite knows where in its file the lists of cases are and what each case demands. It takes any number
 * of cases; cases of one file run in order, because some build on the ones before.
 */

import { objectOf, parseVectors, valueAt, type VectorObject } from "./vector_reader.ts";

/** Throws, or rejects, when the case is not met. */
export type CaseCheck = (vector: VectorObject) => void | Promise<void>;

/** Cases that lie in a file otherwise than in a list. */
export interface GatheredCases {
  readonly cases: readonly VectorObject[];
  readonly check: CaseCheck;
}

/**
 * Checks of one file: path of each list of cases (field names joined by dots) to the check of one case, or any
 * name to cases that were gathered. Called once per run with the whole file, so that checks can share state.
 */
export type VectorSuite = (
  document: unknown,
) => Readonly<Record<string, CaseCheck | GatheredCases>>;

/** The suite of a file that several areas have their part in. */
export function joinSuites(...suites: readonly VectorSuite[]): VectorSuite {
  return (document) => Object.assign({}, ...suites.map((suite) => suite(document)));
}

/** One case of a file. */
export interface VectorCase {
  /** List and index, for example `vectors.encode[3]`, and the case's own name if it has one. */
  readonly label: string;
  /** Throws, or rejects, when the case is not met. */
  readonly run: () => void | Promise<void>;
}

/**
 * The cases of a file.
 *
 * @param text Content of the file.
 * @throws SyntaxError when it is no JSON.
 * @throws TypeError when it has none of the suite's lists, or something else in the place of one.
 */
export function listCases(suite: VectorSuite, text: string): VectorCase[] {
  const document = parseVectors(text);
  const checks = Object.entries(suite(document));
  const cases: VectorCase[] = [];
  let lists = 0;
  for (const [path, entry] of checks) {
    const isGathered = typeof entry === "object";
    const check = isGathered ? entry.check : entry;
    const list = isGathered ? entry.cases : valueAt(document, path);
    if (list === undefined) continue;
    if (!Array.isArray(list)) throw new TypeError(`Cannot read vectors: ${path} is not a list`);
    lists += 1;
    for (const [index, vector] of list.entries()) {
      cases.push(createCase(path, index, vector, check));
    }
  }
  if (lists === 0) {
    const paths = checks.map(([path]) => path).join(", ");
    throw new TypeError(`Cannot read vectors: the file has none of the lists ${paths}`);
  }
  return cases;
}

function createCase(path: string, index: number, vector: unknown, check: CaseCheck): VectorCase {
  const place = `${path}[${index}]`;
  const name = ["name", "why"].map((field) => valueAt(vector, field))
    .find((value) => typeof value === "string" && value.length <= 100);
  return {
    label: name === undefined ? place : `${place} ${name}`,
    run: () => check(objectOf(vector, place)),
  };
}
