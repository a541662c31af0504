// One face, large, with the picture that it was found in and all that is known of it.

import { ask } from "./asking.js";
import { refusal } from "./faces.js";
import { MEASURES, byRules, button, element, shown, verdictOf, words } from "./words.js";

const WHOLE = 1024;  // longest side of a picture, as the server reduces it

/** An address that a browser can follow, or null. */
function parsed(address) {
  try {
    const url = new URL(address);
    return ["http:", "https:"].includes(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

/** A link, or the text alone where the address is none. */
function link(text, address) {
  const url = parsed(address);
  if (!url) return text;
  const anchor = element("a", "", null, text);
  Object.assign(anchor, { href: url.href, rel: "noopener noreferrer", target: "_blank" });
  return anchor;
}

const hostOf = (address) => address && link(parsed(address)?.hostname ?? address, address);

/** Pairs of a name and a text or a link. */
function facts(face, alike, original, image) {
  const detail = original ? ` of face ${original.id}` : face.auto_detail ? ` (${face.auto_detail})` : "";
  const why = face.auto_reason && words(face.auto_reason) + detail;
  const rules = [face.sha256 ? byRules(face) : "not cut", why].filter(Boolean).join(": ");
  const pairs = [["by the rules", rules]];
  for (const [name, { label }] of Object.entries(MEASURES)) pairs.push([label, shown(face, name)]);
  pairs.push(["duplicates", alike ? `one of ${alike} alike` : null], ["split", face.split]);
  if (!image) return pairs;
  pairs.push(
    ["title", image.title],
    ["creator", image.creator],
    ["licence", image.license && link(image.license, image.license_url)],
    ["source", image.source && `${image.source}, “${image.query}”`],
    ["page", hostOf(image.page_url)],
    ["address", hostOf(image.url)],
    ["picture", image.width ? `${image.width} × ${image.height} px` : null],
    ["came from", image.own_file],
    ["file", image.path],
  );
  return pairs;
}

/** A picture with words below it; the words alone where it cannot be shown. */
function figure(kind, src, alt, caption) {
  const made = element("figure", kind);
  const frame = element("div", "frame", made);
  const image = element("img", "", frame);
  image.alt = alt;
  image.addEventListener("error", () => frame.replaceChildren("the file is gone, or cannot be shown here"));
  if (kind === "source") ask(image, src, true); else image.src = src;
  element("figcaption", "", made, caption);
  return made;
}

export class View {
  /** @param does functions keep, reject, rules, undo, previous, next, visit(face), failed(error),
   *  and `faces`. */
  constructor(dialog, does) {
    Object.assign(this, { dialog, does, face: null, isAway: true });
    dialog.addEventListener("close", () => { this.isAway = true; });  // the focus is back by then
    dialog.addEventListener("click", (event) => {
      const name = event.target.closest("[data-does]")?.dataset.does;
      if (name === "close" || event.target === dialog) dialog.close();
      else if (name) {
        does[name]();
        if (event.detail) dialog.focus();  // a pointer's click: keys go on as they were
      }
    });
  }

  get isOpen() {
    return this.dialog.open;
  }

  open(face) {
    this.show(face);
    if (this.isOpen) return;
    this.isAway = false;
    this.dialog.showModal();
    this.dialog.focus();  // no button, so that a key does what it does on the wall
  }

  show(face) {
    if (face !== this.face) {
      Object.assign(this, { face, image: null });
      this.pictures();
      this.does.faces.image(face).then((image) => {
        if (this.face !== face) return;
        this.image = image;
        if (image.width) this.source();
        this.fill();
      }, this.does.failed);
    }
    this.fill();
  }

  /** In new elements: old ones would show the face before until these have come. */
  pictures() {
    const { face } = this;
    const { sha256, id } = face;
    const box = this.dialog.querySelector(".pictures");
    box.replaceChildren();
    if (sha256) box.append(figure("crop", `crop/${sha256}.png`, `Face ${id}`, `face ${id}`));
    const original = this.does.faces.original(face);
    if (original) {
      const words = `copy of face ${original.id}, ${verdictOf(original)}`;
      const made = button("", "copied", box, () => this.does.visit(original));
      made.append(figure("crop", `crop/${original.sha256}.png`, `Face ${original.id}`, words));
    }
    box.classList.toggle("three", Boolean(original));
    box.classList.toggle("alone", !sha256);
  }

  /** The whole picture, the face's box drawn in it. */
  source() {
    const { face, image } = this;
    const made = figure("source", `picture/${face.image_sha256}.jpg`, "The picture that it was found in",
      face.sha256 ? "found here" : `found here, not cut: ${words(face.reason ?? "")}`);
    const scale = Math.min(1, WHOLE / Math.max(image.width, image.height));
    const picture = made.querySelector("img");
    picture.width = Math.round(image.width * scale);  // its place is kept until it has come
    picture.height = Math.round(image.height * scale);
    if (face.box) {
      const [left, top, right, bottom] = face.box;
      const { style } = element("div", "box", picture.parentElement);
      style.left = `${100 * left / image.width}%`;
      style.top = `${100 * top / image.height}%`;
      style.width = `${100 * (right - left) / image.width}%`;
      style.height = `${100 * (bottom - top) / image.height}%`;
    }
    this.dialog.querySelector(".pictures").append(made);
  }

  fill() {
    const { face, does } = this;
    const verdict = this.dialog.querySelector(".verdict");
    verdict.textContent = verdictOf(face);
    verdict.classList.toggle("rejected", face.status === "rejected");
    element("small", "", verdict, `face ${face.id}`);
    for (const [name, pressed] of [["keep", "kept"], ["reject", "rejected"]]) {
      const one = this.dialog.querySelector(`[data-does=${name}]`);
      one.setAttribute("aria-pressed", face.review === pressed);
      one.disabled = refusal(face, pressed) !== null;
    }
    this.dialog.querySelector("[data-does=rules]").disabled = !face.review;
    this.dialog.querySelector("[data-does=undo]").disabled = !does.faces.steps;
    const alike = does.faces.alike(face).length;
    const parts = facts(face, alike, does.faces.original(face), this.image).filter(([, value]) => value !== null && value !== undefined);
    this.dialog.querySelector("dl").replaceChildren(...parts.flatMap(([name, value]) => {
      const fact = document.createElement("dd");
      fact.append(value);
      return [element("dt", "", null, name), fact];
    }));
  }
}
