// A relay on Bun.serve: a topic for everyone, and a topic for each user.
import { ports, serveDebug } from "./debug.js";

const [port, debugPort] = ports();
const EVERYONE = "everyone";
const topicOf = (name) => `user:${name}`;

const server = Bun.serve({
  hostname: "127.0.0.1",
  port,
  fetch(request, server) {
    const name = new URL(request.url).pathname.split("/")[2];
    const topic = name ? topicOf(name) : EVERYONE;
    if (server.upgrade(request, { data: { topic } })) return undefined;
    return new Response("a WebSocket is wanted", { status: 426 });
  },
  websocket: {
    open(socket) {
      socket.subscribe(socket.data.topic);
    },
    message(socket, message) {
      const toAll = socket.data.topic === EVERYONE;
      server.publish(toAll ? EVERYONE : topicOf(JSON.parse(message).to_user), message);
    },
  },
});

serveDebug(debugPort, () => Bun.gc(true));
