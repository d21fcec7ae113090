/**
 * The names of the simulated disk: folders as readers see them, as they are on the device, and the changes
 * that lie between.
 *
 * A journal keeps the order of changes within a folder, and a rename is whole; but how far it has come
 * is another for each folder.
 */
import { bytesAfterCrash, type Chance, createInode, type Inode } from "./sim_inode.ts";

/** A folder. */
export class Folder {
  constructor(
    /** As readers see it. */
    readonly cached: Map<string, Node> = new Map(),
    /** As it is on the device. */
    readonly stored: Map<string, Node> = new Map(cached),
  ) {}
}

/** What a name stands for. */
export type Node = Folder | Inode;

/** A name that is set, or taken away. */
interface Edit {
  readonly folder: Folder;
  readonly name: string;
  readonly node: Node | undefined;
}

/** All names of a disk. */
export class Names {
  readonly root: Folder;
  /** Changes that are not on the device, in order; the edits of one happen together. */
  #changes: (readonly Edit[])[] = [];

  constructor(root: Folder = new Folder()) {
    this.root = root;
  }

  /** What is there; `undefined` for nothing. */
  find(path: string): Node | undefined {
    let node: Node | undefined = this.root;
    if (path === "") return node;
    for (const part of path.split("/")) {
      if (!(node instanceof Folder)) return undefined;
      node = node.cached.get(part);
    }
    return node;
  }

  /** The folder that a path is in, and its name there. */
  place(path: string): { readonly folder: Folder; readonly name: string } {
    const at = path.lastIndexOf("/");
    const folder = this.find(at < 0 ? "" : path.slice(0, at));
    if (!(folder instanceof Folder)) throw missing();
    return { folder, name: path.slice(at + 1) };
  }

  set(path: string, node: Node | undefined): void {
    this.#change([{ ...this.place(path), node }]);
  }

  move(from: string, to: string): void {
    const node = this.find(from);
    if (node === undefined) throw missing();
    this.#change([{ ...this.place(from), node: undefined }, { ...this.place(to), node }]);
  }

  /** Every path with what is there. */
  *walk(path = "", node: Node = this.root): Generator<readonly [string, Node]> {
    if (path !== "") yield [path, node];
    if (!(node instanceof Folder)) return;
    for (const [name, child] of node.cached) {
      yield* this.walk(path === "" ? name : `${path}/${name}`, child);
    }
  }

  /** Puts the names of a folder on the device, and what they need of other folders. */
  sync(folder: Folder): void {
    const folders = new Set([folder]);
    const kept = new Set<readonly Edit[]>();
    for (const change of this.#changes.toReversed()) {
      if (!change.some((edit) => folders.has(edit.folder))) continue;
      kept.add(change);
      for (const edit of change) folders.add(edit.folder);
    }
    for (const change of this.#changes) if (kept.has(change)) apply(change, ({ stored }) => stored);
    this.#changes = this.#changes.filter((change) => !kept.has(change));
  }

  /** The names, and the files, that are found after a crash. */
  afterCrash(chance: Chance): Names {
    const cuts = new Map<Folder, number>();
    const lost = new Set<Folder>();
    const hasAll = chance() < 0.3;
    const found = new Map<Folder, Map<string, Node>>();
    const namesOf = (folder: Folder) => {
      const names = found.get(folder) ?? new Map(folder.stored);
      found.set(folder, names);
      return names;
    };
    for (const [at, change] of this.#changes.entries()) {
      for (const { folder } of change) {
        const cut = cuts.get(folder) ??
          (hasAll ? Infinity : Math.floor(chance() * (this.#changes.length + 1)));
        cuts.set(folder, cut);
        if (at >= cut) lost.add(folder);
      }
      if (change.some(({ folder }) => lost.has(folder))) {
        for (const { folder } of change) lost.add(folder);
      } else apply(change, namesOf);
    }
    const copies = new Map<Node, Node>();
    const copy = (node: Node): Node => {
      const known = copies.get(node);
      if (known !== undefined) return known;
      const fresh = node instanceof Folder
        ? new Folder(new Map([...namesOf(node)].map(([name, child]) => [name, copy(child)])))
        : createInode(bytesAfterCrash(node, chance));
      copies.set(node, fresh);
      return fresh;
    };
    return new Names(copy(this.root) as Folder);
  }

  #change(edits: readonly Edit[]): void {
    apply(edits, ({ cached }) => cached);
    this.#changes.push(edits);
  }
}

/** As the operating system says it. */
export function missing(): Error {
  return new Deno.errors.NotFound("No such file or directory (os error 2)");
}

function apply(change: readonly Edit[], namesOf: (folder: Folder) => Map<string, Node>): void {
  for (const { folder, name, node } of change) {
    if (node === undefined) namesOf(folder).delete(name);
    else namesOf(folder).set(name, node);
  }
}
