// What each WebSocket close code (RFC 6455, section 7.4.1; from 4000 on the
// server's own) means to a person, and whether to reconnect or stop after it.
// The server has the same table, and a test holds them together.
const CODES = new Map([
  [1000, ["closed normally", "stop"]],
  [1001, ["the server is going away", "reconnect"]],
  [1002, ["protocol error", "stop"]],
  [1003, ["the server refuses this kind of data", "stop"]],
  [1005, ["closed without a reason", "reconnect"]],
  [1006, ["no connection to the server", "reconnect"]],
  [1007, ["invalid data", "stop"]],
  [1008, ["refused by the server’s policy", "stop"]],
  [1009, ["a message was too large", "stop"]],
  [1011, ["the server had an error", "reconnect"]],
  [1012, ["the server is restarting", "reconnect"]],
  [1013, ["the server is busy", "reconnect"]],
  [4000, ["this page read too slowly", "reconnect"]],
  [4001, ["the token has expired", "reconnect"]],
  [4002, ["not authenticated", "stop"]],
  [4003, ["removed by the server", "stop"]],
  [4004, ["replaced by another connection", "stop"]],
]);

// shouldReconnect is true for a code that isn't known, too.
export function shouldReconnect(code) {
  return (CODES.get(code)?.[1] ?? "reconnect") === "reconnect";
}

// closeWords says a close code and the server's own reason in words.
export function closeWords(code, reason = "") {
  const known = CODES.get(code)?.[0];
  const words = known ?? (reason || "closed by the server");
  const detail = known && reason && reason !== known ? `${code}: ${reason}` : `${code}`;
  return `${words} (${detail})`;
}
