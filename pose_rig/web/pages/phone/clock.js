/** Exchanges times with the rig, from which it learns how this phone's clock relates to its own. */

const FIRST = 8, FIRST_MS = 120; // exchanges at the start, and the time between them
const EVERY_MS = 2000;

export class Clock {
  #send;
  #timer = 0;
  #count = 0;

  /** @param {(message: object) => void} send */
  constructor(send) {
    this.#send = send;
  }

  /** Begins again, for a new connection. */
  start() {
    this.stop();
    this.#count = 0;
    this.#ask();
  }

  stop() {
    clearTimeout(this.#timer);
  }

  /** Takes the rig's answer. */
  answer({ sent, rig_ms }) {
    this.#send({ type: "clock-result", sent, rig_ms, received: performance.now() });
  }

  #ask() {
    this.#send({ type: "clock", sent: performance.now() });
    this.#timer = setTimeout(() => this.#ask(), ++this.#count < FIRST ? FIRST_MS : EVERY_MS);
  }
}
