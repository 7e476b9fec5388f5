import { nameProblem } from "./identity.js";

const PEOPLE_KEPT = 50;

// Composer is the form below the conversation. onSend({ text, to }) is called
// with to "" for everyone, and returns why it could not be sent, or "".
export class Composer {
  #form;
  #notice;
  #recipient;
  #people;

  constructor({ form, notice, recipient, people, onSend }) {
    this.#form = form;
    this.#notice = notice;
    this.#recipient = recipient;
    this.#people = people;
    this.onSend = onSend;
    this.#listen();
    this.#audienceChanged();
  }

  // choosePerson turns to a one-to-one message to name.
  choosePerson(name) {
    const { audience, to_user, message } = this.#form.elements;
    audience.value = "person";
    to_user.value = name;
    this.#audienceChanged();
    message.focus();
  }

  // knows offers name where a recipient is typed.
  knows(name) {
    if (name === "" || Array.from(this.#people.options).some((option) => option.value === name)) return;
    const option = document.createElement("option");
    option.value = name;
    this.#people.append(option);
    if (this.#people.childElementCount > PEOPLE_KEPT) this.#people.firstElementChild.remove();
  }

  // alert says what went wrong; "" takes it back.
  alert(text) {
    this.#notice.textContent = text;
  }

  focus() {
    this.#form.elements.message.focus();
  }

  #listen() {
    const { audience, to_user, message } = this.#form.elements;
    for (const choice of audience) choice.addEventListener("change", () => this.#audienceChanged());
    to_user.addEventListener("input", () => this.#recipientChanged());
    onEnter(to_user, () => message.focus());
    onEnter(message, () => this.#send());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  #send() {
    const { to_user, message } = this.#form.elements;
    const problem = this.#problem();
    if (problem) return;
    const refused = this.onSend({ text: message.value, to: this.#isPrivate() ? to_user.value.trim() : "" });
    this.alert(refused);
    if (!refused) message.value = "";
    message.focus();
  }

  #problem() {
    const { to_user, message } = this.#form.elements;
    const wanted = to_user.value.trim();
    const wrong = wanted === "" ? "Say whom the message is for: enter their name." : nameProblem(wanted);
    if (this.#isPrivate() && wrong) {
      to_user.setAttribute("aria-invalid", "true");
      to_user.focus();
      this.alert(wrong);
      return true;
    }
    if (message.value.trim() !== "") return false;
    message.focus();
    return true;
  }

  #audienceChanged() {
    const { to_user } = this.#form.elements;
    const only = this.#isPrivate();
    this.#form.classList.toggle("private", only);
    this.#recipient.hidden = !only;
    to_user.disabled = !only;
    this.#recipientChanged();
  }

  #recipientChanged() {
    const { to_user, message } = this.#form.elements;
    to_user.removeAttribute("aria-invalid");
    this.alert("");
    const name = to_user.value.trim() || "one person";
    message.placeholder = this.#isPrivate() ? `Message to ${name} only` : "Message to everyone";
  }

  #isPrivate() {
    return this.#form.elements.audience.value === "person";
  }
}

// onEnter acts on the key alone: with Shift it is a new line, and one that
// ends an input method's composition (keyCode 229) is not meant for the page.
function onEnter(box, act) {
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    act();
  });
}
