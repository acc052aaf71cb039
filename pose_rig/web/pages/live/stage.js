/** The room: renderer, light, and the point of view. Axes of the rig: metres, y up, +z towards camera 0. */

const { THREE } = globalThis;
const FIELD_OF_VIEW_DEG = 38;
const MOVE_MS = 450;
const TURN_RAD = 0.12; // for each press of an arrow key
const ZOOM = 1.2;
const VIEWS = { front: [0, 0.12, 1], side: [1, 0.12, 0], top: [0, 1, 0.001], room: [0.5, 0.36, 0.85] };
const PERSON = [[-0.9, 0], [0.9, 0], [-0.9, 2], [0.9, 2]].flatMap(([x, y]) => [[x, y, -0.9], [x, y, 0.9]]); // m, what every view shows
const MARGIN = 0.88; // of the free part of the page that is used
const NARROW_PX = 820; // below, nothing lies on the room

const goal = new THREE.Vector3(), side = new THREE.Vector3(), rise = new THREE.Vector3(), point = new THREE.Vector3();
const spherical = new THREE.Spherical();

export class Stage {
  scene = new THREE.Scene();
  #canvas = document.getElementById("view");
  #backdrop = document.getElementById("backdrop");
  #renderer;
  #eye = new THREE.PerspectiveCamera(FIELD_OF_VIEW_DEG, 1, 0.05, 120);
  #lens = new THREE.PerspectiveCamera(FIELD_OF_VIEW_DEG, 1, 0.05, 120);
  #controls;
  #through = null; // the state of the camera that one looks through
  #move = null;
  #stale = true;
  #touched = false;
  #resized;
  #cameras = []; // corners of the frusta

