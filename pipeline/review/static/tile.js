// One face on the wall.

import { ask } from "./asking.js";
import { refusal } from "./faces.js";
import { button, captionOf, element, verdictOf } from "./words.js";

/** A picture in a tile, or words where there is none. */
function pictured(face, parent, caption) {
  const missing = face.sha256 ? "the file is gone" : `not cut: ${caption}`;
  if (!face.sha256 && !face.box) return element("span", "none", parent, missing);
  const image = element("img", "", parent);
  Object.assign(image, { alt: "", decoding: "async", draggable: false });
  image.addEventListener("error", () => {
    image.remove();
    element("span", "none", parent, missing);
  });
  if (face.sha256) image.src = `thumb/${face.sha256}.jpg`;
  else ask(image, `part/${face.image_sha256}.jpg?box=${face.box}`);
  return image;
}

/** @param does functions pressed(event) and enlarge(). */
export function tileOf(face, sort, does) {
  const item = element("li", `tile ${face.status}`);
  item.classList.toggle("by-hand", Boolean(face.review));
  item.classList.toggle("uncut", !face.sha256);
  const caption = captionOf(face, sort);
  const made = button("", "face", item, does.pressed);
  pictured(face, made, caption);
  element("span", "mark", made).setAttribute("aria-hidden", "true");
  const enlarge = button("⤢", "enlarge", item, does.enlarge);
  enlarge.tabIndex = -1;
  enlarge.setAttribute("aria-label", `Face ${face.id}, large`);
  element("p", "caption", item, caption).title = caption;
  return item;
}

export function label(item, face, selected) {
  item.classList.toggle("selected", selected);
  const said = `Face ${face.id}, ${verdictOf(face)}${selected ? ", selected" : ""}.`;
  const turn = face.status === "kept" ? "reject" : "keep";
  const can = !refusal(face, turn === "keep" ? "kept" : "rejected");
  item.querySelector(".face").setAttribute("aria-label", can ? `${said} Press to ${turn}.` : said);
}
