// The page: what is chosen, the wall, the keys.

import { Faces, MEASURES, shown, words } from "./faces.js";
import { View, verdictOf } from "./view.js";
import { Wall } from "./wall.js";

const $ = (id) => document.getElementById(id);
const faces = new Faces(document.body.dataset.token);
const TABS = { kept: "Kept", rejected: "Rejected", uncut: "Not cut", hand: "By hand", all: "All" };

const choice = { show: "kept", reason: "", sort: "id", descending: false, group: "" };
let order = [];          // the faces as they stand on the wall
let places = new Map();  // face -> its place there
let current = 0;

// saying

let quiet = 0;
function say(text) {
  $("status").textContent = text;
  clearTimeout(quiet);
  quiet = setTimeout(() => { $("status").textContent = ""; }, 4000);
}

function failed(error) {
  $("trouble").querySelector("p").textContent = error.message;
  $("trouble").hidden = false;
}

// the wall

function captionOf(face) {
  const value = shown(face, MEASURES[choice.sort] ? choice.sort : "size_px");
  return [face.reason && words(face.reason), value].filter(Boolean).join(" · ");
}

function element(tag, className, parent) {
  const made = document.createElement(tag);
  made.className = className;
  parent?.append(made);
  return made;
}

function tile(index) {
  const face = order[index];
  const item = element("li", `tile ${face.status} ${face.review ? "by-hand" : ""}`);
  const button = element("button", "face", item);
  button.type = "button";
  button.tabIndex = index === current ? 0 : -1;
  const turn = face.status === "kept" ? "reject" : "keep";
  button.setAttribute("aria-label", `Face ${face.id}, ${verdictOf(face)}. Press to ${turn}.`);
  if (face.sha256) {
    const image = element("img", "", button);
    Object.assign(image, { src: `/thumb/${face.sha256}.jpg`, alt: "", decoding: "async", draggable: false });
    image.addEventListener("error", () => {
      image.remove();
      element("span", "none", button).textContent = "the file is gone";
    });
  } else element("span", "none", button).textContent = "not cut";
  element("span", "mark", button).setAttribute("aria-hidden", "true");
  button.addEventListener("click", () => { go(index, false); turnOver(face); });
  const enlarge = element("button", "enlarge", item);
  Object.assign(enlarge, { type: "button", tabIndex: -1, textContent: "⤢" });
  enlarge.setAttribute("aria-label", `Face ${face.id}, large`);
  enlarge.addEventListener("click", () => { go(index, false); view.open(face); });
  element("p", "caption", item).textContent = captionOf(face);
  return item;
}

const wall = new Wall($("wall"), $("tiles"), tile);

/** Make a place the current one. */
function go(index, scrolls = true) {
  if (!order.length) return;
  const before = current;
  current = Math.max(0, Math.min(order.length - 1, index));
  if (scrolls) wall.reveal(current);
  for (const place of [before, current]) {
    const button = wall.shown.get(place)?.querySelector(".face");
    if (button) button.tabIndex = place === current ? 0 : -1;
  }
  wall.shown.get(current)?.querySelector(".face").focus({ preventScroll: true });
  if (view.isOpen) view.show(order[current]);
}

/** Choose and sort anew. */
function choose(changes = {}) {
  Object.assign(choice, changes);
  const stay = order[current];
  const chosen = faces.chosen(choice);
  lay(chosen.faces);
  current = places.get(stay) ?? 0;
  $("wall").scrollTop = 0;
  wall.show(order.length ? chosen.groups : []);
  if (current) wall.reveal(current);
  tell();
}

function lay(chosen) {
  const alone = choice.reason || choice.show === "rejected";
  $("tiles").classList.toggle("mixed", !alone);
  order = chosen;
  places = new Map(order.map((face, index) => [face, index]));
}

/** More faces have come: below the others in the plain order; any other waits for the last. */
function grow(from, complete) {
  if (choice.sort === "id" && !choice.descending && !choice.group) {
    lay(order.concat(faces.chosen(choice, from).faces));
    wall.show([{ count: order.length }]);
    tell();
  } else if (complete) choose();
}

/** Counts and controls as they are now. */
function tell() {
  const counts = faces.counts();
  for (const button of document.querySelectorAll(".tabs button")) {
    button.setAttribute("aria-pressed", button.value === choice.show);
    button.hidden = button.value === "uncut" && !counts.uncut && choice.show !== "uncut";
    button.querySelector("b").textContent = counts[button.value].toLocaleString("en");
  }
  const options = [new Option("any", ""), ...faces.reasons().map(([name, count]) =>
    new Option(`${words(name)} (${count.toLocaleString("en")})`, name))];
  if (choice.reason && !options.some((one) => one.value === choice.reason))
    options.push(new Option(words(choice.reason), choice.reason));
  $("reason").replaceChildren(...options);
  $("reason").value = choice.reason;
  $("group").value = choice.group;
  $("direction").setAttribute("aria-pressed", choice.descending);
  $("undo").disabled = !faces.done.length;
  const empty = document.querySelector("main .empty");
  empty.hidden = order.length > 0;
  empty.textContent = faces.all.length ? "No faces here. Choose another tab or reason." : "";
}

