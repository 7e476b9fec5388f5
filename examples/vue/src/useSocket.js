import { onScopeDispose, ref } from "vue";

// useSocket holds at most one WebSocket: open(path) connects it to a path on
// the host of this page. Its status is "connecting", "open" or "closed", and
// onMessage gets each text that arrives. It closes with its component.
export function useSocket(onMessage) {
  const status = ref("closed");
  let socket = null;

  function open(path) {
    close();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const opened = new WebSocket(`${scheme}://${location.host}${path}`);
    socket = opened;
    status.value = "connecting";
    opened.onopen = () => socket === opened && (status.value = "open");
    opened.onclose = () => socket === opened && (status.value = "closed");
    opened.onmessage = (event) => socket === opened && onMessage(event.data);
  }

  function send(text) {
    socket.send(text);
  }

  function close() {
    socket?.close();
    socket = null;
    status.value = "closed";
  }

  onScopeDispose(close);
  return { status, open, send, close };
}
