import { ParticipantRole } from '@protos/shuanglu/common/v1/types_pb'
import type { CallView } from '@protos/shuanglu/session/v1/call_pb'
import { useState } from 'preact/hooks'
import type { Door } from '../../api/door'
import { ApiError } from '../../api/errors'
import { CopyButton, Dialog } from '../../ui/parts'
import { say } from '../../words'
import { ROLE } from '../../words/names'
import { idOf } from './people'

/** Whom a link may be made for: who takes part already, and third persons. */
const GUESTS = [ParticipantRole.CO_SIGNER, ParticipantRole.WITNESS, ParticipantRole.SUPERVISOR] as const

/** Makes links that let somebody in; each is shown once. */
export function InviteDialog(props: { readonly door: Door; readonly view: CallView; readonly onClose: () => void }) {
  const { door, view } = props
  const [link, setLink] = useState('')
  const [fault, setFault] = useState('')
  const customer = view.participants.find((each) => each.participant?.role === ParticipantRole.CUSTOMER)
  const make = async (whom: { participantId: string } | { role: ParticipantRole }): Promise<void> => {
    setFault('')
    try {
      const invitation = await door.invite(whom)
      setLink(new URL(invitation.link, window.location.origin).href)
    } catch (thrown) {
      setFault(thrown instanceof ApiError ? `${thrown.message} (${thrown.reason})` : String(thrown))
    }
  }
  return (
    <Dialog title={say('inviteTitle')} onClose={props.onClose}>
      <p class="note">{say('inviteText')}</p>
      <div class="row wrap">
        {customer && (
          <button type="button" class="button small" onClick={() => void make({ participantId: idOf(customer) })}>
            {say('roleCustomer')}
          </button>
        )}
        {GUESTS.map((role) => (
          <button key={role} type="button" class="button small" onClick={() => void make({ role })}>
            {say(ROLE[role])}
          </button>
        ))}
      </div>
      {link && (
        <div class="row">
          <output class="link">{link}</output>
          <CopyButton key={link} text={link} />
        </div>
      )}
      {fault && <p role="alert">{fault}</p>}
      <div class="row end">
        <button type="button" class="button" onClick={props.onClose}>
          {say('close')}
        </button>
      </div>
    </Dialog>
  )
}
