// The head of the page: which faces are shown, in what order, and how many there are of each.

import { ANY, TABS } from "./address.js";
import { AS_FOUND, MEASURES, button, element, number, rounded, words } from "./words.js";

const $ = (id) => document.getElementById(id);

const bound = (text) => (text === "" ? null : Number(text));

export class Controls {
  /** @param does choose(changes, how), undo() and help(). */
  constructor({ choose, undo, help }) {
    this.choice = null;
    for (const [value, name] of Object.entries(TABS)) {
      const tab = button(`${name} `, "", document.querySelector(".tabs"), () => choose({ show: value, reason: "" }));
      tab.value = value;
      element("b", "", tab);
    }
    $("sort").append(new Option(AS_FOUND.label, "id"));
    for (const [name, { label }] of Object.entries(MEASURES)) $("sort").append(new Option(label, name));
    const chosen = (id, act) => $(id).addEventListener("input", (event) => act(event.target.value));
    chosen("sort", (sort) => choose({ sort, back: false, ...ANY }, { top: true }));
    for (const name of Object.keys(ANY)) chosen(name, (value) =>
      choose({ [name]: bound(value) }, { top: true }));
    $("any").addEventListener("click", () => {
      choose(ANY, { top: true });
      $("least").focus();
    });
    chosen("reason", (reason) =>
      choose(reason && this.choice.show === "kept" ? { reason, show: "all" } : { reason }));
    chosen("group", (group) =>  // of duplicates one at most is kept
      choose(group === "cluster" && this.choice.show === "kept" ? { group, show: "all" } : { group }, { top: true }));
    $("direction").addEventListener("click", () => choose({ back: !this.choice.back }, { top: true }));
    $("undo").addEventListener("click", undo);
    $("help-button").addEventListener("click", help);
    $("panel-button").addEventListener("click", () => {
      const open = $("panel").classList.toggle("open");
      $("panel-button").setAttribute("aria-expanded", open);
    });
  }

  /** Show what is chosen of the faces. */
  fill(choice, faces) {
    this.choice = choice;
    const counts = faces.counts();
    for (const tab of document.querySelectorAll(".tabs button")) {
      tab.setAttribute("aria-pressed", tab.value === choice.show);
      tab.hidden = ["uncut", "pending"].includes(tab.value) && !counts[tab.value] && choice.show !== tab.value;
      tab.querySelector("b").textContent = number(counts[tab.value]);
    }
    const options = [new Option("any", ""), ...faces.reasons().map(([name, count]) =>
      new Option(`${words(name)} (${number(count)})`, name))];
    if (choice.reason && !options.some((one) => one.value === choice.reason))
      options.push(new Option(words(choice.reason), choice.reason));
    $("reason").replaceChildren(...options);
    for (const name of ["reason", "group", "sort"]) $(name).value = choice[name];
    this.#range(choice, faces);
    $("unjudged").hidden = choice.show !== "pending";
    const { ways } = MEASURES[choice.sort] ?? AS_FOUND;
    const [way, other] = choice.back ? [ways[1], ways[0]] : ways;
    $("direction").textContent = way;
    $("direction").title = `Order: ${way}. Press for ${other}.`;
    $("direction").setAttribute("aria-label", $("direction").title);
    $("undo").disabled = !faces.steps;
  }

  /** Which values of the measure are shown. */
  #range(choice, faces) {
    const measure = MEASURES[choice.sort];
    const names = Object.keys(ANY), limits = names.some((name) => choice[name] !== null);
    $("range").hidden = !measure;
    $("any").disabled = !limits;
    $("panel-button").textContent = choice.reason || limits ? "Filter (on)" : "Filter";
    if (!measure) return;
    $("range").setAttribute("aria-label", `${measure.label}, which values`);
    $("unit").textContent = measure.unit;
    const span = faces.span(choice);
    $("least").placeholder = span ? rounded(span.least, Math.floor) : "";
    $("most").placeholder = span ? rounded(span.most, Math.ceil) : "";
    for (const name of names)  // what is being typed stays as it is
      if (bound($(name).value) !== choice[name]) $(name).value = choice[name] ?? "";
  }
}
