/** Capability announcements: transcript, signature, wire form. */

import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/mod.ts";
import {
  type Announcement,
  announcementTranscript,
  decodeAnnouncement,
  encodeAnnouncement,
  signAnnouncement,
  verifyAnnouncement,
} from "../../../src/core/capability/mod.ts";
import { createIdentity } from "../../../src/core/crypto/mod.ts";
import type { VectorSuite } from "../suite.ts";
import { booleanOf, bytesOf, integerOf, textOf, type VectorObject } from "../vector_reader.ts";

/** Suites of this file by vector file. */
export const CAPABILITY_SUITES: Readonly<Record<string, VectorSuite>> = {
  "capability/announcements.json": () => ({
    cases: checkAnnouncement,
    captured_from_core: (vector) => void checkCaptured(vector),
  }),
};

function checkAnnouncement(vector: VectorObject): void {
  const wire = textOf(vector, "wire_utf8");
  if (!booleanOf(vector, "accepted_by_core")) {
    const decoded = decodeAnnouncement(utf8(wire));
    const isRefused = !decoded.ok || verifyAnnouncement(decoded.announcement) !== undefined;
    assert.ok(isRefused, "what the core refuses is refused");
    return;
  }
  const announcement = checkCaptured(vector);
  assert.equal(announcement.version, integerOf(vector, "version"));
  const transcript = textOf(vector, "transcript_utf8");
  assert.equal(new TextDecoder().decode(announcementTranscript(announcement)), transcript);
  const identity = createIdentity(bytesOf(vector, "seed_hex"));
  assert.equal(announcement.entityId.toHex(), identity.entityId.toHex());
  // The transcript is itself an announcement, an unsigned one.
  const signed = signAnnouncement(decode(transcript), identity);
  assert.equal(signed.signature?.toHex(), textOf(vector, "signature_hex"));
  assert.equal(new TextDecoder().decode(encodeAnnouncement(signed)), wire);
}

function checkCaptured(vector: VectorObject): Announcement {
  const wire = textOf(vector, "wire_utf8");
  const announcement = decode(wire);
  assert.equal(verifyAnnouncement(announcement), undefined);
  assert.equal(new TextDecoder().decode(encodeAnnouncement(announcement)), wire);
  return announcement;
}

function decode(text: string): Announcement {
  const decoded = decodeAnnouncement(utf8(text));
  if (!decoded.ok) throw new Error(`it decodes: ${decoded.fault}`);
  return decoded.announcement;
}
