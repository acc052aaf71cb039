/** The cameras where the rig found them, each as the pyramid of what it sees, with its name. */

import { isFault } from "./fault.js";

const { THREE } = globalThis;
const DEPTH_M = 0.42;
const LABEL_PX = 22, SHARP = 3; // height of a name, and texels per px

export class Frusta {
  group = new THREE.Group();
  #colours = null;
  #perPixel = 0.001; // height of a sprite for each px
  #drawn = new Map(); // name -> {key, object}

  paint(colours) {
    this.#colours = colours;
    this.#forget(() => false);
  }

  /** Keeps the size of names in a view of another height, px. */
  resize(height_px, fieldOfView_deg) {
    this.#perPixel = (2 * Math.tan((fieldOfView_deg * Math.PI) / 360)) / height_px;
    for (const { object } of this.#drawn.values()) object.traverse((part) => part.isSprite && this.#size(part));
  }

  /** Shows the cameras of a `rig` message that have a position. Returns whether any of them moved. */
  update(cameras) {
    const found = cameras.filter((camera) => camera.rotation && camera.translation_m && camera.size_px);
    this.#forget((name) => found.some((camera) => camera.name === name));
    let changed = false;
    for (const camera of found) {
      const key = [...camera.rotation, ...camera.translation_m].map((x) => x.toFixed(3)).join() + camera.focal_px.toFixed(0) + isFault(camera.note);
      let drawn = this.#drawn.get(camera.name);
      if (drawn?.key !== key) {
        if (drawn) dispose(drawn.object);
        drawn = { key, object: this.#draw(camera) };
        this.#drawn.set(camera.name, drawn);
        this.group.add(drawn.object);
        changed = true;
      }
    }
    return changed;
  }

  /** Returns points [x, y, z], m, between which all cameras lie. */
  points() {
    return [...this.#drawn.values()].flatMap(({ object: { position } }) =>
      [-DEPTH_M, DEPTH_M].map((side) => [position.x + Math.sign(position.x) * DEPTH_M, position.y + side, position.z]));
  }

  #draw(camera) {
    const [a, b, c, d, e, f, g, h, i] = camera.rotation;
    const [x, y, z] = camera.translation_m;
    const [width, height] = camera.size_px;
    const w = ((width / 2) * DEPTH_M) / camera.focal_px, v = ((height / 2) * DEPTH_M) / camera.focal_px;
    const colour = isFault(camera.note) ? this.#colours.amber : this.#colours.faint;
    const object = new THREE.Group();
    // rows of camera_from_rig are the camera's axes in the rig; three.js has y up and z back
    object.setRotationFromMatrix(new THREE.Matrix4().set(a, -d, -g, 0, b, -e, -h, 0, c, -f, -i, 0, 0, 0, 0, 1));
    object.position.set(-(a * x + d * y + g * z), -(b * x + e * y + h * z), -(c * x + f * y + i * z));
    const corners = [[-w, -v], [w, -v], [w, v], [-w, v]].map(([right, up]) => [right, up, -DEPTH_M]);
    const points = corners.flatMap((corner, k) => [0, 0, 0, ...corner, ...corner, ...corners[(k + 1) % 4]]);
    const geometry = new THREE.BufferGeometry().setAttribute("position", new THREE.Float32BufferAttribute(points, 3));
    object.add(new THREE.LineSegments(geometry, new THREE.LineBasicMaterial({ color: colour })));
    const face = new THREE.BufferGeometry().setAttribute("position", new THREE.Float32BufferAttribute(corners.flat(), 3));
    face.setIndex([0, 1, 2, 0, 2, 3]);
    const glass = { color: colour, transparent: true, opacity: 0.12, side: THREE.DoubleSide, depthWrite: false };
    object.add(new THREE.Mesh(face, new THREE.MeshBasicMaterial(glass)));
    const label = this.#label(camera.name, colour);
    label.center.set(0.5, 0); // its lower edge is at its position
    label.position.set(0, v + 0.06, -DEPTH_M * 0.6);
    object.add(label);
    return object;
  }

  #label(name, colour) {
    const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
    const height = SHARP * LABEL_PX, font = `600 ${height * 0.58}px Inter, system-ui, sans-serif`;
    pen.font = font;
    canvas.width = Math.ceil(pen.measureText(name).width) + height * 0.8;
    canvas.height = height;
    pen.font = font;
    pen.fillStyle = this.#colours.surface;
    pen.beginPath();
    pen.roundRect(0, 0, canvas.width, height, height / 2);
    pen.fill();
    pen.fillStyle = colour;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(name, canvas.width / 2, height * 0.53);
    const map = new THREE.CanvasTexture(canvas);
    map.colorSpace = THREE.SRGBColorSpace;
    const sprite = new THREE.Sprite(new THREE.SpriteMaterial({ map, sizeAttenuation: false, depthTest: false }));
    this.#size(sprite);
    return sprite;
  }

  #size(sprite) {
    const { width, height } = sprite.material.map.image, size = LABEL_PX * this.#perPixel;
    sprite.scale.set((size * width) / height, size, 1);
  }

  #forget(keep) {
    for (const [name, { object }] of this.#drawn)
      if (!keep(name)) {
        dispose(object);
        this.#drawn.delete(name);
      }
  }
}

function dispose(object) {
  object.removeFromParent();
  object.traverse((part) => {
    if (!part.isSprite) part.geometry?.dispose(); // sprites share theirs
    part.material?.map?.dispose();
    part.material?.dispose();
  });
}
