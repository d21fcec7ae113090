/** Placeholder of the client: see the owner of `client/`. */
export interface CancelToken {
  readonly id: number;
}
