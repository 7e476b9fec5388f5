import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

// Where `parley serve` listens. The page itself only ever asks for /ws/ on the
// host that it came from: here, in `vite dev` and `vite preview`, that is Vite.
const proxy = {
  "/ws": { target: "ws://127.0.0.1:8000", ws: true },
};

export default defineConfig({
  plugins: [vue()],
  server: { proxy },
  preview: { proxy },
});
