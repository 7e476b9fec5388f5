// The second port of the JavaScript servers: /debug/gc forces a collection, /debug/heap tells the heap in use.
import { createServer } from "node:http";

export function serveDebug(port, collect) {
  const answers = {
    "/debug/gc": () => {
      collect();
      return {};
    },
    "/debug/heap": () => ({ heap: process.memoryUsage().heapUsed }),
  };
  createServer((request, response) => {
    const answer = answers[request.url];
    response.writeHead(answer ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(answer ? answer() : {}));
  }).listen(port, "127.0.0.1");
}

// ports reads the two ports from the command line.
export function ports() {
  return process.argv.slice(2, 4).map(Number);
}
