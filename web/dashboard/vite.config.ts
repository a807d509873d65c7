import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** What compresses well is compressed here, once, and not at each start of the server: the map's ground is megabytes. */
const compressed: Plugin = {
  name: "compressed",
  apply: "build",
  writeBundle({ dir }) {
    const folder = join(dir as string, "assets");
    for (const name of readdirSync(folder)) {
      if (/\.(js|css|json|svg)$/.test(name)) writeFileSync(join(folder, `${name}.gz`), gzipSync(readFileSync(join(folder, name)), { level: 9 }));
    }
  },
};

// Nothing is inlined: the page's Content-Security-Policy allows files of ours and nothing else.
export default defineConfig({
  plugins: [react(), compressed],
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
  test: { include: ["tests/**/*.test.{ts,tsx}"], pool: "threads" },
});
