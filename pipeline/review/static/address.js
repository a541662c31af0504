// What is chosen stands in the address, so that a reload or a second tab shows the same.

import { MEASURES } from "./words.js";

export const TABS = { kept: "Kept", rejected: "Rejected", uncut: "Not cut", pending: "Not judged", hand: "By hand", all: "All" };
/** Every value of a measure. */
export const ANY = { least: null, most: null };
const PLAIN = { show: "kept", reason: "", sort: "id", ...ANY, back: false, group: "" };

/** What an address chooses; what makes no sense in it is left out. */
export function read(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const choice = { ...PLAIN, back: given.get("way") === "back" };
  const take = (name, holds) => { if (holds(given.get(name) ?? "")) choice[name] = given.get(name); };
  take("show", (value) => Object.hasOwn(TABS, value));
  take("reason", (value) => /^[a-z0-9_]{1,40}$/.test(value));
  take("sort", (value) => Object.hasOwn(MEASURES, value));
  take("group", (value) => ["cluster", "reason"].includes(value));
  if (choice.sort !== PLAIN.sort) for (const name of Object.keys(ANY)) {
    const text = given.get(name)?.trim();
    if (text && Number.isFinite(Number(text))) choice[name] = Number(text);
  }
  return choice;
}

/** The part of the address behind the page's own; empty for what is shown first of all. */
export function written(choice) {
  const told = new URLSearchParams();
  for (const name of ["show", "reason", "sort", "least", "most", "group"])
    if (choice[name] !== PLAIN[name]) told.set(name, choice[name]);
  if (choice.back) told.set("way", "back");
  return String(told) ? `#${told}` : "";
}

/** Write it; `asStep` so that the browser's way back leads here. */
export function write(choice, asStep = false) {
  const address = location.pathname + written(choice);
  if (asStep) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
}