// deciding

function redraw(face) {
  if (places.has(face)) wall.refresh(places.get(face));
  if (view.isOpen && view.face === face) view.fill();
  tell();
}

function store(face, promise) {
  document.body.classList.add("storing");
  redraw(face);
  promise.catch(failed).then(() => {
    document.body.classList.toggle("storing", faces.storing > 0);
    redraw(face);
  });
}

function decide(face, verdict) {
  if (verdict === "kept" && !face.sha256) return say("this face was not cut, so it cannot be kept");
  if (face.review === verdict) return say(`face ${face.id} is ${verdict} by hand already`);
  store(face, faces.decide(face, verdict));
  return say(`face ${face.id}: ${verdict}. U takes it back.`);
}

function turnOver(face) {
  decide(face, face.status === "kept" ? "rejected" : "kept");
}

function undo() {
  const taken = faces.undo();
  if (!taken) return say("nothing to undo");
  store(taken.face, taken.stored);
  const place = places.get(taken.face);
  if (place !== undefined) go(place);
  return say(`face ${taken.face.id}: ${verdictOf(taken.face)}, as before`);
}

/** Decide on the current face, unless it is out of sight. */
function decideHere(verdict, goesOn) {
  const face = order[current];
  if (!face) return;
  if (!view.isOpen && !wall.sees(current)) {
    go(current);
    say("this is the current face: press again");
    return;
  }
  decide(face, verdict);
  if (goesOn) go(current + 1);
}

const view = new View($("view"), {
  keep: () => decideHere("kept"),
  reject: () => decideHere("rejected"),
  previous: () => go(current - 1),
  next: () => go(current + 1),
  alike: (face) => faces.alike(face),
  origin: (face) => faces.origin(face),
  failed,
});
$("view").addEventListener("close", () => go(current));

// keys and controls

const KEYS = {
  ArrowLeft: () => go(current - 1),
  ArrowRight: () => go(current + 1),
  ArrowUp: () => go(wall.vertical(current, -1)),
  ArrowDown: () => go(wall.vertical(current, 1)),
  PageUp: () => go(current - wall.page * wall.columns),
  PageDown: () => go(current + wall.page * wall.columns),
  Home: () => go(0),
  End: () => go(order.length - 1),
  k: (event) => decideHere("kept", event.shiftKey),
  r: (event) => decideHere("rejected", event.shiftKey),
  u: undo,
  "?": () => $("help").showModal(),
  " ": () => enlarge(),
  Enter: () => enlarge(),
};

function enlarge() {
  if (view.isOpen) $("view").close();
  else if (order[current]) view.open(order[current]);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  const at = event.target;
  const presses = event.key === " " || event.key === "Enter";
  if (at.closest("select, a") || (presses && at.closest("button:not(.face)"))) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!Object.hasOwn(KEYS, key)) return;
  event.preventDefault();
  if (!(event.repeat && "kru ".includes(key))) KEYS[key](event);
});
document.addEventListener("keyup", (event) => {  // a button is clicked when the space bar comes up
  if (event.key === " " && event.target.closest(".face")) event.preventDefault();
});

for (const [value, label] of Object.entries(TABS)) {
  const button = element("button", "", document.querySelector(".tabs"));
  Object.assign(button, { type: "button", value });
  button.append(`${label} `);
  element("b", "", button);
  button.addEventListener("click", () => choose({ show: value, reason: "" }));
}
$("sort").append(new Option("as found", "id"));
for (const [name, { label }] of Object.entries(MEASURES)) $("sort").append(new Option(label, name));
$("sort").addEventListener("change", (event) => choose({ sort: event.target.value }));
$("direction").addEventListener("click", () => choose({ descending: !choice.descending }));
$("reason").addEventListener("change", (event) => {
  const reason = event.target.value;
  choose(reason && choice.show === "kept" ? { reason, show: "all" } : { reason });
});
$("group").addEventListener("change", (event) => {
  const group = event.target.value;  // of duplicates one at most is kept
  choose(group === "cluster" && choice.show === "kept" ? { group, show: "all" } : { group });
});
$("undo").addEventListener("click", undo);
$("help-button").addEventListener("click", () => $("help").showModal());
$("trouble").querySelector("button").addEventListener("click", () => { $("trouble").hidden = true; });
$("panel-button").addEventListener("click", () => {
  const open = $("panel").classList.toggle("open");
  $("panel-button").setAttribute("aria-expanded", open);
});

window.addEventListener("beforeunload", (event) => {
  if (faces.storing) event.preventDefault();  // the browser asks first
});

let known = 0;
faces.load((total) => {
  const complete = faces.all.length >= total;
  grow(known, complete);
  known = faces.all.length;
  if (!complete) say(`${known.toLocaleString("en")} of ${total.toLocaleString("en")} faces`);
  $("wall").setAttribute("aria-busy", !complete);
  if (complete && document.activeElement === document.body) go(current, false);
}).catch(failed);
