/** Why camera or microphone cannot be used. */
export type DeviceProblem = 'denied' | 'missing' | 'busy' | 'failed'

/** What asking for the devices led to. */
export type Devices =
  | { readonly kind: 'ready'; readonly stream: MediaStream }
  | { readonly kind: 'refused'; readonly problem: DeviceProblem }

/** 640x480 at 15 frames is what the checks were measured with; more costs the customer's network and gives nothing. */
const WANTED: MediaStreamConstraints = {
  video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 15, max: 15 }, facingMode: 'user' },
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
}

const PROBLEMS: Readonly<Record<string, DeviceProblem>> = {
  NotAllowedError: 'denied',
  SecurityError: 'denied',
  NotFoundError: 'missing',
  OverconstrainedError: 'missing',
  NotReadableError: 'busy',
  AbortError: 'busy',
}

/** Ask for camera and microphone. Never throws: a refusal is an answer. */
export async function openDevices(): Promise<Devices> {
  try {
    const stream = await navigator.mediaDevices.getUserMedia(WANTED)
    const video = stream.getVideoTracks()[0]
    // Faces and documents need sharpness more than smoothness; this is a hint to the encoder.
    if (video && 'contentHint' in video) video.contentHint = 'detail'
    return { kind: 'ready', stream }
  } catch (thrown) {
    const name = thrown instanceof DOMException ? thrown.name : ''
    return { kind: 'refused', problem: PROBLEMS[name] ?? 'failed' }
  }
}

/** Release camera and microphone. */
export function closeDevices(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop()
}

/** Loudness of a stream's sound, 0..1, told about 15 times a second until the returned function is called. */
export function meter(stream: MediaStream, tell: (level: number) => void): () => void {
  const context = new AudioContext()
  const analyser = context.createAnalyser()
  analyser.fftSize = 512
  context.createMediaStreamSource(stream).connect(analyser)
  const samples = new Float32Array(analyser.fftSize)
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples)
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length
    // -60 dB is silence, -12 dB is loud speech.
    const decibel = 10 * Math.log10(power + 1e-9)
    tell(Math.min(Math.max((decibel + 60) / 48, 0), 1))
  }, 66)
  void context.resume()
  return () => {
    clearInterval(timer)
    void context.close()
  }
}
