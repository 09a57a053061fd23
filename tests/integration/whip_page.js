// A publisher in a browser, without a line of ours: WHIP as RFC 9725 tells it, and an ICE restart in the middle of the call.
async ([gateway, session, token]) => {
  const authorization = `Bearer ${token}`
  const gathered = (peer) =>
    new Promise((done) => {
      const look = () => peer.iceGatheringState === 'complete' && done()
      peer.onicegatheringstatechange = look
      look()
    })
  const connected = (peer) =>
    new Promise((done) => {
      const look = () => peer.connectionState === 'connected' && done()
      peer.onconnectionstatechange = look
      look()
    })
  const stats = async (peer, type) => [...(await peer.getStats()).values()].filter((each) => each.type === type)
  const pairs = async (peer) => (await stats(peer, 'candidate-pair')).filter((each) => each.state === 'succeeded')
  const value = (sdp, name) => sdp.match(new RegExp(`a=${name}:(.*)`))[1].trim()

  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true })
  const peer = new RTCPeerConnection()
  for (const track of stream.getTracks()) peer.addTransceiver(track, { direction: 'sendonly', streams: [stream] })
  await peer.setLocalDescription()
  await gathered(peer)
  const started = performance.now()
  const created = await fetch(`${gateway}/whip/${session}`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/sdp' },
    body: peer.localDescription.sdp,
  })
  const answer = await created.text()
  if (created.status !== 201) return { status: created.status, answer }
  await peer.setRemoteDescription({ type: 'answer', sdp: answer })
  await connected(peer)
  const connectedMs = performance.now() - started
  await new Promise((done) => setTimeout(done, 1000))
  const before = await pairs(peer)

  await peer.setLocalDescription(await peer.createOffer({ iceRestart: true }))
  await gathered(peer)
  const offer = peer.localDescription.sdp
  const candidates = new Set(offer.split('\r\n').filter((line) => line.startsWith('a=candidate')))
  const secret = (sdp) => [`a=ice-ufrag:${value(sdp, 'ice-ufrag')}`, `a=ice-pwd:${value(sdp, 'ice-pwd')}`]
  const fragment = [...secret(offer), 'm=audio 9 UDP/TLS/RTP/SAVPF 0', 'a=mid:0', ...candidates, 'a=end-of-candidates']
  const restarted = await fetch(gateway + created.headers.get('location'), {
    method: 'PATCH',
    headers: { authorization, 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': '*' },
    body: fragment.join('\r\n') + '\r\n',
  })
  const theirs = await restarted.text()
  if (restarted.status !== 200) return { status: restarted.status, answer: theirs }
  const [ufrag, password] = secret(theirs)
  const renewed = answer
    .replaceAll(/a=ice-ufrag:.*/g, ufrag)
    .replaceAll(/a=ice-pwd:.*/g, password)
    .replaceAll(/a=candidate:.*\r\n/g, '')
  await peer.setRemoteDescription({ type: 'answer', sdp: renewed })
  for (const line of theirs.split('\r\n').filter((each) => each.startsWith('a=candidate')))
    await peer.addIceCandidate({ candidate: line.slice(2), sdpMid: '0', sdpMLineIndex: 0 })
  await new Promise((done) => setTimeout(done, 2000))
  const after = await pairs(peer)
  const known = new Set(before.map((each) => each.id))
  return {
    status: 201,
    connectedMs,
    state: peer.connectionState,
    codecs: (await stats(peer, 'codec')).map((each) => each.mimeType).sort(),
    bytesOnNewPath: after.filter((each) => !known.has(each.id)).reduce((sum, each) => sum + each.bytesSent, 0),
    lost: (await stats(peer, 'remote-inbound-rtp')).reduce((sum, each) => sum + each.packetsLost, 0),
  }
}
