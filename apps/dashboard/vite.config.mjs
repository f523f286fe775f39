import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here('.'),
  resolve: { alias: { '#shared': here('../../libs/shared/src') } },
  build: {
    emptyOutDir: true,
    // Everything is a file of its own: the page's policy allows no data in addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1_000,
  },
  // `npx vite apps/dashboard` beside `npm start`: the page as it is written, the rest from the gateway.
  server: { proxy: { '/v1': { target: process.env.SLUICE_URL ?? 'http://127.0.0.1:3000', ws: true } } },
});