  /** @param {(height_px: number, field_of_view_deg: number) => void} resized */
  constructor(resized) {
    this.#resized = resized;
    this.#renderer = rendererOf(this.#canvas);
    document.getElementById("flat").hidden = this.#renderer !== null;
    this.scene.add(new THREE.HemisphereLight("#ffffff", "#b9b4a8", 2.1));
    const sun = new THREE.DirectionalLight("#ffffff", 1.6);
    sun.position.set(2, 5, 3);
    this.scene.add(sun);
    this.#controls = new THREE.OrbitControls(this.#eye, this.#canvas);
    Object.assign(this.#controls, { minDistance: 0.4, maxDistance: 40, maxPolarAngle: Math.PI * 0.52, zoomSpeed: 0.8 });
    this.#controls.target.set(0, 0.9, 0);
    this.#controls.addEventListener("change", () => this.invalidate());
    this.#controls.addEventListener("start", () => {
      this.#touched = true;
      this.#move = null;
    });
    this.#place("room", this.#eye.position);
    this.#canvas.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#resize()).observe(this.#canvas);
    this.#resize();
  }

  /** Draws the room again with the next frame. */
  invalidate() {
    this.#stale = true;
  }

  /** Looks from one of the named sides at the person. */
  look(view) {
    this.leave();
    this.#touched = true;
    this.#place(view, goal);
    this.#moveTo(goal);
  }

  /** Shows all cameras, given as points [x, y, z], unless the view was already changed by hand. */
  fit(cameras) {
    this.#cameras = cameras;
    if (this.#touched || this.#through) return;
    this.#place("room", goal);
    this.#moveTo(goal);
  }

  zoom(factor) {
    this.leave();
    this.#touched = true;
    goal.copy(this.#eye.position).sub(this.#controls.target).multiplyScalar(1 / factor).add(this.#controls.target);
    this.#moveTo(goal);
  }

  get through() {
    return this.#through?.name ?? "";
  }

  /** Looks through a camera of the rig: `state` is its entry of the `rig` message. */
  enter(state) {
    this.#through = state;
    this.#controls.enabled = false;
    this.#move = null;
    const [a, b, c, d, e, f, g, h, i] = state.rotation;
    const [x, y, z] = state.translation_m;
    // camera axes (x right, y down, z forward) to those of three.js (y up, z back): rows 2 and 3 change their sign
    const world = this.#lens.matrixWorld;
    world.set(a, -d, -g, 0, b, -e, -h, 0, c, -f, -i, 0, 0, 0, 0, 1);
    world.setPosition(-(a * x + d * y + g * z), -(b * x + e * y + h * z), -(c * x + f * y + i * z));
    world.decompose(this.#lens.position, this.#lens.quaternion, this.#lens.scale);
    this.#project();
  }

  /** Looks from outside again. */
  leave() {
    if (!this.#through) return;
    this.#through = null;
    this.#controls.enabled = true;
    this.#backdrop.width = this.#backdrop.width; // clears it
    this.invalidate();
  }

  /** Shows an image of the camera that one looks through behind the room. */
  showBackdrop(image) {
    if (this.#backdrop.width !== image.width || this.#backdrop.height !== image.height)
      [this.#backdrop.width, this.#backdrop.height] = [image.width, image.height];
    this.#backdrop.getContext("2d").drawImage(image, 0, 0);
  }

  /** Draws if anything changed. */
  render(now) {
    if (this.#move) this.#step(now);
    if (!this.#through) this.#controls.update();
    if (!this.#stale || !this.#renderer) return;
    this.#stale = false;
    this.#renderer.render(this.scene, this.#through ? this.#lens : this.#eye);
  }

  #place(view, out) {
    out.fromArray(VIEWS[view]).normalize();
    side.set(0, 1, 0).cross(out).normalize();
    rise.crossVectors(out, side);
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const { right, up } = this.#shift();
    const tangent = Math.tan((FIELD_OF_VIEW_DEG * Math.PI) / 360);
    const tall = tangent * MARGIN * (1 - Math.abs(up) / (height / 2 || 1));
    const wide = tangent * MARGIN * ((width / 2 - right) / (height / 2 || 1)) || tall;
    let distance = 1;
    for (const one of view === "room" || view === "top" ? [...PERSON, ...this.#cameras] : PERSON) {
      point.fromArray(one).sub(this.#controls.target);
      const x = Math.abs(point.dot(side)), y = Math.abs(point.dot(rise));
      distance = Math.max(distance, point.dot(out) + Math.max(x / wide, y / tall));
    }
    out.multiplyScalar(distance).add(this.#controls.target);
  }

  /** Returns how far the middle of the view lies right of and above the middle of the page, for what lies on it, px. */
  #shift() {
    return innerWidth > NARROW_PX ? { right: 110, up: -24 } : { right: 0, up: 20 };
  }

  #moveTo(position) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.#eye.position.copy(position);
      this.#controls.update();
    } else {
      this.#move = { from: this.#eye.position.clone(), to: position.clone(), start: performance.now() };
    }
    this.invalidate();
  }

  #step(now) {
    const part = Math.min(1, Math.max(0, (now - this.#move.start) / MOVE_MS));
    const eased = part * part * (3 - 2 * part);
    this.#eye.position.lerpVectors(this.#move.from, this.#move.to, eased);
    if (part === 1) this.#move = null;
    this.invalidate();
  }

  #key(event) {
    const turn = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "+" || event.key === "=") this.zoom(ZOOM);
    else if (event.key === "-") this.zoom(1 / ZOOM);
    else if (turn && !event.ctrlKey && !event.metaKey && !event.altKey) {
      this.leave();
      this.#touched = true;
      goal.copy(this.#eye.position).sub(this.#controls.target);
      spherical.setFromVector3(goal);
      spherical.theta += turn[0] * TURN_RAD;
      spherical.phi = Math.min(Math.PI * 0.52, Math.max(0.01, spherical.phi + turn[1] * TURN_RAD));
      this.#eye.position.setFromSpherical(spherical).add(this.#controls.target);
      this.invalidate();
    } else return;
    event.preventDefault();
  }

  #project() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const { right, up } = this.#shift();
    this.#eye.aspect = width / Math.max(1, height);
    this.#eye.setViewOffset(width, height, -right, up, width, height); // updates the projection
    if (this.#through?.size_px) {
      const [w, h] = this.#through.size_px;
      const shown = Math.min(width / w, height / h); // the image is shown whole, in the middle
      this.#lens.fov = (2 * Math.atan(height / shown / 2 / this.#through.focal_px) * 180) / Math.PI;
      this.#lens.aspect = this.#eye.aspect;
      this.#lens.updateProjectionMatrix();
    }
    this.invalidate();
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (!width || !height) return;
    this.#renderer?.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.#renderer?.setSize(width, height, false);
    this.#resized?.(height, FIELD_OF_VIEW_DEG);
    this.#project();
    if (this.#touched || this.#through) return;
    this.#place("room", this.#eye.position);
  }
}

/** Returns a renderer, or null where there is no WebGL. */
function rendererOf(canvas) {
  try {
    return new THREE.WebGLRenderer({ canvas, antialias: true, alpha: true });
  } catch {
    return null;
  }
}
