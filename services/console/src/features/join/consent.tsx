import { Sheet } from '../../ui/parts'
import { say } from '../../words'

/** What will happen and what the browser will ask, before it asks. */
export function ConsentScreen(props: { readonly onAgree: () => void }) {
  return (
    <Sheet
      name="consent"
      title={say('consentTitle')}
      foot={
        <button type="button" class="button main wide" onClick={props.onAgree}>
          {say('consentButton')}
        </button>
      }
    >
      <p>{say('consentLead')}</p>
      <ul class="points">
        <li>{say('consentCamera')}</li>
        <li>{say('consentMicrophone')}</li>
        <li>{say('consentPlace')}</li>
      </ul>
      <p class="note">{say('consentAsk')}</p>
    </Sheet>
  )
}
