/** The buttons that control the rig; shown to those who came with a control token. */

const ANSWER_MS = 10_000;
const NAMES = { record: "Record", "stop-recording": "Stop recording", marker: "Marker", floor: "Floor and zero", height: "Height", "re-solve": "Re-solve", stop: "Stop" };

export class Controls {
  #bar = document.getElementById("actions");
  #record = document.getElementById("record");
  #badge = document.getElementById("recording");
  #send;
  #log;
  #recording = false;
  #next = 1;
  #pending = new Map(); // id -> {name, button, timer}
  #people = []; // who is in view, by number from 0

  /**
   * @param {(message: object) => boolean} send Sends to the rig; false if there is no connection.
   * @param {(text: string, refused?: boolean) => void} log
   */
  constructor(send, log) {
    this.#send = send;
    this.#log = log;
    const press = (id, action) => document.getElementById(id).addEventListener("click", ({ currentTarget }) => action(currentTarget));
    press("record", (button) => this.#command(this.#recording ? "stop-recording" : "record", button));
    press("marker", (button) => this.#command("marker", button));
    press("set-floor", (button) => this.#command("floor", button));
    press("re-solve", (button) => this.#command("re-solve", button));
    press("set-height", () => this.#askHeight());
    press("stop", () => this.#askStop());
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Shows the buttons or hides them; what is not live, as a replay, can only be stopped. */
  allow(allowed, live) {
    this.#bar.hidden = !allowed;
    document.getElementById("stop-title").textContent = live ? "Stop the rig?" : "Stop the playback?";
    document.getElementById("stop-what").textContent = live
      ? "All cameras, the recording and the streams to other programs end. The recording is kept."
      : "The streams to other programs end too. What has been written so far is kept.";
    document.getElementById("stop-now").textContent = live ? "Stop the rig" : "Stop";
    document.getElementById("stop-not").textContent = live ? "Keep running" : "Go on";
    for (const button of this.#bar.querySelectorAll("button")) button.hidden = !live && button.id !== "stop";
  }

  /** Enables the buttons or, without a connection, disables them. */
  enable(enabled) {
    for (const button of this.#bar.querySelectorAll("button")) button.disabled = !enabled;
    if (enabled) return;
    for (const [id] of this.#pending) this.#settle(id);
  }

  /** Shows the recording of a `status` message, or null. */
  recording(recording) {
    this.#recording = Boolean(recording?.on);
    this.#badge.hidden = !this.#recording;
    if (this.#recording) this.#badge.textContent = `Recording ${clock(recording.seconds)}`;
    this.#badge.title = recording?.path ?? "";
    const [icon, text] = this.#recording ? ["#i-end", "Stop recording"] : ["#i-record", "Record"];
    const label = this.#record.querySelector("span");
    if (label.textContent === text) return;
    label.textContent = text;
    this.#record.querySelector("use").setAttribute("href", icon);
    this.#record.classList.toggle("recording", this.#recording);
  }

  /** Takes the answer to a command. */
  answer({ to, ok, text }) {
    const command = this.#settle(to);
    const name = NAMES[command?.name] ?? "Command";
    this.#log(text || `${name}: ${ok ? "done" : "refused"}.`, !ok);
  }

  /** Takes the people of a frame, whose heights can be set; null where one person is tracked. */
  people(people) {
    this.#people = (people ?? []).map(({ person }) => person);
  }

  #command(name, button, value = null, person = 0) {
    const id = this.#next++;
    if (!this.#send({ type: "command", id, name, value, person })) return this.#log("No connection to the rig: nothing was sent.", true);
    if (button) button.setAttribute("aria-busy", "true");
    const timer = setTimeout(() => {
      this.#settle(id);
      this.#log(`${NAMES[name]}: no answer from the rig.`, true);
    }, ANSWER_MS);
    this.#pending.set(id, { name, button, timer });
  }

  #settle(id) {
    const command = this.#pending.get(id);
    this.#pending.delete(id);
    clearTimeout(command?.timer);
    command?.button?.removeAttribute("aria-busy");
    return command;
  }

  #askHeight() {
    const dialog = document.getElementById("height-dialog"), field = document.getElementById("height-value");
    const error = document.getElementById("height-error"), whose = document.getElementById("height-person");
    error.textContent = "";
    document.getElementById("height-whose").hidden = this.#people.length < 2;
    const people = this.#people.length < 2 ? [0] : this.#people; // the first one sets the scale
    whose.replaceChildren(...people.map((person) => new Option(`Person ${person + 1}`, person)));
    dialog.querySelector("form").onsubmit = (event) => {
      if (event.submitter?.value !== "set") return;
      const height_m = metres(field.value);
      if (height_m) return this.#command("height", document.getElementById("set-height"), height_m, Number(whose.value));
      event.preventDefault();
      error.textContent = "Enter a height between 0.5 and 2.5 m, such as 1.75.";
      field.focus();
    };
    dialog.showModal();
    field.select();
  }

  #askStop() {
    const dialog = document.getElementById("stop-dialog");
    dialog.querySelector("form").onsubmit = ({ submitter }) => {
      if (submitter?.value === "stop") this.#command("stop", document.getElementById("stop"));
    };
    dialog.showModal();
  }

  #key(event) {
    if (this.#bar.hidden || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.target.closest?.("input, select, dialog")) return;
    const button = { r: this.#record, m: document.getElementById("marker") }[event.key.toLowerCase()];
    if (button && !button.disabled && !button.hidden) button.click();
  }
}

/** Returns a height in metres; centimetres and a comma are understood; null if it is none. */
export function metres(text) {
  const number = Number(text.trim().replace(",", ".").replace(/\s*(m|cm)$/i, ""));
  const height_m = number > 3 ? number / 100 : number;
  return height_m >= 0.5 && height_m <= 2.5 ? height_m : null;
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
