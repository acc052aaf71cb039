/** The people in view: their colours, and the list of them. */

const COLOURS = 6;
const ON_IMAGES = ["#2fd6c6", "#7db2ff", "#ff8fd0", "#d2ef6c", "#c3a6ff", "#ff9d7d"]; // in both themes

/** Returns the name of the colour of a person in the style sheet. */
export function nameOf(person) {
  return person % COLOURS ? `person-${(person % COLOURS) + 1}` : "teal";
}

/** Returns the colour of a person on images. */
export function onImages(person) {
  return ON_IMAGES[person % COLOURS];
}

/** Returns the poses of all people in a frame; of one person that of the frame itself. */
export function peopleIn(frame) {
  return frame.people ?? [{ person: frame.person ?? 0, ...frame }];
}

/** The list below the figures of the rig: who is tracked, in which colour, and how tall. */
export class PeopleList {
  #list = document.getElementById("people");
  #shown = "";

  /** Takes the people of a frame and of its schema; hidden where one person is tracked. */
  show(people, described) {
    const facts = (people ?? []).map(({ person, tracking }) => {
      const { height_m, height_assumed } = described?.find((one) => one.person === person) ?? {};
      const height = height_m ? `${height_m.toFixed(2)} m${height_assumed ? " assumed" : ""}` : "";
      return { person, text: `Person ${person + 1}`, height: tracking ? height : "lost", lost: !tracking };
    });
    const shown = JSON.stringify(facts);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#list.hidden = !people;
    this.#list.replaceChildren(...facts.map(item));
  }
}

function item({ person, text, height, lost }) {
  const element = document.createElement("li"), detail = document.createElement("span");
  element.style.setProperty("--colour", `var(--${nameOf(person)})`);
  element.classList.toggle("lost", lost);
  detail.textContent = height;
  element.append(`${text} `, detail);
  return element;
}
