/**
 * Every distinct tag and metadata entry of the index, once, with the slots that have it.
 *
 * Terms that speak of the same thing are a group: tags of one key, metadata entries of one key, unstructured
 * tags with the same beginning up to a colon. What a term says of a node's hardware and models is read once
 * per term, not per node (`traits.ts`).
 */
import { formatTagKey, parseTag, type Tag, type TagAxis, type TagKey } from "../tags/tag.ts";
import { NumberOrder } from "./number_order.ts";
import { Posting } from "./posting.ts";
import { readTrait, type Trait } from "./traits.ts";

/** One tag, or one value of a metadata key, and the slots that have it. */
export class Term extends Posting {
  /** The tag as it is on the wire, or the metadata value. */
  readonly text: string;
  readonly group: Group | undefined;
  /** Where in the text the value begins; `undefined` when there is none. */
  readonly valueAt: number | undefined;
  readonly trait: Trait | undefined;
  /** The same tag with the other separator, while there is one. */
  twin: Term | undefined;
  /** Index in the group. */
  place = 0;
  /** It came with another class than that of announcements. */
  isMembers = false;
  /** For the index, while it changes an entry. */
  mark = 0;

  constructor(
    text: string,
    group: Group | undefined,
    valueAt: number | undefined,
    trait: Trait | undefined,
  ) {
    super();
    this.text = text;
    this.group = group;
    this.valueAt = valueAt;
    this.trait = trait;
  }

  /** `undefined` for a tag. */
  get metadataKey(): string | undefined {
    return this.group instanceof MetadataGroup ? this.group.name : undefined;
  }

  /** Value of the property or of the metadata entry. */
  get value(): string | undefined {
    return this.valueAt === undefined ? undefined : this.text.slice(this.valueAt);
  }
}

/** Terms of one key or beginning. */
export class Group {
  /** `axis.key`, the beginning with its colon, or a metadata key. */
  readonly name: string;
  readonly axis: TagAxis | undefined;
  /** In no order. */
  readonly terms: Term[] = [];
  /** Slots that have at least one of the terms. */
  readonly rows = new Posting();
  /** For the index, while it changes an entry. */
  mark = 0;
  /** Terms whose value is a number, in its order; made when first asked for. */
  #numbers: NumberOrder<Term> | undefined;

  constructor(name: string, axis?: TagAxis) {
    this.name = name;
    this.axis = axis;
  }

  /** Adds a term that is new. */
  join(term: Term): void {
    term.place = this.terms.push(term) - 1;
    this.#numbers?.add(term);
  }

  /** Takes a term away. */
  leave(term: Term): void {
    const last = this.terms.pop();
    if (last !== undefined && last !== term) {
      this.terms[term.place] = last;
      last.place = term.place;
    }
    this.#numbers?.delete(term);
  }

  /** Terms whose value is a number in a range, its ends included. */
  termsBetween(min: number, max: number): readonly Term[] {
    this.#numbers ??= new NumberOrder(this.terms);
    return this.#numbers.between(min, max);
  }
}

/** A metadata key, with its terms by value. */
class MetadataGroup extends Group {
  readonly byValue = new Map<string, Term>();
}

const NO_TERMS: ReadonlySet<Term> = new Set();

/** Terms and groups by their texts. */
export class Dictionary {
  readonly #tags = new Map<string, Term>();
  /** Tags that belong to no group. */
  readonly loose = new Set<Term>();
  readonly #tagGroups = new Map<string, Group>();
  readonly #metadata = new Map<string, MetadataGroup>();
  /** Tags that name a model or a tool, by its id; strangers may write any number of them for one id. */
  readonly #models = new Map<string, Set<Term>>();
  readonly #tools = new Map<string, Set<Term>>();
  #size = 0;

  /** Distinct terms. */
  get size(): number {
    return this.#size;
  }

  /** A tag by its wire text. */
  tag(text: string): Term | undefined {
    return this.#tags.get(text);
  }

  /** All tags, in no order. */
  tags(): IterableIterator<Term> {
    return this.#tags.values();
  }

  /** Tags that mean the same: the text itself, and the same with the other separator. */
  tagsOfMeaning(text: string): readonly Term[] {
    const term = this.#tags.get(text);
    if (term !== undefined) return term.twin === undefined ? [term] : [term, term.twin];
    const twin = twinOf(text);
    const other = twin === undefined ? undefined : this.#tags.get(twin);
    return other === undefined ? [] : [other];
  }

  /** Tags of a structured key. */
  keyGroup(key: TagKey): Group | undefined {
    return this.#tagGroups.get(formatTagKey(key));
  }

  /** Unstructured tags that begin alike, the colon included; the scopes by `scope:tenant:` and so on. */
  stemGroup(stem: string): Group | undefined {
    return this.#tagGroups.get(stem);
  }

