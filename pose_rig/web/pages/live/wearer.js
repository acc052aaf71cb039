/** Who drives the avatar: the first person in view, or the one who was chosen, while in view. */

export class Wearer {
  #select = document.getElementById("wearer");
  #chosen = null;
  #listed = "";

  /** The number of the person; null while there is nobody. */
  person = null;

  /** @param {() => void} changed Another person was chosen. */
  constructor(changed) {
    this.#select.addEventListener("change", () => {
      this.#chosen = this.person = Number(this.#select.value);
      changed();
    });
  }

  /** Takes the numbers of the people in view, and whether there is an avatar. */
  show(people, loaded) {
    this.person = people.includes(this.#chosen) ? this.#chosen : (people[0] ?? null);
    const listed = people.join();
    if (listed !== this.#listed) {
      this.#listed = listed;
      this.#select.replaceChildren(...people.map((person) => new Option(`Person ${person + 1}`, person)));
    }
    if (this.person !== null && this.#select.value !== String(this.person)) this.#select.value = this.person;
    this.#select.hidden = !loaded || people.length < 2;
  }
}
