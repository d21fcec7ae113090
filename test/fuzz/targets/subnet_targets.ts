/** Texts about subnets: ids of the topology, and the tags of allow-lists and policies. */

import assert from "node:assert/strict";
import { formatSubnetId, parseSubnetId } from "../../../src/base/mod.ts";
import { subnetOfTags } from "../../../src/channel/subnet/mod.ts";
import {
  formatGroupTag,
  formatSubnetTag,
  readMembership,
} from "../../../src/core/capability/mod.ts";
import type { CreateTarget, FuzzTarget } from "../fuzz.ts";
import { FuzzRandom } from "../fuzz_random.ts";

const random = new FuzzRandom(9);
const ENCODER = new TextEncoder();
const LATIN = new TextDecoder("latin1");
const POLICY = [
  { tagPrefix: "region:", level: 0, values: new Map([["eu", 1], ["us", 255]]) },
  { tagPrefix: "", level: 3, values: new Map([["a", 9]]) },
];

function subnetTextTarget(): FuzzTarget {
  return {
    corpus: ["global", "3.7", "1.2.3.4", "255.255.255.255", "1.0.2"].map((text) =>
      ENCODER.encode(text)
    ),
    feed: (bytes) => {
      const text = LATIN.decode(bytes);
      const id = parseSubnetId(text);
      if (id !== undefined) assert.equal(formatSubnetId(id), text);
      return id;
    },
  };
}

/** Tags, one a line. */
function subnetTagTarget(): FuzzTarget {
  const corpus = Array.from({ length: 8 }, () =>
    ENCODER.encode(
      [
        formatSubnetTag(random.bytes(16)),
        formatGroupTag(random.bytes(32)),
        formatGroupTag(random.bytes(32)),
        "region:eu",
        "a",
      ].join("\n"),
    ));
  return {
    corpus,
    feed: (bytes) => {
      const tags = LATIN.decode(bytes).split("\n");
      const subnet = subnetOfTags(POLICY, tags);
      assert.ok(subnet >= 0 && subnet <= 0xffff_ffff);
      const membership = readMembership(tags);
      const lower = tags.map((tag) => tag.toLowerCase());
      if (membership.subnet !== undefined) {
        assert.ok(lower.includes(formatSubnetTag(membership.subnet)));
      }
      for (const group of membership.groups) assert.ok(lower.includes(formatGroupTag(group)));
      const isNobody = membership.subnet === undefined && membership.groups.length === 0;
      return isNobody ? undefined : membership;
    },
  };
}

/** The targets of this file. */
export const SUBNET_TARGETS: Readonly<Record<string, CreateTarget>> = {
  subnet_text: subnetTextTarget,
  subnet_tags: subnetTagTarget,
};
