// One face on the wall.

import { MEASURES, button, element, shown, verdictOf, words } from "./words.js";

function captionOf(face, sort) {
  const value = (MEASURES[sort] && shown(face, sort)) ?? shown(face, "size_px");
  return [face.reason && words(face.reason), value].filter(Boolean).join(" · ");
}

/** A picture in a tile, or words where there is none. */
function pictured(face, parent, caption) {
  const missing = face.sha256 ? "the file is gone" : `not cut: ${caption}`;
  if (!face.sha256 && !face.box) return element("span", "none", parent, missing);
  const image = element("img", "", parent);
  const src = face.sha256 ? `thumb/${face.sha256}.jpg` : `part/${face.image_sha256}.jpg?box=${face.box}`;
  // What has to be decoded anew waits for the thumbnails.
  Object.assign(image, { alt: "", decoding: "async", draggable: false, fetchPriority: face.sha256 ? "auto" : "low" });
  image.addEventListener("error", () => {
    image.remove();
    element("span", "none", parent, missing);
  });
  image.src = src;
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
  const turn = face.status === "kept" ? "reject" : "keep";
  const said = `Face ${face.id}, ${verdictOf(face)}${selected ? ", selected" : ""}.`;
  item.querySelector(".face").setAttribute("aria-label", `${said} Press to ${turn}.`);
}
