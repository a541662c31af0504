// One face, large, with all that is known of it.

import { MEASURES, shown, words } from "./faces.js";

/** What became of a face, in words. */
export function verdictOf(face) {
  const said = face.status === "kept" ? "kept" : "rejected";
  if (face.review) return `${said} by hand`;
  return face.reason ? `${said}: ${words(face.reason)}` : said;
}

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
  const anchor = document.createElement("a");
  Object.assign(anchor, { href: url.href, rel: "noopener noreferrer", target: "_blank" });
  anchor.textContent = text;
  return anchor;
}

/** Pairs of a name and a text or a link. */
function facts(face, alike, origin) {
  const rules = face.auto_reason
    ? `reject: ${words(face.auto_reason)}${face.auto_detail ? ` (${face.auto_detail})` : ""}`
    : "keep";
  const pairs = [["rules", rules]];
  for (const [name, { label }] of Object.entries(MEASURES)) pairs.push([label, shown(face, name)]);
  pairs.push(["duplicates", face.cluster ? `one of ${alike}` : null], ["split", face.split]);
  if (!origin) return pairs;
  const page = origin.page_url;
  pairs.push(
    ["title", origin.title],
    ["creator", origin.creator],
    ["licence", origin.license && link(origin.license, origin.license_url)],
    ["source", origin.source && `${origin.source}, “${origin.query}”`],
    ["page", page && link(parsed(page)?.hostname ?? page, page)],
  );
  return pairs;
}

export class View {
  /** @param does functions keep, reject, previous, next; alike(face) => count;
   *  origin(face) => promise; failed(error). */
  constructor(dialog, does) {
    Object.assign(this, { dialog, does, face: null });
    dialog.addEventListener("click", (event) => {
      const name = event.target.closest("[data-does]")?.dataset.does;
      if (name === "close" || event.target === dialog) dialog.close();
      else if (name) does[name]();
    });
  }

  get isOpen() {
    return this.dialog.open;
  }

  open(face) {
    this.show(face);
    if (this.isOpen) return;
    this.dialog.showModal();
    this.dialog.focus();  // no button, so that a key does what it does on the wall
  }

  show(face) {
    if (face !== this.face) {
      this.face = face;
      this.picture();
      this.origin = null;
      this.does.origin(face).then((origin) => {
        if (this.face === face) { this.origin = origin; this.fill(); }
      }, this.does.failed);
    }
    this.fill();
  }

  /** In a new element: the old one would show the face before until this one has come. */
  picture() {
    const { sha256, id } = this.face;
    const image = new Image();
    image.alt = `Face ${id}`;
    image.addEventListener("error", () => image.replaceWith("the file is gone"));
    if (sha256) image.src = `/crop/${sha256}.png`;
    this.dialog.querySelector(".picture").replaceChildren(sha256 ? image : "not cut");
  }

  fill() {
    const { face } = this;
    const verdict = this.dialog.querySelector(".verdict");
    verdict.textContent = verdictOf(face);
    verdict.classList.toggle("rejected", face.status === "rejected");
    const small = document.createElement("small");
    small.textContent = face.sha256 ? `face ${face.id}` : `face ${face.id}, not cut`;
    verdict.append(small);
    this.dialog.querySelector("[data-does=keep]").disabled = !face.sha256;
    const parts = facts(face, this.does.alike(face), this.origin).filter(([, value]) => value !== null && value !== undefined);
    this.dialog.querySelector("dl").replaceChildren(...parts.flatMap(([name, value]) => {
      const term = document.createElement("dt"), fact = document.createElement("dd");
      term.textContent = name;
      fact.append(value);
      return [term, fact];
    }));
  }
}
