/** Keeps the screen on, where the browser can. */

export class WakeLock {
  #lock = null;
  #wanted = false;

  constructor() {
    document.addEventListener("visibilitychange", () => this.#wanted && !document.hidden && this.request());
  }

  static get supported() {
    return "wakeLock" in navigator;
  }

  async request() {
    this.#wanted = true;
    if (WakeLock.supported) this.#lock = await navigator.wakeLock.request("screen").catch(() => null);
  }

  async release() {
    this.#wanted = false;
    await this.#lock?.release().catch(() => {});
    this.#lock = null;
  }
}
