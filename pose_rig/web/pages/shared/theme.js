/** Light, dark, or as the system has it; and the colours of the style sheet for what is drawn. */

import { keep, kept } from "./store.js";

const CHOICES = { auto: "automatic", light: "light", dark: "dark" };
const ICONS = { auto: "#i-auto", light: "#i-sun", dark: "#i-moon" };
const NAMES = ["teal", "amber", "danger", "guessed", "grid", "grid-strong", "ink", "faint", "surface",
  "person-2", "person-3", "person-4", "person-5", "person-6"];

export class Theme {
  #button = document.getElementById("theme");
  #system = matchMedia("(prefers-color-scheme: dark)");
  #choice = kept("theme") ?? "auto";
  #changed;

  /** @param {(colours: Record<string, string>) => void} [changed] Gets the colours, at once and after every change. */
  constructor(changed = () => {}) {
    this.#changed = changed;
    if (!(this.#choice in CHOICES)) this.#choice = "auto";
    this.#system.addEventListener("change", () => this.#apply());
    this.#button?.addEventListener("click", () => {
      const names = Object.keys(CHOICES);
      this.#choice = names[(names.indexOf(this.#choice) + 1) % names.length];
      keep("theme", this.#choice);
      this.#apply();
    });
    this.#apply();
  }

  #apply() {
    const dark = this.#choice === "dark" || (this.#choice === "auto" && this.#system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    if (this.#button) this.#describe(this.#button);
    const style = getComputedStyle(document.documentElement);
    this.#changed(Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()])));
  }

  #describe(button) {
    button.title = `Colours: ${CHOICES[this.#choice]}`;
    button.setAttribute("aria-label", button.title);
    button.querySelector("use").setAttribute("href", ICONS[this.#choice]);
  }
}
