import { closeWords } from "./closecodes.js";

const ORDER = ["idle", "open", "connecting", "waiting", "closed"];

// Status shows the state of both links as one: the worse of the two.
export class Status {
  #elements;
  #ticking = 0;

  constructor({ root, status, countdown, close, reconnect, rows }) {
    this.#elements = { root, status, countdown, close, reconnect, rows };
  }

  // show takes the links by name, in the order of their rows.
  show(links) {
    const { root, status, close, reconnect, rows } = this.#elements;
    const worst = worstOf(Object.values(links).map((link) => link.state));
    root.dataset.phase = shown(worst);
    setText(status, words(worst));
    for (const [name, link] of Object.entries(links)) {
      rows[name].dataset.phase = shown(link.state);
      setText(rows[name].querySelector("dd"), new URL(link.url).pathname);
      rows[name].title = `${link.url} is ${link.state.phase}`;
    }
    enable(close, worst.phase !== "closed", reconnect);
    enable(reconnect, ["closed", "waiting"].includes(worst.phase) || Boolean(worst.again), close);
    this.#count(worst);
  }

  // The seconds stand outside of what a screen reader is told of.
  #count({ phase, until }) {
    const { countdown } = this.#elements;
    clearInterval(this.#ticking);
    const tick = () => setText(countdown, ` in ${Math.max(1, Math.ceil((until - Date.now()) / 1000))} s`);
    if (phase !== "waiting") return setText(countdown, "");
    tick();
    this.#ticking = setInterval(tick, 250);
  }
}

export function worstOf(states) {
  return states.reduce((worst, state) => (rank(state) > rank(worst) ? state : worst));
}

function rank({ phase, until = 0 }) {
  return ORDER.indexOf(phase) * 1e15 + until;
}

function words({ phase, code, reason, own }) {
  if (phase === "open") return "Connected";
  if (phase === "connecting") return "Connecting…";
  if (own) return `Closed by you (${code})`;
  const why = closeWords(code, reason);
  return phase === "waiting" ? `${sentence(why)}. Reconnecting` : `Closed: ${why}`;
}

// What the user closed is off, not broken, and an attempt between two pauses
// looks like them.
function shown({ phase, own, again }) {
  if (own) return "off";
  return again ? "waiting" : phase;
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

// A button that goes dead under the keyboard's focus hands it on.
function enable(button, on, next) {
  const focused = document.activeElement === button;
  button.disabled = !on;
  if (focused && !on) {
    next.disabled = false;
    next.focus();
  }
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
