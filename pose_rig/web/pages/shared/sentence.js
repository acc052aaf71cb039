/** Returns a note of the rig, "walk around: …", as a sentence. */
export function sentence(note) {
  const text = (note ?? "").trim();
  return text && text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}
