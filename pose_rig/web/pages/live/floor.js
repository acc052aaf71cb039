/** The floor: squares of half a metre, stronger lines through the origin, fading with the distance from it. */

const { THREE } = globalThis;
const STEP_M = 0.5, RADIUS_M = 7, CLEAR_M = 2; // lines are clear up to here

export class Floor {
  group = new THREE.Group();
  #lines = null;

  paint(colours) {
    if (this.#lines) {
      this.group.remove(this.#lines);
      this.#lines.geometry.dispose();
      this.#lines.material.dispose();
    }
    const count = Math.round(RADIUS_M / STEP_M), places = [], shades = [];
    const plain = new THREE.Color(colours.grid), strong = new THREE.Color(colours["grid-strong"]);
    const add = (x, z, colour) => {
      places.push(x, 0, z);
      const part = Math.min(1, Math.max(0, (RADIUS_M - Math.hypot(x, z)) / (RADIUS_M - CLEAR_M)));
      shades.push(colour.r, colour.g, colour.b, part * part);
    };
    for (let i = -count; i <= count; i++) {
      const colour = i ? plain : strong;
      for (let k = -count; k < count; k++)
        for (const [along, across] of [[k, i], [k + 1, i]]) add(along * STEP_M, across * STEP_M, colour);
      for (let k = -count; k < count; k++)
        for (const [along, across] of [[k, i], [k + 1, i]]) add(across * STEP_M, along * STEP_M, colour);
    }
    const geometry = new THREE.BufferGeometry();
    geometry.setAttribute("position", new THREE.Float32BufferAttribute(places, 3));
    geometry.setAttribute("color", new THREE.Float32BufferAttribute(shades, 4));
    const material = new THREE.LineBasicMaterial({ vertexColors: true, transparent: true, depthWrite: false });
    this.#lines = new THREE.LineSegments(geometry, material);
    this.#lines.renderOrder = -1;
    this.group.add(this.#lines);
  }
}
