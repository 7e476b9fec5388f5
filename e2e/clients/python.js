import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Lines } from "./lines.js";

const script = fileURLToPath(new URL("chat.py", import.meta.url));

// pythonClient runs chat.py, which wants Python's `websockets`
// (Debian: python3-websockets).
export async function pythonClient(t, url) {
  const lines = new Lines();
  const client = spawn(process.env.PYTHON || "/usr/bin/python3", [script, url]);
  const exited = once(client, "exit");
  const errors = [];
  client.stderr.setEncoding("utf8").on("data", (text) => errors.push(text));
  createInterface({ input: client.stdout }).on("line", (line) => lines.push(line));
  t.after(() => client.kill("SIGKILL"));
  const ended = exited.then(([code]) => Promise.reject(new Error(`chat.py ended with ${code}\n${errors.join("")}`)));
  ended.catch(() => {});
  await Promise.race([lines.received("open"), ended]);
  return {
    send: (message, user) => client.stdin.write(`${user ? JSON.stringify({ message, to_user: user }) : message}\n`),
    received: (text) => lines.received(text),
    extensions: async () => (lines.has("open permessage-deflate") ? "permessage-deflate" : ""),
    async close() {
      client.stdin.end();
      const [code] = await exited;
      assert.equal(code, 0, errors.join(""));
    },
  };
}
