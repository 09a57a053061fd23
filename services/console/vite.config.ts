import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

// Nothing inline and nothing foreign: the gateway's Content-Security-Policy allows only files of this origin.
export default defineConfig({
  root: here('.'),
  base: '/',
  resolve: { alias: { '@protos': here('./build/protos') } },
  build: {
    outDir: here('../../build/console'),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: ['es2022', 'chrome103', 'safari16', 'firefox102'],
    chunkSizeWarningLimit: 600,
    rollupOptions: { input: here('./call.html') },
  },
  test: { environment: 'happy-dom', include: ['tests/**/*.test.ts', 'tests/**/*.test.tsx'] },
})
