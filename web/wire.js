import { indented } from "./indent.js";

// The texts of the classic protocol: what this page sends, and what arrives.

export function toEveryone(text, from) {
  return JSON.stringify({ message: text, from });
}

// toPerson has an id, by which the other page knows the message when it comes
// again. The server keeps what it does not know.
export function toPerson(text, from, to, id) {
  return JSON.stringify({ message: text, to_user: to, from, id });
}

// fromEveryone reads what arrived on /ws/ and fromPerson what arrived on
// /ws/{username}/. Both return one of
//   { kind: "message", from, to, id, text, raw }   from, to and id may be "", and are where
//                                                  they are too long; raw says that text
//                                                  is data, not prose; data that is longer
//                                                  than is shown may end anywhere
//   { kind: "ack", to, state }
//   { kind: "error", to, code, message }
//   { kind: "missed", messages, overdue }          messages is 0 where nobody knows
// A person's object always has to_user, so that nobody can speak as the
// server to one person. On /ws/ anybody can send anything: all of it is data.
export function fromEveryone(data) {
  return messageOf(data, parseObject(data));
}

export function fromPerson(data) {
  const object = parseObject(data);
  if (object && !("to_user" in object)) {
    if (isObject(object.ack)) return { kind: "ack", to: name(object.ack.to_user), state: object.ack.state };
    if (isError(object)) return errorOf(object);
    if (isObject(object.missed)) return { kind: "missed", messages: Number(object.missed.messages) || 0, overdue: object.missed.overdue === true };
  }
  return messageOf(data, object);
}

function messageOf(data, object) {
  if (!object || !("message" in object)) return { kind: "message", from: "", to: "", id: "", ...asText(data) };
  const { from, to_user, id, message } = object;
  return { kind: "message", from: name(from), to: name(to_user), id: name(id), ...asText(message) };
}

function errorOf({ error }) {
  return { kind: "error", to: name(error.to_user), code: String(error.code ?? ""), message: String(error.message ?? "") };
}

const SHOWN_BYTES = 24;

function asText(value) {
  if (typeof value === "string") return { text: value, raw: isData(value) };
  if (!(value instanceof ArrayBuffer)) return { text: indented(value), raw: true };
  const bytes = Array.from(new Uint8Array(value, 0, Math.min(value.byteLength, SHOWN_BYTES)));
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return { text: `${value.byteLength} bytes: ${hex}${value.byteLength > SHOWN_BYTES ? " …" : ""}`, raw: true };
}

function isData(text) {
  return /^\s*[[{]/.test(text) && parse(text) !== undefined;
}

function parseObject(data) {
  const value = typeof data === "string" ? parse(data) : undefined;
  return isObject(value) ? value : null;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isError(object) {
  return isObject(object?.error);
}

// NAME_CHARS is more than a name or an id of this page has. What is longer is nobody's.
const NAME_CHARS = 200;

function name(value) {
  return typeof value === "string" && value.length <= NAME_CHARS ? value : "";
}
