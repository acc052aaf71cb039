const NO_PERSON = "no person detected"; // the one note of the rig that is not a fault

/** Returns whether the note of a camera is about something that is wrong. */
export function isFault(note) {
  return Boolean(note) && note !== NO_PERSON;
}
