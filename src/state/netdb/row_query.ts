/** Queries that are put together piece by piece. */
import type { Collection, OrderOf, RowQuery } from "./types.ts";

/** What a query needs of a collection. */
export type QuerySource<Row, Filter> = Pick<
  Collection<Row, Filter>,
  "findMany" | "findFirst" | "count" | "exists" | "watch"
>;

/** A query for all rows, to be narrowed. */
export function createRowQuery<Row, Filter extends object>(
  source: QuerySource<Row, Filter>,
  filter?: Filter,
): RowQuery<Row, Filter> {
  const narrowed = (part: object) =>
    createRowQuery<Row, Filter>(source, Object.freeze(Object.assign({}, filter, part)) as Filter);
  return {
    where: narrowed,
    orderBy: (orderBy: OrderOf<Filter>) => narrowed({ orderBy }),
    limit: (limit) => narrowed({ limit }),
    collect: () => source.findMany(filter),
    first: () => source.findFirst(filter),
    count: () => source.count(filter),
    exists: () => source.exists(filter),
    watch: (signal) => source.watch(filter, signal),
  };
}
