/** Conditions of a request on what the client has already (RFC 9110 13), for objects that never change. */

/** The tag of an object: its address, strong because it names every byte. */
export function entityTag(address: string): string {
  return `"${address}"`;
}

/** What the conditions say: go on, the client has it, or it is not what the client means. */
export type Condition = "go_on" | "not_modified" | "failed";

/** Looks at If-Match and If-None-Match of a request to read an object that is here. */
export function checkConditions(headers: Pick<Headers, "get">, tag: string): Condition {
  const match = headers.get("if-match");
  if (match !== null && !isListed(match, tag, false)) return "failed";
  const noneMatch = headers.get("if-none-match");
  return noneMatch !== null && isListed(noneMatch, tag, true) ? "not_modified" : "go_on";
}

/** True when If-Range, if there is one, lets the Range count: dates never do. */
export function isRangeWanted(headers: Headers, tag: string): boolean {
  const condition = headers.get("if-range");
  return condition === null || condition.trim() === tag;
}

function isListed(list: string, tag: string, takesWeak: boolean): boolean {
  // None of our tags has a comma in it.
  return list.split(",").map((item) => item.trim()).some((item) =>
    item === "*" || item === tag || (takesWeak && item === `W/${tag}`)
  );
}
