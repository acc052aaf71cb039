/** The buttons below the room: point of view, trails, cameras, avatar. */

import { keep, kept } from "../shared/store.js";

const ZOOM = 1.25;
const VIEWS = { 1: "front", 2: "side", 3: "top" };

export class ViewTools {
  #stage;
  #select = document.getElementById("through");
  #cameras = [];

  /**
   * @param {{stage: object, trails: object, frusta: object, avatar: object, log: (text: string, refused?: boolean) => void,
   *   changed: () => void}} parts `changed` is called when what is shown has changed.
   */
  constructor({ stage, trails, frusta, avatar, log, changed }) {
    this.#stage = stage;
    for (const button of document.querySelectorAll("[data-view]"))
      button.addEventListener("click", () => this.#look(button.dataset.view));
    document.getElementById("zoom-in").addEventListener("click", () => this.#zoom(ZOOM));
    document.getElementById("zoom-out").addEventListener("click", () => this.#zoom(1 / ZOOM));
    this.#select.addEventListener("change", () => (this.#select.value ? this.enter(this.#select.value) : this.#leave()));
    document.getElementById("view").addEventListener("pointerdown", () => this.#leave());
    document.getElementById("view").addEventListener("keydown", () => this.#show());
    toggle("trails", false, (shown) => {
      if (shown) trails.clear();
      trails.group.visible = shown;
      changed();
    });
    toggle("frusta", true, (shown) => {
      frusta.group.visible = shown;
      changed();
    });
    this.#takeAvatars(avatar, log, changed);
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Takes the cameras of a `rig` message: those with a position can be looked through. */
  cameras(cameras) {
    this.#cameras = cameras.filter((camera) => camera.rotation && camera.translation_m && camera.size_px);
    const names = this.#cameras.map((camera) => camera.name);
    const shown = [...this.#select.options].slice(1).map((option) => option.value);
    if (names.join("\n") !== shown.join("\n"))
      this.#select.replaceChildren(this.#select.options[0], ...names.map((name) => new Option(`Through ${name}`, name)));
    this.#select.disabled = !names.length;
    const through = this.#cameras.find((camera) => camera.name === this.#stage.through);
    if (through) this.#stage.enter(through);
    else this.#stage.leave();
    this.#show();
  }

  /** Looks through a camera; false if the rig has not found it. */
  enter(name) {
    const camera = this.#cameras.find((one) => one.name === name);
    if (camera) this.#stage.enter(camera);
    this.#show();
    return Boolean(camera);
  }

  #look(view) {
    this.#stage.look(view);
    this.#show();
  }

  #zoom(factor) {
    this.#stage.zoom(factor);
    this.#show();
  }

  #leave() {
    this.#stage.leave();
    this.#show();
  }

  #show() {
    const through = this.#stage.through;
    if (this.#select.value !== through) this.#select.value = through;
    this.#select.classList.toggle("chosen", Boolean(through));
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, dialog")) return;
    if (event.key in VIEWS) this.#look(VIEWS[event.key]);
    else if (event.key === "t") document.getElementById("trails").click();
    else if (event.key === "c") document.getElementById("frusta").click();
    else if (event.key === "Escape") this.#leave();
  }

  #takeAvatars(avatar, log, changed) {
    const button = document.getElementById("avatar"), file = document.getElementById("avatar-file");
    const load = async (chosen) => {
      try {
        await avatar.load(chosen);
        log(`Avatar: ${chosen.name}.`);
      } catch (error) {
        log(error.message, true);
      }
      button.setAttribute("aria-pressed", avatar.loaded);
      changed();
    };
    button.addEventListener("click", () => {
      if (!avatar.loaded) return file.click();
      avatar.remove();
      button.setAttribute("aria-pressed", "false");
      changed();
    });
    file.addEventListener("change", () => {
      if (file.files.length) load(file.files[0]);
      file.value = "";
    });
    let depth = 0; // of elements that the file is dragged over
    const over = (change) => document.body.classList.toggle("dropping", (depth = Math.max(0, depth + change)) > 0);
    addEventListener("dragenter", () => over(1));
    addEventListener("dragleave", () => over(-1));
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      over(-depth);
      if (event.dataTransfer.files.length) load(event.dataTransfer.files[0]);
    });
  }
}

/** Makes a button switch something; its state is kept for the next visit. */
function toggle(id, initial, apply) {
  const button = document.getElementById(id);
  const set = (on) => {
    button.setAttribute("aria-pressed", on);
    apply(on);
  };
  const before = kept(id);
  set(before === null ? initial : before === "true");
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    keep(id, String(on));
    set(on);
  });
}
