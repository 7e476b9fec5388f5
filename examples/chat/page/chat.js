const enter = document.querySelector("#enter");
const say = document.querySelector("#say");
const log = document.querySelector("#log");
const here = document.querySelector("#here");

let socket;

enter.addEventListener("submit", (event) => {
  event.preventDefault();
  enter.hidden = true;
  document.querySelector("#room").hidden = false;
  connect(enter.elements.room.value, enter.elements.name.value.trim(), 500);
  say.elements.text.focus();
});

say.addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket.readyState !== WebSocket.OPEN) return;
  send({ say: say.elements.text.value });
  say.reset();
});

// connect enters a room, and enters it again when the connection is lost: after
// a pause that grows while nothing answers.
function connect(room, name, pause) {
  const url = new URL(`ws/${encodeURIComponent(room)}/`, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  url.searchParams.set("name", name);
  socket = new WebSocket(url);
  socket.onopen = () => {
    pause = 500;
    send({ who: true });
  };
  socket.onmessage = (event) => show(JSON.parse(event.data));
  socket.onclose = () => {
    here.textContent = "not connected";
    setTimeout(() => connect(room, name, Math.min(pause * 2, 30_000)), pause * (0.5 + Math.random()));
  };
}

function send(request) {
  socket.send(JSON.stringify(request));
}

function show(message) {
  switch (message.event) {
    case "said":
      add(`${message.name}: ${message.text}`);
      break;
    case "here":
      here.textContent = message.names.join(", ");
      break;
    case "joined":
    case "left":
      add(`${message.name} ${message.event}`, "notice");
      send({ who: true });
      break;
    default:
      add(message.error.message, "notice");
  }
}

function add(text, kind = "") {
  const line = document.createElement("li");
  line.textContent = text;
  line.className = kind;
  log.append(line);
  line.scrollIntoView({ block: "end" });
}
