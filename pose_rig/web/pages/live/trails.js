/** Where wrists, ankles and head were over the last two seconds. */

const { THREE } = globalThis;
const JOINTS = ["l_wrist", "r_wrist", "l_ankle", "r_ankle", "head"];
const LENGTH = 120; // poses

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
  update({ joints }) {
    for (let i = 0; i < JOINTS.length; i++) {
      const attribute = this.#lines[i].geometry.getAttribute("position"), numbers = attribute.array;
      const joint = joints[this.#indices[i]];
      if (this.#empty) for (let at = 0; at < numbers.length; at++) numbers[at] = joint[at % 3];
      else numbers.copyWithin(0, 3);
      numbers.set(joint, 3 * (LENGTH - 1));
      attribute.needsUpdate = true;
    }
    this.#empty = false;
  }
}
