/** A person: solid joints and limbs where they are measured, faint ones where they are guessed. */

const { THREE } = globalThis;
const BODY_JOINTS = 17; // of rig17; the further ones are feet, hands and face
const JOINT_M = 0.03, LIMB_M = 0.021, HEAD_M = 0.095;
const SMALL_JOINT_M = 0.011, SMALL_LIMB_M = 0.007;
const SURE = 0.5; // score from which a joint has its full colour
const UP = new THREE.Vector3(0, 1, 0);

const start = new THREE.Vector3(), end = new THREE.Vector3(), along = new THREE.Vector3(), size = new THREE.Vector3();
const turn = new THREE.Quaternion(), still = new THREE.Quaternion(), matrix = new THREE.Matrix4();
const gone = new THREE.Matrix4().makeScale(0, 0, 0);
const colour = new THREE.Color();

export class Figure {
  group = new THREE.Group();
  #solidMaterial = new THREE.MeshStandardMaterial({ roughness: 0.55 });
  #guessedMaterial = new THREE.MeshStandardMaterial({ roughness: 1, transparent: true, opacity: 0.4, depthWrite: false });
  #measured = new THREE.Color();
  #guessed = new THREE.Color();
  #shadow;
  #meshes = null; // {joints: [solid, guessed], limbs: [solid, guessed]}
  #parents = [];
  #heads = [];
  #limbs = [];

  constructor() {
    const shade = new THREE.MeshBasicMaterial({ map: softDisc(), transparent: true, depthWrite: false, opacity: 0.22 });
    this.#shadow = new THREE.Mesh(new THREE.PlaneGeometry(1.1, 1.1).rotateX(-Math.PI / 2), shade);
    this.#shadow.position.y = 0.002;
    this.group.add(this.#shadow);
  }

  /** Takes the colours of the page; `measured` is that of the person. */
  paint(colours, measured) {
    this.#measured.set(measured);
    this.#guessed.set(colours.guessed);
    this.#guessedMaterial.color.set(colours.guessed);
  }

  /** Makes the bodies for the joints of a schema. */
  build(schema) {
    this.#clear();
    this.#parents = schema.parents;
    const head = schema.joints.indexOf("head");
    this.#heads = schema.joints.map((_, joint) => joint === head);
    // a limb for each joint that has a parent; none from points of the face to the head
    this.#limbs = schema.parents.map((parent, joint) => parent !== joint && (joint < BODY_JOINTS || parent !== head));
    const count = schema.joints.length;
    const ball = new THREE.SphereGeometry(1, 20, 14), rod = new THREE.CylinderGeometry(1, 1, 1, 12, 1);
    const make = (shape, material) => {
      const mesh = new THREE.InstancedMesh(shape, material, count);
      mesh.frustumCulled = false;
      mesh.instanceMatrix.setUsage(THREE.DynamicDrawUsage);
      this.group.add(mesh);
      return mesh;
    };
    this.#meshes = {
      joints: [make(ball, this.#solidMaterial), make(ball, this.#guessedMaterial)],
      limbs: [make(rod, this.#solidMaterial), make(rod, this.#guessedMaterial)],
    };
    for (const [solid] of Object.values(this.#meshes)) for (let i = 0; i < count; i++) solid.setColorAt(i, this.#measured);
  }

  /** Moves everything to the joints of a frame. */
  update({ joints, score, tracking }) {
    const [solidJoints, guessedJoints] = this.#meshes.joints, [solidLimbs, guessedLimbs] = this.#meshes.limbs;
    for (let joint = 0; joint < joints.length; joint++) {
      const body = joint < BODY_JOINTS, sure = tracking ? score[joint] : 0, parent = this.#parents[joint];
      end.fromArray(joints[joint]);
      size.setScalar(this.#heads[joint] ? HEAD_M : body ? JOINT_M : SMALL_JOINT_M);
      matrix.compose(end, still, size);
      this.#put(solidJoints, guessedJoints, joint, sure);
      if (!this.#limbs[joint]) matrix.copy(gone);
      else {
        start.fromArray(joints[parent]);
        along.subVectors(end, start);
        const length = along.length(), radius = body ? LIMB_M : SMALL_LIMB_M;
        turn.setFromUnitVectors(UP, along.multiplyScalar(length > 1e-6 ? 1 / length : 0));
        matrix.compose(start.addScaledVector(along, length / 2), turn, size.set(radius, length, radius));
      }
      this.#put(solidLimbs, guessedLimbs, joint, Math.min(sure, tracking ? score[parent] : 0));
    }
    for (const meshes of [this.#meshes.joints, this.#meshes.limbs]) {
      meshes[0].instanceMatrix.needsUpdate = meshes[1].instanceMatrix.needsUpdate = true;
      meshes[0].instanceColor.needsUpdate = true;
    }
    this.#shadow.position.x = joints[0][0];
    this.#shadow.position.z = joints[0][2];
  }

  /** Frees what the figure holds on the graphics card. */
  dispose() {
    this.#clear();
    this.group.removeFromParent();
    for (const material of [this.#solidMaterial, this.#guessedMaterial, this.#shadow.material]) material.dispose();
    this.#shadow.material.map.dispose();
    this.#shadow.geometry.dispose();
  }

  #put(solid, guessed, i, sure) {
    solid.setMatrixAt(i, sure > 0 ? matrix : gone);
    guessed.setMatrixAt(i, sure > 0 ? gone : matrix);
    if (sure > 0) solid.setColorAt(i, colour.lerpColors(this.#guessed, this.#measured, Math.min(1, 0.35 + (0.65 * sure) / SURE)));
  }

  #clear() {
    if (!this.#meshes) return;
    for (const [solid, guessed] of Object.values(this.#meshes)) {
      solid.geometry.dispose();
      for (const mesh of [solid, guessed]) {
        mesh.removeFromParent();
        mesh.dispose();
      }
    }
    this.#meshes = null;
  }
}

function softDisc() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 128;
  const pen = canvas.getContext("2d"), fade = pen.createRadialGradient(64, 64, 0, 64, 64, 64);
  fade.addColorStop(0, "#000f");
  fade.addColorStop(1, "#0000");
  pen.fillStyle = fade;
  pen.fillRect(0, 0, 128, 128);
  return new THREE.CanvasTexture(canvas);
}
