// A relay on socket.io: its own broadcast for everyone, and a room for each user.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { ports, serveDebug } from "./debug.js";

const [port, debugPort] = ports();
const server = createServer();
const io = new Server(server, { serveClient: false });

const roomOf = (name) => `user:${name}`;

io.on("connection", (socket) => {
  const name = socket.handshake.query.user;
  if (!name) {
    socket.on("message", (message) => io.emit("message", message));
    return;
  }
  socket.join(roomOf(name));
  socket.on("message", (message) => io.to(roomOf(message.to_user)).emit("message", message));
});

serveDebug(debugPort, globalThis.gc);
server.listen(port, "127.0.0.1");
