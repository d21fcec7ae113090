/** Channels as a running service. */
export { type MembershipAnswer } from "./asker.ts";
export * from "./channel_announcements.ts";
export * from "./channel_deps.ts";
export * from "./channel_memory.ts";
export * from "./channel_service.ts";
export * from "./channel_tokens.ts";
export { type PublishedChannel, type PublishedCounters } from "./published_channel.ts";
export { ChannelPublisher, type PublishOptions } from "./publisher.ts";
export { ChannelSubscriber } from "./subscriber.ts";
export * from "./subscription.ts";
