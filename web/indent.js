// SHOWN_CHARS is how much of a text is shown.
export const SHOWN_CHARS = 10_000;

// indented is JSON.stringify(value, null, 2), but for what is behind max characters: each
// level indents the next, so a deep value could become a thousand times as long.
export function indented(value, max = SHOWN_CHARS) {
  const out = { text: "", max };
  write(out, value, "\n");
  return out.text;
}

function write(out, value, line) {
  if (out.text.length > out.max) return;
  if (typeof value !== "object" || value === null) {
    out.text += JSON.stringify(typeof value === "string" ? value.slice(0, out.max) : value);
    return;
  }
  const list = Array.isArray(value);
  out.text += list ? "[" : "{";
  const inner = `${line}  `;
  let comma = "";
  for (const key in value) {
    out.text += comma + inner;
    if (out.text.length > out.max) return;
    if (!list) out.text += `${JSON.stringify(key.slice(0, out.max))}: `;
    write(out, value[key], inner);
    comma = ",";
  }
  if (comma) out.text += line;
  out.text += list ? "]" : "}";
}
