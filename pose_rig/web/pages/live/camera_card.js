/** One camera of the strip: its image with both 2D poses, and its state in words and numbers. */

import { delay } from "../shared/sentence.js";
import { isFault } from "./fault.js";
import { linesOf } from "./landmarks.js";

const VISIBLE = 0.3; // score of a landmark that is drawn
const BODY_JOINTS = 17;
const STATES = { starting: "starting", ready: "starting", ended: "ended" };
const FRESH_MS = 1500; // an older 2D pose is not drawn

export class CameraCard {
  element = document.createElement("li");
  image = null; // the newest, an ImageBitmap
  #name;
  #parts = {};
  #canvas = document.createElement("canvas");
  #pen = this.#canvas.getContext("2d");
  #keypoints = null;
  #keypointsAt = 0;
  #decoding = false;
  #next = null;
  #stale = false;

  /**
   * @param {(name: string) => void} chosen The reader wants to look through this camera.
   * @param {string} [noImages] Why there are none.
   */
  constructor(name, chosen, noImages) {
    this.#name = name;
    const card = this.element;
    card.className = "card";
    const image = document.createElement("button");
    image.type = "button";
    image.className = "image empty";
    image.setAttribute("aria-label", `Look through ${name}`);
    image.title = `Look through ${name}`;
    image.addEventListener("click", () => chosen(name));
    image.append(this.#canvas);
    [this.#canvas.width, this.#canvas.height] = [320, 240];
    const text = document.createElement("div");
    text.className = "text";
    const title = document.createElement("h3");
    title.append(this.#part("span", "name", name), this.#part("i", "dot"));
    this.#parts.dot.className = "dot";
    this.#parts.dot.setAttribute("role", "img");
    const facts = document.createElement("dl");
    for (const [key, label] of [["rate", "Frames"], ["delay", "Delay"], ["offset", "Clock"], ["agreement", "Agreement"], ["phone", "Battery"]]) {
      const term = document.createElement("dt");
      term.textContent = label;
      facts.append(term, this.#part("dd", key, "–"));
    }
    this.#shows("phone", false);
    text.append(title, facts);
    this.#part("p", "note");
    this.#parts.note.className = "note";
    card.append(image, text, this.#parts.note);
    this.without(noImages);
  }

  /** Takes why there are no images; undefined: there are. */
  without(why) {
    const image = this.#canvas.parentElement;
    image.classList.toggle("without", Boolean(why));
    image.dataset.empty = why ?? "no image yet";
  }

  /** Takes a JPEG; of those that arrive while one is decoded, the newest is decoded next. */
  async show(jpeg) {
    this.#next = jpeg;
    if (this.#decoding) return;
    this.#decoding = true;
    while (this.#next) {
      const blob = new Blob([this.#next], { type: "image/jpeg" });
      this.#next = null;
      const image = await createImageBitmap(blob).catch(() => null);
      if (!image) continue;
      this.image?.close();
      this.image = image;
      this.#stale = true;
      this.#canvas.parentElement.classList.remove("empty");
    }
    this.#decoding = false;
  }

  /** Takes the 2D poses of a `keypoints` message. */
  mark(keypoints) {
    this.#keypoints = keypoints;
    this.#keypointsAt = performance.now();
    this.#stale = true;
  }

  /**
   * Shows its entry of the `rig` message, the health of its worker, and of a phone what that reports; a replayed camera
   * has no worker.
   */
  describe(state, health, phone, recorded) {
    if (phone) this.#write("phone", battery(phone));
    this.#shows("phone", phone);
    const replayed = recorded && !health, running = replayed ? Boolean(state) : health?.state === "running";
    for (const key of ["rate", "delay"]) this.#shows(key, !replayed);
    this.#write("rate", running && health ? `${health.rate_hz.toFixed(1)} fps` : "–");
    this.#write("delay", running && health ? delay(health.age_ms) : "–");
    this.#write("offset", state ? offset(state) : "–");
    this.#write("agreement", state?.agreement == null ? "–" : `${Math.round(100 * state.agreement)} %`);
    const error = health?.error || (health?.silent ? "no report" : "") || (health?.state === "failed" ? "failed" : "");
    const note = error || state?.note || STATES[health?.state] || "";
    this.#write("note", note);
    const fault = isFault(state?.note);
    const kind = error ? "danger" : !running ? "" : fault ? "attention" : "good";
    this.#parts.note.classList.toggle("plain", !error && !fault);
    if (this.#parts.dot.className !== `dot ${kind}`) {
      this.#parts.dot.className = `dot ${kind}`;
      this.#parts.dot.setAttribute("aria-label", { good: "works", attention: "needs attention", danger: "does not work" }[kind] ?? "waiting");
    }
  }

  /** Draws image and poses if they are new; `parents` are those of the joints. Returns whether it did. */
  draw(colours, parents) {
    if (!this.#stale) return false;
    this.#stale = false;
    const keypoints = performance.now() - this.#keypointsAt < FRESH_MS ? this.#keypoints : null;
    const [width, height] = this.image ? [this.image.width, this.image.height] : fitted(keypoints?.size_px ?? [4, 3]);
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      [this.#canvas.width, this.#canvas.height] = [width, height];
      this.#canvas.parentElement.classList.toggle("portrait", height > width);
    }
    if (this.image) this.#pen.drawImage(this.image, 0, 0);
    else this.#pen.clearRect(0, 0, width, height);
    if (!keypoints) return true;
    const scale = width / keypoints.size_px[0];
    this.#pen.lineCap = "round";
    for (const { person, raw, refined } of keypoints.people ?? [{ person: 0, ...keypoints }]) {
      if (raw) {
        this.#pen.strokeStyle = this.#pen.fillStyle = colours.raw;
        this.#raw(raw, linesOf(keypoints.landmarks), scale);
      }
      if (refined) {
        this.#pen.strokeStyle = this.#pen.fillStyle = colours.refined(person);
        this.#refined(refined, parents, scale);
      }
    }
    return true;
  }

  #raw(points, lines, scale) {
    const pen = this.#pen;
    pen.lineWidth = 2;
    pen.beginPath();
    for (const [a, b] of lines) {
      if (!(points[a]?.[2] > VISIBLE && points[b]?.[2] > VISIBLE)) continue;
      pen.moveTo(points[a][0] * scale, points[a][1] * scale);
      pen.lineTo(points[b][0] * scale, points[b][1] * scale);
    }
    pen.stroke();
    for (const [x, y, score] of points) if (score > VISIBLE) pen.fillRect(x * scale - 1.5, y * scale - 1.5, 3, 3);
  }

  #refined(points, parents, scale) {
    const pen = this.#pen;
    pen.lineWidth = 2.5;
    for (let joint = 0; joint < Math.min(BODY_JOINTS, points.length); joint++) {
      const [x, y, inlier] = points[joint], parent = points[parents[joint]];
      pen.globalAlpha = inlier > 0.5 ? 1 : 0.45; // guessed
      pen.beginPath();
      if (parent) {
        pen.moveTo(x * scale, y * scale);
        pen.lineTo(parent[0] * scale, parent[1] * scale);
      }
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  #part(tag, key, text = "") {
    const part = document.createElement(tag);
    part.textContent = text;
    this.#parts[key] = part;
    return part;
  }

  #shows(key, shown) {
    this.#parts[key].hidden = this.#parts[key].previousSibling.hidden = !shown;
  }

  #write(key, text) {
    if (this.#parts[key].textContent !== text) this.#parts[key].textContent = text;
  }
}

/** Returns a size of 320 px at most with the proportions of an image. */
function fitted([width, height]) {
  const scale = 320 / Math.max(width, height);
  return [Math.round(width * scale), Math.round(height * scale)];
}

function battery({ connected, battery: level, charging }) {
  if (!connected) return "phone is gone";
  return level == null ? "unknown" : `${Math.round(100 * level)} %${charging ? ", charging" : ""}`;
}

function offset({ time_offset_s: seconds, time_offset_sd_s: sd }) {
  if (sd == null) return "as given";
  const ms = 1000 * seconds;
  return `${ms < 0 ? "−" : "+"}${Math.abs(ms).toFixed(0)} ± ${Math.max(1, 1000 * sd).toFixed(0)} ms`;
}
