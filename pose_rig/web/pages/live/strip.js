/** The strip of cameras. Thumbnails are asked for only while a reader can see them. */

import { CameraCard } from "./camera_card.js";
import { onImages } from "./people.js";

const RAW = "#ffb454"; // on images, in both themes

export class Strip {
  #list = document.getElementById("strip");
  #toggle = document.getElementById("strip-toggle");
  #count = document.getElementById("camera-count");
  #cards = new Map();
  #seen = true;
  #open = true;
  #chosen;
  #watching;
  #withoutImages = {};

  /**
   * @param {{chosen: (name: string) => void, watching: (wanted: boolean) => void}} handlers A camera to look through;
   *   whether thumbnails are wanted.
   */
  constructor({ chosen, watching }) {
    this.#chosen = chosen;
    this.#watching = watching;
    this.#toggle.addEventListener("click", () => {
      this.#open = !this.#open;
      this.#toggle.setAttribute("aria-expanded", this.#open);
      document.getElementById("cameras").classList.toggle("folded", !this.#open);
      this.#watching(this.wanted);
    });
    document.addEventListener("visibilitychange", () => this.#watching(this.wanted));
    new IntersectionObserver(([entry]) => {
      this.#seen = entry.isIntersecting;
      this.#watching(this.wanted);
    }).observe(document.getElementById("cameras"));
  }

  /** Whether thumbnails are wanted. */
  get wanted() {
    return this.#open && this.#seen && !document.hidden;
  }

  /** Takes why cameras have no images, by name. */
  withoutImages(reasons) {
    this.#withoutImages = reasons;
    for (const [name, card] of this.#cards) card.without(reasons[name]);
  }

  /** Shows cards for these cameras, in this order. */
  list(names) {
    for (const [name, card] of this.#cards)
      if (!names.includes(name)) {
        card.element.remove();
        card.image?.close();
        this.#cards.delete(name);
      }
    for (const name of names) if (!this.#cards.has(name)) this.#cards.set(name, new CameraCard(name, this.#chosen, this.#withoutImages[name]));
    const order = names.map((name) => this.#cards.get(name).element);
    if (order.some((element, i) => element !== this.#list.children[i])) this.#list.replaceChildren(...order);
    this.#count.textContent = names.length;
  }

  /** Returns the card of a camera, or undefined. */
  card(name) {
    return this.#cards.get(name);
  }

  /** Takes a binary message: 1, n, n bytes of the camera's name, a JPEG. */
  receive(data) {
    const bytes = new Uint8Array(data);
    if (bytes[0] !== 1 || bytes.length < 3 + bytes[1]) return;
    const name = new TextDecoder().decode(bytes.subarray(2, 2 + bytes[1]));
    this.#cards.get(name)?.show(bytes.subarray(2 + bytes[1]));
  }

  /** Draws what is new. Returns the image of the named camera if that is new. */
  draw(parents, through) {
    let backdrop = null;
    for (const [name, card] of this.#cards) if (card.draw({ raw: RAW, refined: onImages }, parents) && name === through) backdrop = card.image;
    return backdrop;
  }
}
