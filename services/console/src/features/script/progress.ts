import type { ScriptNode } from '@protos/shuanglu/common/v1/types_pb'
import type { CallView } from '@protos/shuanglu/session/v1/call_pb'

/** Where a step of the script stands. */
export type Step =
  | { readonly kind: 'open'; readonly node: ScriptNode; readonly next: boolean }
  | { readonly kind: 'running'; readonly node: ScriptNode; readonly take: number }
  | { readonly kind: 'done'; readonly node: ScriptNode; readonly take: number }

/** The script's steps in order; the first that was not performed is next. */
export function stepsOf(view: CallView): readonly Step[] {
  let nextFound = false
  return view.script.map((node): Step => {
    const takes = view.takes.filter((take) => take.nodeId === node.nodeId)
    const take = Math.max(0, ...takes.map((each) => each.take))
    if (view.currentNodeId === node.nodeId) return { kind: 'running', node, take: Math.max(take, 1) }
    if (take > 0) return { kind: 'done', node, take }
    const next = !nextFound
    nextFound = true
    return { kind: 'open', node, next }
  })
}

/** How many steps were never performed to their end. */
export function unfinished(view: CallView): number {
  return stepsOf(view).filter((step) => step.kind !== 'done').length
}
