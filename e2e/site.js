import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:net";
import { extname, join } from "node:path";

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css" };

// Site is a web server of its own on 127.0.0.1. It answers a GET by
// find(path), a { type, body } or null, and passes WebSockets on to the port
// `upstream`, unchanged, as the proxies do that stand before a server.
export class Site {
  #sockets = new Set();

  static async start({ find, upstream }) {
    const site = new Site();
    site.http = createServer((request, response) => answer(request, response, find));
    site.http.on("connection", (socket) => site.#keep(socket));
    site.http.on("upgrade", (request, socket, head) => site.#pass(request, socket, head, upstream));
    site.http.listen(0, "127.0.0.1");
    await once(site.http, "listening");
    site.url = `http://127.0.0.1:${site.http.address().port}/`;
    return site;
  }

  async stop() {
    for (const socket of this.#sockets) socket.destroy();
    this.http.close();
    await once(this.http, "close");
  }

  #keep(socket) {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
  }

  #pass(request, socket, head, upstream) {
    const onward = connect(upstream, "127.0.0.1");
    this.#keep(onward);
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
    const headers = request.rawHeaders.map((text, i) => (i % 2 ? `${text}\r\n` : `${text}: `)).join("");
    onward.write(`GET ${request.url} HTTP/1.1\r\n${headers}\r\n`);
    onward.write(head);
    onward.pipe(socket);
    socket.pipe(onward);
  }
}

// filesIn finds the files of a folder that a build wrote.
export function filesIn(folder) {
  return async (path) => {
    const file = path === "/" ? "index.html" : path.slice(1);
    const body = await readFile(join(folder, file)).catch(() => null);
    return body && { type: TYPES[extname(file)] ?? "application/octet-stream", body };
  };
}

async function answer(request, response, find) {
  const found = await find(new URL(request.url, "http://site").pathname);
  if (!found) return response.writeHead(404).end();
  response.writeHead(200, { "content-type": found.type }).end(found.body);
}
