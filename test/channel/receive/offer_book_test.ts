import assert from "node:assert/strict";
import { requireChannelId } from "../../../src/channel/channel_id.ts";
import { OFFERING_PEERS_MAX, OFFERS_PER_PEER_MAX } from "../../../src/channel/limits.ts";
import {
  channelTag,
  OfferBook,
  offerHash,
  offerHashesOf,
} from "../../../src/channel/receive/offer_book.ts";

const NEWS = requireChannelId("lab/news.today");

Deno.test("offerHashesOf() counts the name and every prefix of it", () => {
  assert.deepEqual(offerHashesOf(NEWS), [NEWS.hash, offerHash("lab/"), offerHash("lab/news.")]);
});

Deno.test("OfferBook replaces what was announced, and keeps what was told", () => {
  const book = new OfferBook();
  book.onAnnouncement(1n, ["gpu", channelTag(NEWS.hash), "channel:News", channelTag(5n)]);
  book.onAnnouncement(2n, [channelTag(offerHash("lab/"))]);
  assert.deepEqual([...book.offering(offerHashesOf(NEWS))].sort(), [1n, 2n]);
  book.onOffer(1n, [NEWS.hash]);
  book.onAnnouncement(1n, ["gpu"]);
  book.onAnnouncement(2n, []);
  assert.equal(book.size, 1);
  assert.ok(book.isOffering(1n, offerHashesOf(NEWS)));
  assert.ok(!book.isOffering(1n, [5n]));
  assert.ok(!book.isOffering(2n, offerHashesOf(NEWS)));
  book.forget(1n);
  assert.equal(book.size, 0);
  assert.equal(book.offering([NEWS.hash, 5n]).size, 0);
});

Deno.test("OfferBook remembers a bounded number of peers, and of offers of each", () => {
  const book = new OfferBook();
  const many = Array.from({ length: OFFERS_PER_PEER_MAX + 1 }, (_, i) => BigInt(i));
  book.onAnnouncement(1n, many.map(channelTag));
  book.onOffer(2n, many);
  const last = many.slice(-1);
  assert.equal(book.offering(last).size, 0);
  assert.equal(book.offering(many.slice(-2)).size, 2);
  for (let peer = 3n; peer < OFFERING_PEERS_MAX + 10; peer++) book.onOffer(peer, [7n]);
  book.onOffer(10_000_000n, []);
  assert.equal(book.size, OFFERING_PEERS_MAX);
});
