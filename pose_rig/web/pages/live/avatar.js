/** A VRM avatar, moved by the bones of the stream. Its loader is fetched when the first avatar is chosen. */

const { THREE } = globalThis;
const MAX_BYTES = 200e6;
const turn = new THREE.Quaternion(), place = new THREE.Vector3();

export class Avatar {
  group = new THREE.Group();
  #vrm = null;
  #nodes = [];
  #schema = null;
  #mirrored = false; // a VRM 0 looks along -z
  #updatedAt = 0;

  /** The avatar as three-vrm has it, or null. */
  get vrm() {
    return this.#vrm;
  }

  get loaded() {
    return this.#vrm !== null;
  }

  /** Shows the avatar of a file. Throws an Error with a sentence for the reader. */
  async load(file) {
    if (file.size > MAX_BYTES) throw new Error(`${file.name} is larger than 200 MB.`);
    const { GLTFLoader, VRMLoaderPlugin, VRMUtils } = await import("../vendor/three-vrm.min.js");
    const loader = new GLTFLoader();
    loader.register((parser) => {
      parser.textureLoader = new THREE.TextureLoader(parser.options.manager); // as images: fetching blobs is not allowed here
      return new VRMLoaderPlugin(parser);
    });
    let vrm;
    try {
      vrm = (await loader.parseAsync(await file.arrayBuffer(), "")).userData.vrm;
    } catch (error) {
      throw new Error(`${file.name} cannot be read as a VRM file.`, { cause: error });
    }
    if (!vrm?.humanoid) throw new Error(`${file.name} is not a VRM file: it has no humanoid.`);
    this.remove();
    VRMUtils.removeUnnecessaryVertices(vrm.scene);
    VRMUtils.rotateVRM0(vrm);
    vrm.scene.traverse((part) => (part.frustumCulled = false));
    this.#mirrored = vrm.meta.metaVersion === "0";
    this.#vrm = vrm;
    this.group.add(vrm.scene);
    this.#bind();
  }

  /** Removes the avatar and frees its memory. */
  remove() {
    if (!this.#vrm) return;
    this.group.clear();
    this.#vrm.scene.traverse((part) => {
      part.geometry?.dispose();
      part.skeleton?.dispose();
      for (const material of [part.material ?? []].flat()) {
        for (const value of Object.values(material)) if (value?.isTexture) value.dispose();
        material.dispose();
      }
    });
    this.#vrm = null;
  }

  build(schema) {
    this.#schema = schema;
    this.#bind();
  }

  /** Takes the pose of a frame. */
  update({ root, rotations }, now) {
    if (!this.#vrm || !this.#nodes.length) return;
    const flip = this.#mirrored ? -1 : 1; // turned by half a turn about y
    for (let bone = 0; bone < rotations.length; bone++) {
      const node = this.#nodes[bone];
      if (!node) continue;
      turn.fromArray(rotations[bone]);
      node.quaternion.set(flip * turn.x, turn.y, flip * turn.z, turn.w);
    }
    place.fromArray(root).divideScalar(this.#vrm.scene.scale.x);
    this.#nodes[0]?.position.set(flip * place.x, place.y, flip * place.z);
    const delta = Math.min(0.1, (now - this.#updatedAt) / 1000); // springs do not explode after a break
    this.#updatedAt = now;
    this.#vrm.update(delta);
  }

  /** Finds the avatar's nodes of the stream's bones, and scales it to the person. */
  #bind() {
    if (!this.#vrm || !this.#schema) return;
    const { humanoid, scene } = this.#vrm;
    this.#nodes = this.#schema.bones.map((bone) => humanoid.getNormalizedBoneNode(bone[0].toLowerCase() + bone.slice(1)));
    const hips = humanoid.normalizedRestPose.hips?.position?.[1], person = this.#schema.rest[0][1];
    scene.scale.setScalar(hips > 0 && person > 0 ? person / hips : 1);
  }
}
