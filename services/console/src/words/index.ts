import { computed, signal } from '@preact/signals'
import { WORDS, type Word } from './words'

export type { Word } from './words'

export type Language = 'zh' | 'en'

/** Chinese for browsers that are set to it, English for all others, until somebody chooses. */
export const language = signal<Language>(
  (navigator.languages?.[0] ?? navigator.language).toLowerCase().startsWith('zh') ? 'zh' : 'en',
)

const column = computed(() => (language.value === 'zh' ? 0 : 1))

/** What to say, in the language that is chosen. */
export function say(word: Word, values: Readonly<Record<string, string | number>> = {}): string {
  return WORDS[word][column.value].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''))
}

/** One of two texts that came from the server, or the other if it is empty. */
export function chosen(zh: string, en: string): string {
  return language.value === 'zh' ? zh || en : en || zh
}

export function otherLanguage(): void {
  language.value = language.value === 'zh' ? 'en' : 'zh'
  document.documentElement.lang = language.value
}
