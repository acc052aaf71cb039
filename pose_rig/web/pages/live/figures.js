/** All people in the room: a figure for each person, in the colour of that person. */

import { Figure } from "./figure.js";
import { nameOf } from "./people.js";

const { THREE } = globalThis;

export class Figures {
  group = new THREE.Group();
  #bodies = new Map(); // by person
  #colours = null;
  #schema = null;

  paint(colours) {
    this.#colours = colours;
    for (const [person, body] of this.#bodies) body.paint(colours, colours[nameOf(person)]);
  }

  /** Makes the bodies for the joints of a schema. */
  build(schema) {
    this.#schema = schema;
    for (const body of this.#bodies.values()) body.build(schema);
  }

  /** Moves all figures to a list of poses; figures of people who are not in it are removed. */
  update(people) {
    for (const [person, body] of this.#bodies)
      if (!people.some((one) => one.person === person)) {
        body.dispose();
        this.#bodies.delete(person);
      }
    for (const one of people) this.#body(one.person).update(one);
  }

  /** Shows all figures except that of one person; null: all. */
  showWithout(hidden) {
    for (const [person, body] of this.#bodies) body.group.visible = person !== hidden;
  }

  #body(person) {
    let body = this.#bodies.get(person);
    if (!body) {
      body = new Figure();
      body.paint(this.#colours, this.#colours[nameOf(person)]);
      body.build(this.#schema);
      this.#bodies.set(person, body);
      this.group.add(body.group);
    }
    return body;
  }
}
