/** Where wrists, ankles and head of everyone were over the last two seconds. */

import { nameOf } from "./people.js";

const { THREE } = globalThis;
const JOINTS = ["l_wrist", "r_wrist", "l_ankle", "r_ankle", "head"];
const LENGTH = 120; // poses
const MAX_GAP_NS = 3e8, MAX_STEP_M = 0.6; // between poses of one trail

export class Trails {
  group = new THREE.Group();
  #trails = new Map(); // by person
  #colours = null;
  #indices = [];
  #t_ns = 0;

  paint(colours) {
    this.#colours = colours;
    this.clear();
  }

  build(schema) {
    this.#indices = JOINTS.map((name) => schema.joints.indexOf(name));
    this.clear();
  }

  /** Begins again at the next pose. */
  clear() {
    for (const person of this.#trails.keys()) this.#remove(person);
  }

  /** Adds the poses of all people at a time, each in the colour of the person; the hands of a lone person have one of their own. */
  update(people, t_ns) {
    if (Math.abs(t_ns - this.#t_ns) > MAX_GAP_NS) this.clear();
    this.#t_ns = t_ns;
    for (const person of this.#trails.keys()) if (!people.some((one) => one.person === person)) this.#remove(person);
    for (const { person, joints } of people) {
      const colour = this.#colours[nameOf(person)];
      const trail = this.#trails.get(person) ?? this.#add(person);
      trail.paint(people.length > 1 ? colour : this.#colours.amber, colour);
      trail.update(this.#indices.map((joint) => joints[joint]));
    }
  }

  #add(person) {
    const trail = new Trail();
    this.#trails.set(person, trail);
    this.group.add(trail.group);
    return trail;
  }

  #remove(person) {
    this.#trails.get(person).dispose();
    this.#trails.delete(person);
  }
}

/** The trails of one person. */
class Trail {
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
  #empty = true;

  paint(hands, others) {
    this.#lines.forEach((line, i) => line.material.color.set(i < 2 ? hands : others));
  }

  /** Adds the places of `JOINTS`. */
  update(places) {
    places.forEach((place, i) => {
      const attribute = this.#lines[i].geometry.getAttribute("position"), numbers = attribute.array;
      if (this.#empty) for (let at = 0; at < numbers.length; at++) numbers[at] = place[at % 3];
      else {
        numbers.copyWithin(0, 3);
        const last = 3 * (LENGTH - 2);
        if (Math.hypot(place[0] - numbers[last], place[1] - numbers[last + 1], place[2] - numbers[last + 2]) > MAX_STEP_M)
          for (let at = 0; at < last + 3; at++) numbers[at] = place[at % 3];
      }
      numbers.set(place, 3 * (LENGTH - 1));
      attribute.needsUpdate = true;
    });
    this.#empty = false;
  }

  /** Frees what the trails hold on the graphics card. */
  dispose() {
    this.group.removeFromParent();
    for (const { geometry, material } of this.#lines) {
      geometry.dispose();
      material.dispose();
    }
  }
}
