import { once } from "node:events";
import WebSocket from "ws";
import { Lines } from "./lines.js";

// nodeClient connects with node's `ws`, which offers compression.
export async function nodeClient(t, url, options) {
  const lines = new Lines();
  const pings = new Lines();
  const socket = new WebSocket(url, options);
  t.after(() => socket.terminate());
  socket.on("message", (data) => lines.push(data.toString()));
  socket.on("ping", (data) => pings.push(data.toString()));
  await once(socket, "open");
  return {
    socket,
    lines,
    pings,
    extensions: async () => socket.extensions,
    send: (message, user) => socket.send(user ? JSON.stringify({ message, to_user: user }) : message),
    received: (text) => lines.received(text),
    async close() {
      socket.close(1000);
      const [code] = await once(socket, "close");
      return code;
    },
  };
}
