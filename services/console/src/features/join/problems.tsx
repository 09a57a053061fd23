import { type ApiError, NETWORK_LOST } from '../../api/errors'
import type { DeviceProblem } from '../../media/devices'
import { inApp, type Lack } from '../../media/support'
import { CopyButton, Sheet } from '../../ui/parts'
import { say, type Word } from '../../words'

const DEVICE: Readonly<Record<DeviceProblem, readonly [Word, Word]>> = {
  denied: ['deniedTitle', 'deniedText'],
  missing: ['missingTitle', 'missingText'],
  busy: ['busyTitle', 'busyText'],
  failed: ['failedTitle', 'failedText'],
}

export function DeviceScreen(props: { readonly problem: DeviceProblem; readonly onRetry: () => void }) {
  const [title, text] = DEVICE[props.problem]
  return (
    <Sheet name={`device-${props.problem}`} sign="!" title={say(title)} foot={<Retry onRetry={props.onRetry} />}>
      <p>{say(text)}</p>
    </Sheet>
  )
}

export function LackScreen(props: { readonly lack: Lack }) {
  const insecure = props.lack === 'insecure'
  const text: Word = props.lack === 'h264' ? 'h264Text' : inApp() ? 'webrtcInApp' : 'webrtcText'
  return (
    <Sheet
      name={`lack-${props.lack}`}
      sign="!"
      title={say(insecure ? 'insecureTitle' : 'webrtcTitle')}
      foot={insecure ? null : <CopyButton main text={window.location.href} />}
    >
      <p>{say(insecure ? 'insecureText' : text)}</p>
    </Sheet>
  )
}

export function NoLinkScreen() {
  return (
    <Sheet name="no-link" sign="!" title={say('noLinkTitle')}>
      <p>{say('noLinkText')}</p>
    </Sheet>
  )
}

const REFUSED: Readonly<Record<string, readonly [Word, Word]>> = {
  INVITATION_USED: ['usedTitle', 'usedText'],
  INVITATION_NOT_FOUND: ['expiredTitle', 'expiredText'],
  INVITATION_REVOKED: ['expiredTitle', 'expiredText'],
  INVITATION_EXPIRED: ['expiredTitle', 'expiredText'],
  CALL_ENDED: ['endedTitle', 'endedOther'],
  H264_REQUIRED: ['webrtcTitle', 'h264Text'],
  [NETWORK_LOST]: ['offlineTitle', 'offlineText'],
}

/** Why the API does not let in, with the way out; tries again by itself where that helps. */
export function RefusedScreen(props: { readonly error: ApiError; readonly onRetry: () => void }) {
  const { reason, retryable } = props.error
  const [title, text] =
    REFUSED[reason] ?? (retryable ? ['busyServerTitle', 'busyServerText'] : ['wrongTitle', 'wrongText'])
  const final = reason.startsWith('INVITATION_') || reason === 'CALL_ENDED'
  return (
    <Sheet
      name={`refused-${reason}`}
      sign="!"
      title={say(title)}
      foot={final ? null : <Retry onRetry={props.onRetry} />}
    >
      <p role="status">{say(text, { reason })}</p>
    </Sheet>
  )
}

function Retry(props: { readonly onRetry: () => void }) {
  return (
    <button type="button" class="button main wide" onClick={props.onRetry}>
      {say('retry')}
    </button>
  )
}
