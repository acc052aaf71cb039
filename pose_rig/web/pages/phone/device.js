/** What the rig wants to know of this phone: an id that stays, a name, the battery. */

import { keep, kept } from "../shared/store.js";

let id = kept("phone-id");

/** Returns the id under which the rig recognises this phone. */
export function deviceId() {
  if (!id) {
    id = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    keep("phone-id", id);
  }
  return id;
}

/** Returns the model of this phone, as far as the browser says. */
export async function deviceName() {
  const hints = await navigator.userAgentData?.getHighEntropyValues(["model"]).catch(() => null);
  if (hints?.model) return hints.model;
  const agent = navigator.userAgent;
  const android = /Android [^;)]*; ([^;)]+?)(?: Build|\))/.exec(agent)?.[1];
  if (android && android !== "K") return android;
  return /iPhone|iPad|Android|Macintosh|Windows|Linux/.exec(agent)?.[0] ?? "Phone";
}

/** Returns the battery, or null where the browser does not say. */
export async function battery() {
  const state = await navigator.getBattery?.().catch(() => null);
  return state ?? null;
}
