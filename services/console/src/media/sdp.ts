/** The few things that are read from and written into session descriptions (RFC 8866, RFC 8840). */

/** ICE user name and password of a description; of the first section that has them. */
export interface IceSecret {
  readonly ufrag: string
  readonly pwd: string
}

export function iceSecret(sdp: string): IceSecret | null {
  const ufrag = /^a=ice-ufrag:(\S+)/m.exec(sdp)?.[1]
  const pwd = /^a=ice-pwd:(\S+)/m.exec(sdp)?.[1]
  return ufrag && pwd ? { ufrag, pwd } : null
}

/** A fragment with candidates for PATCH (RFC 8840 §9, RFC 9725 §4.3). All belong to the first section: media is bundled. */
export function fragment(local: string, candidates: readonly RTCIceCandidate[], complete: boolean): string {
  const secret = iceSecret(local)
  const section = /^m=.*$/m.exec(local)?.[0]
  const mid = /^a=mid:(\S+)/m.exec(local)?.[1]
  const lines = [
    ...(secret ? [`a=ice-ufrag:${secret.ufrag}`, `a=ice-pwd:${secret.pwd}`] : []),
    ...(section ? [section] : []),
    ...(mid ? [`a=mid:${mid}`] : []),
    ...candidates.filter((each) => each.candidate).map((each) => `a=${each.candidate}`),
    ...(complete ? ['a=end-of-candidates'] : []),
  ]
  return `${lines.join('\r\n')}\r\n`
}

/** The server's description with the ICE user name, password and candidates that it answered a restart with. */
export function restarted(remote: string, answer: string): string {
  const secret = iceSecret(answer)
  if (!secret) return remote
  const candidates = answer.split(/\r?\n/).filter((line) => line.startsWith('a=candidate:'))
  const kept = remote.split(/\r?\n/).filter((line) => candidates.length === 0 || !line.startsWith('a=candidate:'))
  const lines = kept.flatMap((line) => {
    if (line.startsWith('a=ice-ufrag:')) return [`a=ice-ufrag:${secret.ufrag}`]
    if (line.startsWith('a=ice-pwd:')) return [`a=ice-pwd:${secret.pwd}`, ...candidates]
    return [line]
  })
  return lines.join('\r\n')
}
