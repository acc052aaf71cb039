/** The events of the rig and the answers to commands, newest first. */

const MAX_LINES = 100;

export class EventLog {
  #list = document.getElementById("log");

  add(text, refused = false) {
    const line = document.createElement("li"), time = document.createElement("time"), words = document.createElement("span");
    time.textContent = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
    words.textContent = text;
    line.className = refused ? "refused" : "";
    line.append(time, words);
    this.#list.prepend(line);
    while (this.#list.children.length > MAX_LINES) this.#list.lastChild.remove();
  }
}
