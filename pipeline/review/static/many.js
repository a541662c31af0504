// Many faces at once: a selection on the wall, a group, all that are shown.

import { button, counted, element, number, verdictOf } from "./words.js";

/** More faces than this are decided on only after a question. */
export const ASKED_FROM = 50;
const DOES = { kept: "Keep", rejected: "Reject" };

/** What a decision does to so many faces, as a heading or a button says it. */
export const doing = (verdict, what) => (verdict ? `${DOES[verdict]} ${what}` : `Leave ${what} to the rules`);

/** Faces that were marked on the wall. */
export class Selection {
  constructor() {
    this.clear();
  }

  get size() { return this.faces.size; }

  has(face) { return this.faces.has(face); }

  clear() {
    this.faces = new Set();
    this.anchor = null;
  }

  /** All from the anchor, where there is one, else from a place, to another place. */
  reach(order, from, to) {
    this.anchor ??= order[from];
    const ends = [Math.max(0, order.indexOf(this.anchor)), to].sort((one, other) => one - other);
    this.faces = new Set(order.slice(ends[0], ends[1] + 1));
  }

  /** One more, or one less. */
  turn(face) {
    if (!this.faces.delete(face)) this.faces.add(face);
    this.anchor = this.size ? face : null;
  }
}

/** Ask before many faces are decided on; a promise of the answer. */
export function ask(dialog, question, verb) {
  dialog.querySelector("p").textContent = question;
  const yes = dialog.querySelector("[value=yes]");
  yes.textContent = verb;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((tell) => {
    dialog.addEventListener("close", () => tell(dialog.returnValue === "yes"), { once: true });
  });
}

/** The bar of what can be done to the selection, or else to all that are shown. */
export class ManyBar {
  /** @param bar its element. @param does (faces, verdict, asks) and clear(). */
  constructor(bar, does) {
    this.bar = bar;
    this.words = bar.querySelector("#shown");
    this.buttons = new Map(["kept", "rejected", null].map((verdict) => {
      const one = button("", verdict ?? "", null, () => does.decide(this.faces, verdict, !this.selected));
      one.value = verdict ?? "rules";
      return [verdict, one];
    }));
    this.clear = button("Clear", "", null, does.clear);
    this.clear.title = "Esc";
    bar.querySelector(".many").append(...this.buttons.values(), this.clear);
  }

  /** @param open (faces, verdict) => those that the decision would change. */
  fill(order, selection, open, loading) {
    this.selected = selection.size > 0;
    this.bar.classList.toggle("selecting", this.selected);
    this.faces = this.selected ? [...selection.faces] : order;
    this.words.textContent = loading ?? `${counted(this.faces.length)} ${this.selected ? "selected" : "shown"}`;
    for (const [verdict, one] of this.buttons) {
      const count = open(this.faces, verdict).length;
      const what = `${this.selected ? "" : "all "}${number(count)}`;
      one.textContent = verdict ? doing(verdict, what) : `To the rules ${number(count)}`;
      one.disabled = !count || Boolean(loading);
      one.hidden = verdict === null && !count;
    }
    this.clear.hidden = !this.selected;
  }
}

/** How many of some faces are kept, in words. */
function tally(faces) {
  const kept = faces.filter((face) => face.status === "kept").length;
  return `${kept} kept, ${faces.length - kept} rejected`;
}

/** A face of a cluster that is not among the shown ones: small, and a way to it. */
function partner(face, does) {
  const made = button("", "partner", null, () => does.visit(face));
  const image = element("img", "", made);
  Object.assign(image, { src: `thumb/${face.sha256}.jpg`, alt: "", draggable: false });
  made.append(`face ${face.id}, ${face.status}`);
  made.title = verdictOf(face);
  return made;
}

/** The heading of a group, with what can be done to all of it.
 *  @param does open(faces, verdict), decide(faces, verdict), decideEach(map, said), visit(face). */
export function heading(group, does) {
  const made = element("li", "group");
  const members = group.cluster ?? group.members;
  element("b", "", made, group.cluster ? `${members.length} alike` : group.title);
  element("span", "note", made, group.cluster ? tally(members) : counted(members.length));
  if (group.cluster) {
    const there = new Set(group.members);
    for (const face of members.filter((one) => !there.has(one) && one.sha256
      && (one === group.best || one.status === "kept")).slice(0, 2)) made.append(partner(face, does));
    const verdicts = keepBest(group, does.open);
    if (verdicts.size)
      button("Keep the best only", "", made, () => does.decideEach(verdicts, `face ${group.best.id} alone is kept`));
  } else act(made, members, "kept", does);
  act(made, members, "rejected", does);
  return made;
}

function act(made, members, verdict, does) {
  const count = does.open(members, verdict).length;
  button(doing(verdict, `all ${number(members.length)}`), verdict, made,
    () => does.decide(members, verdict)).disabled = !count;
}

/** What it takes so that of a cluster the best face alone is kept. */
function keepBest({ cluster, best }, open) {
  const verdicts = new Map();
  if (!best) return verdicts;
  if (best.status !== "kept") for (const face of open([best], "kept")) verdicts.set(face, "kept");
  const others = cluster.filter((face) => face !== best && face.status === "kept");
  for (const face of open(others, "rejected")) verdicts.set(face, "rejected");
  return verdicts;
}
