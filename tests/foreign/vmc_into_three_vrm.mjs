// Plays VMC datagrams to an avatar, as EVMC4U does in Unity, and prints where its bones go.
// Usage: node vmc_into_three_vrm.mjs AVATAR.vrm DATAGRAMS
// DATAGRAMS: each one as its length (uint32, little-endian) and its bytes.
// Prints JSON: the version of the VRM, and for every OK {Unity's name of the bone: [x, y, z]} in the world of three.js.
import fs from "node:fs";
import { fromBuffer } from "osc-min";
import { Quaternion, Vector3 } from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
import { VRMLoaderPlugin } from "@pixiv/three-vrm";

globalThis.self ??= globalThis;

// Unity's names, which are those of VRM 0, to those of VRM 1, which three-vrm uses for both.
const THUMB = { ThumbProximal: "ThumbMetacarpal", ThumbIntermediate: "ThumbProximal" };
const nameOf = (unity) => {
  const name = unity[0].toLowerCase() + unity.slice(1);
  return name.replace(/Thumb(Proximal|Intermediate)$/, (part) => THUMB[part]);
};

// UniVRM mirrors x of a VRM 1 and z of a VRM 0; so does what is said to what it made, back.
const threeOf = {
  0: ([x, y, z, ...q]) => [new Vector3(x, y, -z), new Quaternion(-q[0], -q[1], q[2], q[3])],
  1: ([x, y, z, ...q]) => [new Vector3(-x, y, z), new Quaternion(q[0], -q[1], -q[2], q[3])],
};

function* datagrams(file) {
  const bytes = fs.readFileSync(file);
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    yield bytes.subarray(at + 4, at + 4 + length);
    at += 4 + length;
  }
}

function* messages(packet) {
  if (packet.oscType === "bundle") for (const element of packet.elements) yield* messages(element);
  else yield packet;
}

const bytes = fs.readFileSync(process.argv[2]);
const loader = new GLTFLoader().register((parser) => new VRMLoaderPlugin(parser));
const { vrm } = (await loader.parseAsync(new Uint8Array(bytes).buffer, "")).userData;
const convert = threeOf[vrm.meta.metaVersion];
const seen = [];
const pose = new Map();

const place = (object, numbers) => {
  const [position, rotation] = convert(numbers);
  object.position.copy(position);
  object.quaternion.copy(rotation);
};

const show = () => {
  const places = {};
  for (const [name, numbers] of pose) {
    const bone = name === "root" ? vrm.scene : vrm.humanoid.getRawBoneNode(nameOf(name));
    if (!bone) throw new Error(`the avatar has no ${name}`);
    place(bone, numbers);
  }
  vrm.scene.updateMatrixWorld(true);
  for (const name of pose.keys())
    if (name !== "root") places[name] = vrm.humanoid.getRawBoneNode(nameOf(name)).getWorldPosition(new Vector3()).toArray();
  seen.push(places);
};

for (const datagram of datagrams(process.argv[3]))
  for (const { address, args } of messages(fromBuffer(datagram))) {
    const values = args.map((arg) => arg.value);
    if (address === "/VMC/Ext/Root/Pos" || address === "/VMC/Ext/Bone/Pos") pose.set(values[0], values.slice(1));
    else if (address === "/VMC/Ext/OK") show();
  }
console.log(JSON.stringify({ version: vrm.meta.metaVersion, seen }));
