// A relay on npm's ws: a set of sockets for everyone, and a set for each user.
import { createServer } from "node:http";
import { WebSocket, WebSocketServer } from "ws";
import { ports, serveDebug } from "./debug.js";

const [port, debugPort] = ports();
const everyone = new Set();
const users = new Map();

function socketsOf(path) {
  const name = path.split("/")[2];
  if (!name) return everyone;
  if (!users.has(name)) users.set(name, new Set());
  return users.get(name);
}

function relay(sockets, data, isBinary) {
  for (const socket of sockets) {
    if (socket.readyState === WebSocket.OPEN) socket.send(data, { binary: isBinary });
  }
}

const server = createServer();
const wss = new WebSocketServer({ server });

wss.on("connection", (socket, request) => {
  const sockets = socketsOf(request.url);
  sockets.add(socket);
  socket.on("error", () => {}); // "close" follows
  socket.on("close", () => sockets.delete(socket));
  socket.on("message", (data, isBinary) => {
    const to = sockets === everyone ? everyone : users.get(JSON.parse(data).to_user);
    if (to) relay(to, data, isBinary);
  });
});

serveDebug(debugPort, globalThis.gc);
server.listen(port, "127.0.0.1");
