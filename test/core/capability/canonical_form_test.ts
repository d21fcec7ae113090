import assert from "node:assert/strict";
import fc from "fast-check";
import { readCanonicalForm } from "../../../src/core/capability/_canonical_form.ts";
import {
  type Announcement,
  ANNOUNCEMENT_BYTES_MAX,
  announcementTranscript,
  decodeAnnouncement,
  encodeAnnouncement,
  forwardAnnouncement,
} from "../../../src/core/capability/mod.ts";
import { anyOptions, bytesOfText, sample, textOfBytes } from "./samples.ts";

/** What the general reader makes of a text: a space in front is not canonical. */
function readGenerally(text: string): Announcement | undefined {
  const decoded = decodeAnnouncement(bytesOfText(` ${text}`));
  return decoded.ok ? decoded.announcement : undefined;
}

function readForm(text: string, known?: Announcement) {
  // Its callers see to that.
  if (/[^ -[\]-\uffff]/.test(text)) return undefined;
  return readCanonicalForm(bytesOfText(text), text, () => known);
}

const anyText = fc.tuple(anyOptions, fc.nat(20), fc.boolean()).map(
  ([options, hopCount, isPlain]) => {
    const none = isPlain ? [] : undefined;
    const lists = { allowedNodes: none, allowedSubnets: none, allowedGroups: none };
    const more = isPlain ? { ...options, ...lists } : options;
    return textOfBytes(encodeAnnouncement({ ...sample(more), hopCount }));
  },
);

/** Few changes leave a text nearly canonical. */
const anyChange = fc.record({
  at: fc.nat(2_000),
  remove: fc.nat(3),
  insert: fc.constantFrom(
    "",
    '"',
    ",",
    '","',
    "\\",
    '\\"',
    "0",
    "}",
    "]",
    "\u0001",
    "é",
    ":",
    '":"',
  ),
});

Deno.test("readCanonicalForm() reads what the general reader reads, or nothing", () => {
  fc.assert(
    fc.property(anyText, fc.array(anyChange, { maxLength: 2 }), (text, changes) => {
      let changed = text;
      for (const { at, remove, insert } of changes) {
        const place = at % (changed.length + 1);
        changed = changed.slice(0, place) + insert + changed.slice(place + remove);
      }
      if (!changed.isWellFormed()) return;
      const form = readForm(changed);
      if (form === undefined) return;
      assert.deepEqual(form.announcement, readGenerally(changed));
      const transcript = form.transcript(new Uint8Array(ANNOUNCEMENT_BYTES_MAX));
      assert.deepEqual(new Uint8Array(transcript), announcementTranscript(form.announcement));
      assert.deepEqual(form.forward(), forwardAnnouncement(form.announcement));
    }),
    { numRuns: 3_000 },
  );
});

Deno.test("readCanonicalForm() takes whatever is canonical and has no lists and no escapes", () => {
  fc.assert(fc.property(anyText, (text) => {
    const isPlain = !/\\|"allowed_/.test(text);
    assert.equal(readForm(text) !== undefined, isPlain, text);
  }));
});

Deno.test("readCanonicalForm() uses a known set again when it is the same, and no other", () => {
  const known = sample({ metadata: [["a", "b"], ["c", "d"]], version: 1n });
  const textOf = (options: Parameters<typeof sample>[0]) =>
    textOfBytes(encodeAnnouncement(sample(options)));
  const metadata = [["a", "b"], ["c", "d"]] as const;
  const again = readForm(textOf({ metadata, version: 9n }), known)?.announcement;
  assert.equal(again?.capabilities, known.capabilities);
  assert.equal(again?.entityId, known.entityId);
  assert.equal(again?.version, 9n);
  const others = [
    { metadata: [["a", "b"]] as const },
    { metadata: [...metadata, ["e", "f"]] as const },
    { metadata: [["a", "b"], ["c", "x"]] as const },
    { metadata, tags: ["gpu"] },
    { metadata, tags: ["gpu", "hardware.memory_gb=64", "x"] },
    { metadata: [], tags: [] },
  ];
  for (const other of others) {
    const text = textOf(other);
    const read = readForm(text, known)?.announcement;
    assert.notEqual(read?.capabilities, known.capabilities);
    assert.deepEqual(read, readGenerally(text));
  }
  const nothing = sample({ tags: [] });
  const text = textOfBytes(encodeAnnouncement(nothing));
  assert.equal(readForm(text, nothing)?.announcement.capabilities, nothing.capabilities);
});

Deno.test("readCanonicalForm() refuses numbers that are too large", () => {
  const text = textOfBytes(encodeAnnouncement(sample()));
  assert.ok(readForm(text) !== undefined);
  for (
    const [from, to] of [
      ['"version":5', '"version":18446744073709551616'],
      ['"ttl_secs":300', '"ttl_secs":4294967296'],
      ['"hop_count"', '"hop_count":0'],
    ] as const
  ) {
    const changed = text.replace(from, to);
    if (changed !== text) assert.equal(readForm(changed), undefined);
  }
  const hopped = text.replace(/"\}$/, '","hop_count":256}');
  assert.notEqual(hopped, text);
  assert.equal(readForm(hopped), undefined);
});
