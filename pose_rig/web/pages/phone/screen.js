/** What the phone page shows. */

import { delay, sentence } from "../shared/sentence.js";

const byId = (id) => document.getElementById(id);
const SECTIONS = ["setup", "running", "problem"];
const MODES = { cold: "You are in view", settled: "Almost there", solved: "Solved" };
const HELP = {
  cold: "Walk around where at least two cameras see your whole body.",
  settled: "Keep walking around, and turn around once.",
  solved: "This camera is found. Leave the phone where it is.",
};

/** Shows one of the sections. */
export function showSection(name) {
  document.body.dataset.stage = name;
  for (const section of SECTIONS) byId(section).hidden = section !== name;
}

/** Shows what went wrong, instead of everything else. */
export function showProblem(title, remedy, { certificate = false, button = "Try again" } = {}) {
  byId("problem-title").textContent = title;
  byId("remedy").textContent = remedy;
  byId("certificate").hidden = !certificate;
  byId("again").hidden = !button;
  byId("again").textContent = button;
  showSection("problem");
}

/** Shows the camera that this phone became, or the state of the connection. */
export function showName(text, kind) {
  write("name", text);
  byId("name").className = `pill ${kind}`;
}

/** Shows a state in big words, and the sentence below. */
export function showState(title, text) {
  write("state", title);
  write("sentence", sentence(text));
}

/** Shows the `state` message of the rig. */
export function showRigState({ mode, sentence: advice, detected }) {
  if (!detected) showState("No person in view", "Point the phone at the place where you move.");
  else if (!MODES[mode]) showState("You are in view", advice || "The rig is starting.");
  else showState(MODES[mode], advice || HELP[mode]);
}

/** Shows figures: frames per second, delay in ms, [width, height] in px, battery. */
export function showFacts(fps, delay_ms, size, battery) {
  write("fps", fps > 0 ? `${fps.toFixed(0)} fps` : "–");
  write("delay", delay_ms === null ? "–" : delay(delay_ms));
  write("size", size ? `${size[0]} × ${size[1]}` : "–");
  write("charging", battery?.charging ? "Charging" : "Battery");
  write("battery", battery ? `${Math.round(100 * battery.level)} %` : "–");
}

/** Shows a hint, or none. */
export function showHint(text) {
  byId("hint").hidden = !text;
  write("hint", text);
}

function write(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}
