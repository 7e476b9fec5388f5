const KEPT = 2000;

// Repeats knows what came before. When a connection was lost, the server sends
// again what it does not know to have arrived.
export class Repeats {
  #seen = new Set();

  // isRepeat reports whether a message with this id came already, and remembers
  // it. One without, "", may be a repeat, which nobody can tell.
  isRepeat(id) {
    if (id === "") return false;
    if (this.#seen.has(id)) return true;
    this.#seen.add(id);
    if (this.#seen.size > KEPT) this.#seen.delete(this.#seen.values().next().value);
    return false;
  }
}
