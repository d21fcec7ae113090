/** How memories come out of their log, and how their state is written down (`storage.md` 11). */
import { PostcardReader, PostcardWriter } from "../../../base/mod.ts";
import { FoldDecodeError } from "../../cortex/fold_error.ts";
import { readTail } from "../../cortex/log_event.ts";
import type { CortexEvent, FoldModel } from "../../cortex/types.ts";
import type { ModelLimits } from "../limits.ts";
import { MEMORIES_CHANNEL, MEMORY_EVENTS } from "./memory.ts";
import { MemoryTable } from "./memory_table.ts";

/** Least bytes of a memory in a state: key, id, three empty parts, two times, pinned. */
const MEMORY_BYTES_MIN = 8;

/** The model of memories. Unknown events change nothing. */
export function createMemoryModel(limits?: ModelLimits): FoldModel<MemoryTable> {
  const reader = new PostcardReader(new Uint8Array(0));
  return {
    channel: MEMORIES_CHANNEL,
    create: () => new MemoryTable(limits),
    apply: (state, event) => applyMemoryEvent(state, event, readTail(reader, event)),
    encode: encodeMemories,
    decode: (bytes) => decodeMemories(new MemoryTable(limits), bytes),
  };
}

function applyMemoryEvent(state: MemoryTable, event: CortexEvent, reader: PostcardReader): boolean {
  switch (event.dispatch) {
    case MEMORY_EVENTS.store:
      return storeMemory(state, reader);
    case MEMORY_EVENTS.retag:
      return changeMemory(state, reader, readTags);
    case MEMORY_EVENTS.pin:
      return changeMemory(state, reader, () => true);
    case MEMORY_EVENTS.unpin:
      return changeMemory(state, reader, () => false);
    case MEMORY_EVENTS.delete:
      return deleteMemory(state, reader);
    default:
      return false;
  }
}

function storeMemory(state: MemoryTable, reader: PostcardReader): boolean {
  reader.halves();
  const { low, high } = reader;
  const content = reader.text();
  const tags = readTags(reader);
  const source = reader.text();
  reader.halves();
  checkRead(reader);
  let slot = state.slotOf(low, high);
  if (slot < 0) {
    slot = addMemory(state, low, high);
    state.setCreated(slot, reader.low, reader.high);
  }
  state.setContent(slot, content, source);
  state.setTags(slot, tags);
  state.setUpdated(slot, reader.low, reader.high);
  return true;
}

/** An event that changes one part of a memory: its tags, or whether it is pinned. */
function changeMemory(
  state: MemoryTable,
  reader: PostcardReader,
  read: (reader: PostcardReader) => string[] | boolean,
): boolean {
  reader.halves();
  const slot = state.slotOf(reader.low, reader.high);
  const value = read(reader);
  reader.halves();
  checkRead(reader);
  if (slot < 0) return false;
  if (typeof value === "boolean") state.setPinned(slot, value);
  else state.setTags(slot, value);
  state.setUpdated(slot, reader.low, reader.high);
  return true;
}

function deleteMemory(state: MemoryTable, reader: PostcardReader): boolean {
  reader.halves();
  checkRead(reader);
  const slot = state.slotOf(reader.low, reader.high);
  if (slot < 0) return false;
  state.remove(slot);
  return true;
}

/** A map from id to memory, in the order of ids so that equal states are equal bytes. */
function encodeMemories(state: MemoryTable): Uint8Array {
  const writer = new PostcardWriter(64 + 128 * state.size).varint(state.size);
  state.write(writer);
  return writer.finish();
}

function decodeMemories(state: MemoryTable, bytes: Uint8Array): MemoryTable {
  const reader = new PostcardReader(bytes);
  for (let left = reader.count(MEMORY_BYTES_MIN); left > 0; left--) {
    reader.halves();
    const [keyLow, keyHigh] = [reader.low, reader.high];
    reader.halves();
    const isSameId = reader.low === keyLow && reader.high === keyHigh;
    const content = reader.text();
    const tags = readTags(reader);
    const source = reader.text();
    reader.halves();
    const [createdLow, createdHigh] = [reader.low, reader.high];
    reader.halves();
    const isPinned = reader.flag();
    checkRead(reader);
    if (!isSameId) {
      throw new FoldDecodeError("Cannot read memories: a memory is kept under another id");
    }
    let slot = state.slotOf(keyLow, keyHigh);
    if (slot < 0) slot = addMemory(state, keyLow, keyHigh);
    state.setContent(slot, content, source);
    state.setTags(slot, tags);
    state.setPinned(slot, isPinned);
    state.setCreated(slot, createdLow, createdHigh);
    state.setUpdated(slot, reader.low, reader.high);
  }
  checkRead(reader);
  return state;
}

function addMemory(state: MemoryTable, idLow: number, idHigh: number): number {
  const slot = state.add(idLow, idHigh);
  if (slot < 0) throw new FoldDecodeError(`Cannot add memory: there are ${state.rowsMax} already`);
  return slot;
}

function readTags(reader: PostcardReader): string[] {
  return reader.list(1, () => reader.text());
}

function checkRead({ failure }: PostcardReader): void {
  if (failure !== undefined) throw new FoldDecodeError(`Cannot read memories: ${failure}`);
}
