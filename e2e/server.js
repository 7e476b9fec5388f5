import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { within } from "./deadline.js";

const READY_MS = 60_000;
const STOP_MS = 60_000;
const POLL_MS = 25;
const root = fileURLToPath(new URL("..", import.meta.url));

// Server is one `parley serve` on a free port of 127.0.0.1, the binary given
// by PARLEY_BIN or else built from this tree, with the flags given to start. Its
// working directory, and the data in it, are gone when it stops.
export class Server {
  #dir;
  #binary;
  #flags;
  #process = null;
  #exited = null;
  #output = [];

  static async start(...flags) {
    const server = new Server();
    server.#flags = flags;
    server.#dir = await mkdtemp(join(tmpdir(), "parley-e2e-"));
    server.#binary = process.env.PARLEY_BIN || (await build(server.#dir));
    server.port = await freePort();
    await server.run();
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.port}/`;
  }

  ws(path) {
    return `ws://127.0.0.1:${this.port}${path}`;
  }

  // run starts the process, again after a halt, and returns once it is ready.
  async run() {
    this.#process = spawn(this.#binary, ["serve", "--addr", `127.0.0.1:${this.port}`, ...this.#flags], { cwd: this.#dir });
    this.#exited = exitOf(this.#process);
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => this.#output.push(text));
    }
    const gone = this.#exited.then((how) => Promise.reject(new Error(`parley ended early, ${how}\n${this.#output.join("")}`)));
    await within(READY_MS, "/readyz answers 200", Promise.race([this.#ready(), gone])).catch((error) => this.#fail(error));
  }

  // halt ends the process by SIGTERM and fails unless it exits with 0.
  async halt() {
    this.#process.kill("SIGTERM");
    const how = await within(STOP_MS, "parley ends on SIGTERM", this.#exited).finally(() => this.#process.kill("SIGKILL"));
    assert.equal(how, "exit 0", this.#output.join(""));
  }

  // kill ends the process as kill -9 does.
  async kill() {
    this.#process.kill("SIGKILL");
    assert.equal(await within(STOP_MS, "parley ends on SIGKILL", this.#exited), "signal SIGKILL");
  }

  async stop() {
    await this.halt().finally(() => rm(this.#dir, { recursive: true }));
  }

  async #fail(error) {
    this.#process.kill("SIGKILL");
    await rm(this.#dir, { recursive: true });
    throw error;
  }

  async #ready() {
    const process = this.#process;
    while (process.exitCode === null) {
      const answer = await fetch(`${this.url}readyz`).catch(() => null);
      await answer?.arrayBuffer();
      if (answer?.status === 200) return;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

async function build(dir) {
  const binary = join(dir, "parley");
  await promisify(execFile)("go", ["build", "-o", binary, "./cmd/parley"], { cwd: root });
  return binary;
}

async function exitOf(process) {
  const [code, signal] = await once(process, "exit");
  return signal ? `signal ${signal}` : `exit ${code}`;
}

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}