  /** Groups of tags, in no order. */
  tagGroups(): IterableIterator<Group> {
    return this.#tagGroups.values();
  }

  /** Entries of a metadata key. */
  entryGroup(key: string): Group | undefined {
    return this.#metadata.get(key);
  }

  /** An entry of the metadata. */
  entry(key: string, value: string): Term | undefined {
    return this.#metadata.get(key)?.byValue.get(value);
  }

  /** Tags that name the model, under whatever index. */
  modelTags(id: string): ReadonlySet<Term> {
    return this.#models.get(id) ?? NO_TERMS;
  }

  /** Tags that name the tool, under whatever index. */
  toolTags(id: string): ReadonlySet<Term> {
    return this.#tools.get(id) ?? NO_TERMS;
  }

  /** The term of a tag, made when it is new. */
  ensureTag(text: string): Term {
    const known = this.#tags.get(text);
    if (known !== undefined) return known;
    const tag = parseTag(text);
    const group = tag === undefined ? undefined : this.#ensureGroup(tag);
    const valueAt = tag?.kind === "value" ? text.length - tag.value.length : undefined;
    const term = new Term(text, group, valueAt, tag === undefined ? undefined : readTrait(tag));
    this.#tags.set(text, term);
    this.#join(term);
    const twin = valueAt === undefined ? undefined : this.#tags.get(twinOf(text) ?? "");
    if (twin !== undefined) [term.twin, twin.twin] = [twin, term];
    const [named, id] = this.#nameOf(term);
    if (id === undefined) return term;
    const others = named.get(id);
    if (others === undefined) named.set(id, new Set([term]));
    else others.add(term);
    return term;
  }

  /** The term of a metadata entry, made when it is new. */
  ensureEntry(key: string, value: string): Term {
    let group = this.#metadata.get(key);
    if (group === undefined) this.#metadata.set(key, group = new MetadataGroup(key));
    const known = group.byValue.get(value);
    if (known !== undefined) return known;
    const term = new Term(value, group, 0, undefined);
    group.byValue.set(value, term);
    this.#join(term);
    return term;
  }

  /** Drops a term that no slot has any more. */
  drop(term: Term): void {
    const { group } = term;
    this.#size -= 1;
    if (group instanceof MetadataGroup) group.byValue.delete(term.text);
    else this.#tags.delete(term.text);
    if (term.twin !== undefined) term.twin.twin = undefined;
    const [named, id] = this.#nameOf(term);
    if (id !== undefined) {
      const others = named.get(id);
      others?.delete(term);
      if (others?.size === 0) named.delete(id);
    }
    if (group === undefined) {
      this.loose.delete(term);
      return;
    }
    group.leave(term);
    if (group.terms.length > 0) return;
    if (group instanceof MetadataGroup) this.#metadata.delete(group.name);
    else this.#tagGroups.delete(group.name);
  }

  /** The id that a tag names, and where such tags are listed. */
  #nameOf({ trait }: Term): [named: Map<string, Set<Term>>, id: string | undefined] {
    if (trait?.kind === "model") return [this.#models, trait.id];
    return [this.#tools, trait?.kind === "tool" ? trait.id : undefined];
  }

  #join(term: Term): void {
    this.#size += 1;
    if (term.group === undefined) this.loose.add(term);
    else term.group.join(term);
  }

  #ensureGroup(tag: Tag): Group | undefined {
    const isStructured = tag.kind === "present" || tag.kind === "value";
    const name = isStructured ? formatTagKey(tag) : stemOf(tag);
    if (name === undefined) return undefined;
    let group = this.#tagGroups.get(name);
    if (group === undefined) {
      this.#tagGroups.set(name, group = new Group(name, isStructured ? tag.axis : undefined));
    }
    return group;
  }
}

/** What an unstructured tag begins with; `undefined` when nothing follows, or there is no colon. */
function stemOf(tag: Extract<Tag, { kind: "reserved" | "legacy" }>): string | undefined {
  const text = tag.kind === "legacy" ? tag.text : tag.prefix + tag.body;
  const first = text.indexOf(":") + 1;
  // Scopes have a second part that tells tenants from regions.
  const end = text.startsWith("scope:") ? text.indexOf(":", first) + 1 : first;
  return end === 0 || end === text.length ? undefined : text.slice(0, end);
}

/** The same tag with the other separator; `undefined` when it has none. */
function twinOf(text: string): string | undefined {
  const tag = parseTag(text);
  if (tag?.kind !== "value") return undefined;
  const separator = tag.separator === "=" ? ":" : "=";
  return `${formatTagKey(tag)}${separator}${tag.value}`;
}
