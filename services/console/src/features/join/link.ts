/** What stands behind the `#` of the address. Nothing secret is ever in its query. */
export type Link =
  | { readonly kind: 'code'; readonly code: string }
  | { readonly kind: 'replay'; readonly path: string }
  | { readonly kind: 'none' }

export function readLink(hash: string): Link {
  const text = hash.replace(/^#/, '')
  // Only paths of this origin's replay: anything else would let a link load what it likes.
  if (/^\/hls\/[\w.~%=-]+\/[\w-]+\.m3u8$/.test(text)) return { kind: 'replay', path: text }
  if (/^[\w.~-]{16,256}$/.test(text)) return { kind: 'code', code: text }
  return { kind: 'none' }
}
