import { backoff } from "./backoff.js";
import { shouldReconnect } from "./closecodes.js";

const CONNECT_MS = 10_000;
const STEADY_MS = 5_000;

// Link keeps one WebSocket open: it reconnects after a lost connection, with
// growing pauses, until close is called or the server says not to return.
//
// onState(state) is told of each change; state.phase is one of
//   "idle"     before the first open
//   "connecting"  with state.again where it waited before
//   "open"
//   "waiting"  for the next attempt at state.until (ms since the epoch)
//   "closed"   and stays so until open is called
// with state.code and state.reason of the close where there was one, and
// state.own where close was called.
// onMessage(data) gets each message: a string or an ArrayBuffer.
export class Link {
  state = { phase: "idle" };
  #socket = null;
  #failures = 0;
  #retry = 0;
  #steady = 0;
  #overdue = 0;

  constructor(url, { onState, onMessage }) {
    this.url = url;
    this.onState = onState;
    this.onMessage = onMessage;
  }

  // open connects now; on a link that is open or connecting it does nothing.
  open() {
    if (this.#socket) return;
    clearTimeout(this.#retry);
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#overdue = setTimeout(() => this.#ended(socket, 1006, "no answer in time"), CONNECT_MS);
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => this.onMessage(event.data);
    socket.onclose = (event) => this.#ended(socket, event.code, event.reason);
    this.#tell({ phase: "connecting", again: this.state.phase === "waiting" });
  }

  // close ends the connection and all attempts at a new one.
  close() {
    this.#failures = 0;
    this.#drop();
    this.#tell({ phase: "closed", code: 1000, own: true });
  }

  // move ends the connection and, unless the link is closed, opens one to url.
  move(url) {
    this.url = url;
    if (this.state.phase === "closed") return;
    this.#failures = 0;
    this.#drop();
    this.open();
  }

  // send hands text to an open connection, or returns false.
  send(text) {
    if (this.state.phase !== "open") return false;
    this.#socket.send(text);
    return true;
  }

  #opened() {
    clearTimeout(this.#overdue);
    // Only a connection that lasts resets the pauses: a server that accepts
    // and closes at once is not to be hammered.
    this.#steady = setTimeout(() => (this.#failures = 0), STEADY_MS);
    this.#tell({ phase: "open" });
  }

  #ended(socket, code, reason) {
    if (socket !== this.#socket) return;
    this.#drop();
    if (!shouldReconnect(code)) {
      this.#tell({ phase: "closed", code, reason });
      return;
    }
    const pause = backoff(this.#failures++);
    this.#retry = setTimeout(() => this.open(), pause);
    this.#tell({ phase: "waiting", code, reason, until: Date.now() + pause });
  }

  #drop() {
    clearTimeout(this.#retry);
    clearTimeout(this.#steady);
    clearTimeout(this.#overdue);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
  }

  #tell(state) {
    this.state = state;
    this.onState(state);
  }
}
