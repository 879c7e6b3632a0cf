import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Where `vite` in development sends the API's requests: a running platform, or the stand-in of dev/mock-api.ts. */
const apiAddress = process.env['HOLDFAST_DEV_API'] || 'http://127.0.0.1:8090';

// The exported name must be `default`: Vite reads nothing else.
export default defineConfig({
  root: import.meta.dirname,
  // Root-relative addresses: the pages work on every host and port, and deep links find their assets.
  base: '/',
  plugins: [react()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2023',
    // light-dark() and nesting stay as they are written.
    cssTarget: ['chrome123', 'firefox125', 'safari17.5'],
    // Inlined data: addresses would need a wider content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The editor is one chunk of its own, fetched when a file is opened.
    chunkSizeWarningLimit: 750,
  },
  server: {
    proxy: { '/api': { target: apiAddress, changeOrigin: false } },
  },
});
