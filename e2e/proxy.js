import { once } from "node:events";
import { connect, createServer } from "node:net";

// Proxy stands before a port of 127.0.0.1 and passes bytes on, as a network
// that may fail does.
export class Proxy {
  #pairs = new Set();

  static async start(upstream) {
    const proxy = new Proxy();
    proxy.server = createServer((client) => proxy.#pass(client, connect(upstream, "127.0.0.1")));
    proxy.server.listen(0, "127.0.0.1");
    await once(proxy.server, "listening");
    proxy.url = `http://127.0.0.1:${proxy.server.address().port}/`;
    return proxy;
  }

  // mute has the server hear nothing more of the clients that are connected.
  mute() {
    for (const [client] of this.#pairs) client.unpipe().resume();
  }

  // cut ends all connections, without a word.
  cut() {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  async stop() {
    this.cut();
    this.server.close();
    await once(this.server, "close");
  }

  #pass(client, server) {
    const pair = [client, server];
    this.#pairs.add(pair);
    for (const socket of pair) {
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#pairs.delete(pair);
        for (const each of pair) each.destroy();
      });
    }
    client.pipe(server).pipe(client);
  }
}
