/** The state of the rig in words: mode, the one sentence that helps, and the figures below. */

import { delay, sentence } from "../shared/sentence.js";

const MODES = ["cold", "settled", "solved"];
const HELP = {
  cold: "Stand upright for a second, then walk around where at least two cameras see the whole body.",
  settled: "The viewing directions are known. Keep walking around, and turn around once.",
  solved: "The cameras are found. Move freely.",
};

export class Headline {
  #mode = document.getElementById("mode");
  #sentence = document.getElementById("sentence");
  #tracking = document.getElementById("tracking");
  #steps = document.querySelectorAll(".steps li");
  #facts = { rate: document.getElementById("rate"), delay: document.getElementById("delay"), height: document.getElementById("height") };
  #current = "";
  #said = "";

  /** Shows the mode of the rig. */
  mode(mode) {
    if (mode === this.#current) return;
    this.#current = mode;
    write(this.#mode, mode[0].toUpperCase() + mode.slice(1));
    this.#steps.forEach((step, i) => {
      step.classList.toggle("done", i < MODES.indexOf(mode));
      step.classList.toggle("now", i === MODES.indexOf(mode));
    });
    this.sentence(this.#said);
  }

  /** Shows a sentence of the server, or the one that belongs to the mode. */
  sentence(text) {
    this.#said = sentence(text);
    write(this.#sentence, this.#said || this.#help());
  }

  /** Shows whether a person is in view. */
  tracking(tracked) {
    if (this.#tracking.hidden === Boolean(tracked)) return;
    this.#tracking.hidden = Boolean(tracked);
    this.sentence(this.#said);
  }

  #help() {
    if (!this.#tracking.hidden) return "Step in front of the cameras: two of them should see your whole body.";
    return HELP[this.#current] ?? "Waiting for the first pose.";
  }

  /** Shows the rate of the poses (Hz), their age (ms), and the body height. */
  facts(rate_hz, age_ms, height_m, assumed) {
    write(this.#facts.rate, rate_hz > 0 ? `${rate_hz.toFixed(0)} /s` : "–");
    write(this.#facts.delay, rate_hz > 0 ? delay(age_ms) : "–");
    write(this.#facts.height, height_m ? `${height_m.toFixed(2)} m${assumed ? " assumed" : ""}` : "–");
  }
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
