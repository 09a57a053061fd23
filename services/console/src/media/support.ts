/** What this browser lacks for a call, or `none`. */
export type Lack = 'none' | 'insecure' | 'webrtc' | 'h264'

/** In-app browsers and old ones may have no WebRTC, no camera or no H.264: better to say so before anything is asked. */
export function lack(): Lack {
  if (!window.isSecureContext) return 'insecure'
  if (typeof RTCPeerConnection === 'undefined' || !navigator.mediaDevices?.getUserMedia) return 'webrtc'
  // Safari before 17 has no capabilities of senders, but always H.264.
  const codecs = RTCRtpSender.getCapabilities?.('video')?.codecs
  return codecs && !codecs.some((codec) => codec.mimeType.toLowerCase() === 'video/h264') ? 'h264' : 'none'
}

/** Chat apps open links in a browser of their own, which often has neither camera nor microphone. */
export function inApp(): boolean {
  return /MicroMessenger|QQ\/|AlipayClient|Weibo|DingTalk|Lark|FBAN|FBAV|Line\//i.test(navigator.userAgent)
}
