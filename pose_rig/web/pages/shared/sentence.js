/** Returns a delay in ms as text. */
export function delay(ms) {
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Returns a note of the rig, "walk around: …", as a sentence. */
export function sentence(note) {
  const text = (note ?? "").trim();
  return text && text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}
