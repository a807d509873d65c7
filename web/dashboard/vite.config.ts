import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// Nothing is inlined: the page's Content-Security-Policy allows files of ours and nothing else.
export default defineConfig({
  plugins: [react()],
  base: "/",
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
  },
  // For work on the page itself: `npx vite` beside a running `roost up`.
  server: {
    proxy: {
      "/api": { target: "http://127.0.0.1:8000", headers: { origin: "http://127.0.0.1:8000" } },
      "/ws": { target: "ws://127.0.0.1:8000", ws: true, headers: { origin: "http://127.0.0.1:8000" } },
    },
  },
  test: { include: ["tests/**/*.test.{ts,tsx}"] },
});
