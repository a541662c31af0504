// A face by its number, as this page and the sheets' faces.csv tell it: typed, or in the address.

import { say } from "./saying.js";

/** The number that an address asks for, as in #face=496; null where it asks for none. */
function numberIn(hash) {
  const text = new URLSearchParams(hash.replace(/^#/, "")).get("face") ?? "";
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : null;
}

export class Finder {
  /** @param form where a number is typed.
   *  @param does enlarge(face), choose(hash) and settle(), which writes the address anew. */
  constructor(form, faces, does) {
    Object.assign(this, { faces, does, asked: numberIn(location.hash) });
    const input = form.querySelector("input");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.find(numberIn(`#face=${encodeURIComponent(input.value.trim())}`));
      input.select();
    });
    window.addEventListener("hashchange", () => {
      const asked = numberIn(location.hash);  // gone from the address once others are chosen
      does.choose(location.hash);
      this.find(asked);
    });
  }

  /** All faces have come: the one that the address asked for is shown. */
  loaded() {
    this.find(this.asked);
  }

  /** Show a face large; what asks for none does nothing. */
  find(id) {
    if (id === null) return;
    const face = this.faces.byId.get(id);
    if (face) this.does.enlarge(face); else say(`there is no face ${id}`);
    this.does.settle();
  }
}
