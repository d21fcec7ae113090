/** Workflow tasks as a collection that is written to (`storage.md` 12). */
import type { WriteToken } from "../../log/mod.ts";
import { openCortex, type OpenCortexDeps, type OpenCortexOptions } from "../cortex/open_cortex.ts";
import {
  advanceEvent,
  deleteWorkflowEvent,
  linkEvent,
  requestCancelEvent,
  retryEvent,
  submitEvent,
  transitionEvent,
  type WorkflowFilter,
  type WorkflowStatus,
  type WorkflowStatusCounts,
  type WorkflowTask,
} from "../models/workflow/workflow.ts";
import {
  deriveShardGroup,
  type JoinOutcome,
  type JoinPolicy,
  judgeJoin,
  type ShardGroup,
} from "../models/workflow/shard_group.ts";
import type { TriggerAction } from "../models/workflow/trigger.ts";
import { createWorkflowModel } from "../models/workflow/workflow_model.ts";
import type { WorkflowTable } from "../models/workflow/workflow_table.ts";
import { FoldedCollection } from "./folded_collection.ts";

/** Outcome of {@linkcode WorkflowCollection.tryJoin}. */
export type TryJoinOutcome =
  | Exclude<JoinOutcome, { readonly kind: "ready" }>
  | { readonly kind: "submitted"; readonly token: WriteToken };

/** Tasks of workflows. Writes give a token; changes of a task that is not there do nothing. */
export class WorkflowCollection
  extends FoldedCollection<WorkflowTable, WorkflowTask, WorkflowFilter> {
  submit(id: bigint): WriteToken {
    return this.write(submitEvent(id));
  }

  transition(id: bigint, status: WorkflowStatus): WriteToken {
    return this.write(transitionEvent(id, status));
  }

  start(id: bigint): WriteToken {
    return this.transition(id, "running");
  }

  wait(id: bigint): WriteToken {
    return this.transition(id, "waiting");
  }

  block(id: bigint): WriteToken {
    return this.transition(id, "blocked");
  }

  complete(id: bigint): WriteToken {
    return this.transition(id, "done");
  }

  fail(id: bigint): WriteToken {
    return this.transition(id, "failed");
  }

  advance(id: bigint): WriteToken {
    return this.write(advanceEvent(id));
  }

  retry(id: bigint): WriteToken {
    return this.write(retryEvent(id));
  }

  /** The task goes, with all below it. */
  delete(id: bigint): WriteToken {
    return this.write(deleteWorkflowEvent(id));
  }

  requestCancel(id: bigint): WriteToken {
    return this.write(requestCancelEvent(id));
  }

  link(parent: bigint, child: bigint): WriteToken {
    return this.write(linkEvent(parent, child));
  }

  /** Does what a trigger said. */
  act({ kind, id }: TriggerAction): WriteToken {
    return kind === "submit" ? this.submit(id) : this.start(id);
  }

  isCancelRequested(id: bigint): boolean {
    return this.adapter.state.isCancelRequested(id);
  }

  /** The task and all below it, breadth first. */
  subtree(id: bigint): bigint[] {
    return this.adapter.state.subtree(id);
  }

  statusCounts(): WorkflowStatusCounts {
    return this.adapter.state.statusCounts();
  }

  /**
   * Submits the shards of a task and links them below it, all or none.
   *
   * @param join Task that follows when they are done.
   */
  fanOut(parent: bigint, count: number, join: bigint): {
    readonly group: ShardGroup;
    readonly token: WriteToken;
  } {
    const group = deriveShardGroup(parent, count, join);
    const events = group.shards.flatMap((shard) => [submitEvent(shard), linkEvent(parent, shard)]);
    const token = this.adapter.appendBatch(events);
    if (token === undefined) throw new TypeError("Cannot fan out: there are no shards");
    return { group, token };
  }

  /** Submits the task that follows a group, if the group has come far enough and nobody did so before. */
  tryJoin(group: ShardGroup, policy?: JoinPolicy): TryJoinOutcome {
    const outcome = judgeJoin(this.adapter.state, group, policy);
    return outcome.kind === "ready"
      ? { kind: "submitted", token: this.submit(group.join) }
      : outcome;
  }
}

/** Opens the workflow of a log; see {@linkcode openCortex}. */
export async function openWorkflow(
  deps: OpenCortexDeps,
  options: OpenCortexOptions,
): Promise<WorkflowCollection> {
  return new WorkflowCollection(await openCortex(deps, createWorkflowModel(), options));
}
