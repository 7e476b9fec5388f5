import { uuid4 } from "./uuid.js";

const KEY = "parley.name";
const MAX_BYTES = 200;

// loadName returns this tab's name, making one at the first call.
// sessionStorage is the tab's own and survives a reload: each tab is a person.
export function loadName() {
  const kept = read();
  if (kept && !nameProblem(kept)) return kept;
  const name = uuid4();
  saveName(name);
  return name;
}

export function saveName(name) {
  try {
    sessionStorage.setItem(KEY, name);
  } catch {
    // Storage may be forbidden; the name then lasts as long as the page.
  }
}

// nameProblem says in words why nobody can be called name, or "".
export function nameProblem(name) {
  if (name === "") return "A name can’t be empty.";
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) return "A name can’t hold control characters.";
  if (!isWellFormed(name)) return "A name can’t hold half a character.";
  if (new TextEncoder().encode(name).length > MAX_BYTES) return `A name can’t be longer than ${MAX_BYTES} bytes.`;
  // A browser takes these path segments, percent-encoded too, for folders.
  if (name === "." || name === "..") return "A browser can’t connect under this name.";
  return "";
}

function read() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function isWellFormed(text) {
  try {
    encodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
