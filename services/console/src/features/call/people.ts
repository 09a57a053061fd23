import { ParticipantRole } from '@protos/shuanglu/common/v1/types_pb'
import { type CallParticipant, type CallView, Presence } from '@protos/shuanglu/session/v1/call_pb'
import { say } from '../../words'
import { ROLE } from '../../words/names'

export function idOf(person: CallParticipant): string {
  return person.participant?.participantId ?? ''
}

export function nameOf(person: CallParticipant | undefined): string {
  return say(ROLE[person?.participant?.role ?? ParticipantRole.UNSPECIFIED])
}

/** Everybody else; the one this page is mostly about first: the agent for customers, the customer for agents. */
export function othersOf(view: CallView, first: ParticipantRole): readonly CallParticipant[] {
  const others = view.participants.filter((each) => idOf(each) !== view.ownParticipantId)
  return [...others].sort((a, b) => Number(b.participant?.role === first) - Number(a.participant?.role === first))
}

export function ownOf(view: CallView): CallParticipant | undefined {
  return view.participants.find((each) => idOf(each) === view.ownParticipantId)
}

/** Whether somebody's picture may be shown at all. */
export function isHere(person: CallParticipant): boolean {
  return person.presence === Presence.LIVE || person.presence === Presence.AWAY
}
