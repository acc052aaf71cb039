/** Where wrists, ankles and head were over the last two seconds. */

const { THREE } = globalThis;
const JOINTS = ["l_wrist", "r_wrist", "l_ankle", "r_ankle", "head"];
const LENGTH = 120; // poses
const MAX_GAP_NS = 3e8, MAX_STEP_M = 0.6; // between poses of one trail

export class Trails {
  group = new THREE.Group();
  #lines = JOINTS.map(() => {
    const geometry = new THREE.BufferGeometry();
    const fade = new Float32Array(4 * LENGTH).map((_, i) => (i % 4 < 3 ? 1 : (i >> 2) / LENGTH));
    geometry.setAttribute("position", new THREE.BufferAttribute(new Float32Array(3 * LENGTH), 3));
    geometry.setAttribute("color", new THREE.BufferAttribute(fade, 4));
    const material = new THREE.LineBasicMaterial({ vertexColors: true, transparent: true, depthWrite: false });
    const line = new THREE.Line(geometry, material);
    line.frustumCulled = false;
    this.group.add(line);
    return line;
  });
  #indices = [];
  #empty = true;
  #t_ns = 0;

  paint(colours) {
    this.#lines.forEach((line, i) => line.material.color.set(i < 2 ? colours.amber : colours.teal));
  }

  build(schema) {
    this.#indices = JOINTS.map((name) => schema.joints.indexOf(name));
    this.clear();
  }

  /** Begins again at the next pose. */
  clear() {
    this.#empty = true;
  }

  /** Adds a pose. */
  update({ joints, t_ns }) {
    if (Math.abs(t_ns - this.#t_ns) > MAX_GAP_NS) this.#empty = true;
    this.#t_ns = t_ns;
    for (let i = 0; i < JOINTS.length; i++) {
      const attribute = this.#lines[i].geometry.getAttribute("position"), numbers = attribute.array;
      const joint = joints[this.#indices[i]];
      if (this.#empty) for (let at = 0; at < numbers.length; at++) numbers[at] = joint[at % 3];
      else {
        numbers.copyWithin(0, 3);
        const last = 3 * (LENGTH - 2);
        if (Math.hypot(joint[0] - numbers[last], joint[1] - numbers[last + 1], joint[2] - numbers[last + 2]) > MAX_STEP_M)
          for (let at = 0; at < last + 3; at++) numbers[at] = joint[at % 3];
      }
      numbers.set(joint, 3 * (LENGTH - 1));
      attribute.needsUpdate = true;
    }
    this.#empty = false;
  }
}
