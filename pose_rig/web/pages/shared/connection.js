/** A WebSocket that comes back by itself, and that counts as lost when it falls silent. */

const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 8000;
const SILENCE_MS = 6000; // the server sends at least twice a second

export class Connection {
  #url;
  #handlers;
  #socket = null;
  #attempts = 0;
  #timer = 0;
  #receivedAt = 0;
  #closed = false;

  /**
   * @param {{open?: () => void, text: (text: string) => void, binary?: (data: ArrayBuffer) => void,
   *   lost?: (waitMs: number) => void}} handlers `lost` gets the time until the next attempt.
   */
  constructor(handlers) {
    const address = new URL("socket", location.href);
    address.protocol = address.protocol === "http:" ? "ws:" : "wss:";
    this.#url = address.href;
    this.#handlers = handlers;
    addEventListener("online", () => this.#retry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#retry());
    setInterval(() => this.#check(), 1000);
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  open() {
    this.#closed = false;
    clearTimeout(this.#timer);
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#receivedAt = performance.now();
    socket.onopen = () => {
      this.#receivedAt = performance.now();
      this.#handlers.open?.();
    };
    socket.onmessage = ({ data }) => {
      this.#attempts = 0;
      this.#receivedAt = performance.now();
      if (typeof data === "string") this.#handlers.text(data);
      else this.#handlers.binary?.(data);
    };
    socket.onclose = () => socket === this.#socket && this.#lost();
  }

  /** Closes for good. */
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = null;
  }

  /** Sends an object as JSON, or bytes; false if there is no connection. */
  send(message) {
    if (!this.isOpen) return false;
    this.#socket.send(message instanceof ArrayBuffer ? message : JSON.stringify(message));
    return true;
  }

  #lost() {
    this.#socket = null;
    if (this.#closed) return;
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#attempts++) * (0.8 + 0.4 * Math.random());
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.open(), wait);
    this.#handlers.lost?.(wait);
  }

  #retry() {
    if (this.#closed || this.#socket || !this.#timer) return;
    this.#attempts = 0;
    this.open();
  }

  #check() {
    if (!this.#socket || document.hidden || performance.now() - this.#receivedAt < SILENCE_MS) return;
    const silent = this.#socket;
    this.#lost();
    silent.close();
  }
}
