import { everyoneURL, personURL } from "./addresses.js";
import { closeWords } from "./closecodes.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { loadName, nameProblem, saveName } from "./identity.js";
import { Link } from "./link.js";
import { Outbox } from "./outbox.js";
import { Repeats } from "./repeats.js";
import { Status, worstOf } from "./status.js";
import { uuid4 } from "./uuid.js";
import { fromEveryone, fromPerson, toEveryone, toPerson } from "./wire.js";

const byId = (id) => document.getElementById(id);

let name = "";
const outbox = new Outbox();
const repeats = new Repeats();
const nameBox = byId("name");
const nameHint = byId("name-hint");
nameHint.dataset.hint = nameHint.textContent;
beCalled(loadName());

const conversation = new Conversation({
  log: byId("log"),
  list: byId("entries"),
  latest: byId("latest"),
  onPerson: (person) => composer.choosePerson(person),
});

const composer = new Composer({
  form: byId("composer"),
  notice: byId("notice"),
  recipient: byId("recipient"),
  people: byId("people"),
  onSend: ({ text, to }) => (to === "" ? sendToEveryone(text) : sendToPerson(text, to)),
});

const status = new Status({
  root: document.querySelector(".connection"),
  status: byId("status"),
  countdown: byId("countdown"),
  close: byId("close"),
  reconnect: byId("reconnect"),
  rows: { everyone: byId("link-everyone"), person: byId("link-person") },
});

const links = {
  everyone: new Link(everyoneURL(), {
    onState: () => stateChanged("everyone"),
    onMessage: (data) => everyoneSaid(data),
  }),
  person: new Link(withAck(name), {
    onState: () => stateChanged("person"),
    onMessage: (data) => personSaid(fromPerson(data)),
  }),
};

function withAck(person) {
  return `${personURL(person)}?ack=1`;
}

function sendToEveryone(text) {
  return send("everyone", { raw: toEveryone(text, name), to: "", text });
}

function sendToPerson(text, to) {
  composer.knows(to);
  return send("person", { raw: toPerson(text, name, to, uuid4()), to, text });
}

function send(channel, { raw, to, text }) {
  if (!links[channel].send(raw)) return "You are not connected. Your message is still here.";
  const settle = conversation.add({ mine: true, private: to !== "", from: name, to, text });
  settle("sending");
  outbox.add({ channel, raw, to, settle });
  return "";
}

function everyoneSaid(data) {
  if (outbox.echoed(data)) return;
  show(fromEveryone(data), false);
}

function personSaid(said) {
  if (said.kind === "error") refused(said);
  else if (said.kind === "missed") conversation.note(missedWords(said));
  else if (said.kind === "ack") outbox.answered("person", said.to, said.state === "sent" ? "sent" : "waiting");
  else if (!repeats.isRepeat(said.id)) show(said, true);
}

function missedWords({ messages, overdue }) {
  if (overdue) return "This page has not confirmed its messages for a while. The oldest may be dropped.";
  if (messages === 0) return "Some messages to you are gone.";
  return messages === 1 ? "One message to you is gone." : `${messages} messages to you are gone.`;
}

// What comes on the person's link was said to this page, even by itself.
function show(said, isPrivate) {
  composer.knows(said.from);
  conversation.add({ ...said, mine: !isPrivate && said.from === name, private: isPrivate });
}

function refused({ to, code, message }) {
  const why = code === "not_found" && to ? `nobody called ${to} is connected.` : message || code;
  if (!outbox.answered("person", to, "failed", why)) composer.alert(why);
}

// What the links' states looked like when the conversation last said so.
let told = "";

function stateChanged(channel) {
  if (links[channel].state.phase !== "open") outbox.lost(channel);
  status.show(links);
  const worst = worstOf([links.everyone.state, links.person.state]);
  if (worst.phase === "open" && told) tell("", `You are connected again, as ${name}.`);
  if (worst.phase === "closed") tell("closed", worst.own ? "You closed the connection." : `Connection closed: ${closeWords(worst.code, worst.reason)}.`);
  if (worst.phase === "waiting") tell("lost", `Connection lost: ${closeWords(worst.code, worst.reason)}.`);
}

function tell(state, text) {
  if (told === state) return;
  told = state;
  conversation.note(text);
}

// rename takes the name that stands in the box, and reports whether it could.
function rename() {
  const wanted = nameBox.value.trim();
  const problem = nameProblem(wanted);
  nameBox.setAttribute("aria-invalid", String(problem !== ""));
  nameHint.textContent = problem || nameHint.dataset.hint;
  if (problem) return false;
  nameBox.value = wanted;
  if (wanted === name) return true;
  beCalled(wanted);
  saveName(name);
  conversation.note(`You are now called ${name}.`);
  links.person.move(withAck(name));
  status.show(links);
  return true;
}

function beCalled(wanted) {
  name = wanted;
  nameBox.value = name;
  nameBox.classList.toggle("long", name.length > 24);
  document.title = `${name} – Parley`;
}

function openAll() {
  links.everyone.open();
  links.person.open();
}

function closeAll() {
  links.everyone.close();
  links.person.close();
}

nameBox.addEventListener("change", rename);
nameBox.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  nameBox.value = name;
  rename();
});
byId("identity").addEventListener("submit", (event) => {
  event.preventDefault();
  if (rename()) composer.focus();
});
byId("reconnect").addEventListener("click", openAll);
byId("close").addEventListener("click", closeAll);
addEventListener("online", () => {
  for (const link of Object.values(links)) if (link.state.phase === "waiting") link.open();
});
openAll();
