// The page: what is chosen, the wall, the keys.

import { ANY, read, write } from "./address.js";
import { Controls } from "./controls.js";
import { Faces, needless, refusal, turned } from "./faces.js";
import { Finder } from "./finding.js";
import { MOVES, listen } from "./keys.js";
import { ASKED_FROM, ManyBar, Selection, ask, doing, heading } from "./many.js";
import { failed, say } from "./saying.js";
import { label, tileOf } from "./tile.js";
import { byRules, counted, number, verdictOf } from "./words.js";
import { View } from "./view.js";
import { Wall } from "./wall.js";

const $ = (id) => document.getElementById(id);
const faces = new Faces(document.body.dataset.seal);
const selection = new Selection();

const choice = read(location.hash);
let order = [];          // the faces as they stand on the wall
let places = new Map();  // face -> its place there
let current = 0;
let loading = "loading the faces…";

// the wall

function tile(index) {
  const face = order[index];
  const made = tileOf(face, choice.sort, {
    pressed: (event) => pressed(event, index),
    enlarge: () => { go(index, false); view.open(face); },
  });
  made.querySelector(".face").tabIndex = index === current ? 0 : -1;
  label(made, face, selection.has(face));
  return made;
}

const doesToGroups = {
  open: (some, verdict) => faces.open(some, verdict),
  decide: (some, verdict) => decideMany(some, verdict),
  decideEach: (verdicts, said) => store(verdicts, said),
  visit: (face) => enlargeOf(face),
};
const wall = new Wall($("wall"), $("tiles"), tile, (group) => heading(group, doesToGroups));

/** Make a place the current one. */
function go(index, scrolls = true) {
  if (!order.length) return;
  stand(Math.max(0, Math.min(order.length - 1, index)));
  if (scrolls) wall.reveal(current);
  wall.shown.get(current)?.querySelector(".face").focus({ preventScroll: true });
  if (view.isOpen) view.show(order[current]);
}

function stand(index) {
  current = index;
  wall.eachTile((item, at) => { item.querySelector(".face").tabIndex = at === index ? 0 : -1; });
}

wall.onFocus((index) => { if (view.isAway) stand(index); });  // keys act on what has the focus

/** Choose and sort anew. `top`: from the first face on, not from the current one; `step`: the
 *  browser's way back undoes it. */
function choose(changes = {}, { top = false, step = false } = {}) {
  Object.assign(choice, changes);
  write(choice, step);
  selection.clear();
  const stay = order[current];
  const chosen = faces.chosen(choice);
  lay(chosen.faces);
  current = top ? 0 : places.get(stay) ?? 0;
  $("wall").scrollTop = 0;
  wall.show(order.length ? chosen.groups : []);
  if (current) wall.reveal(current);
  tell();
  // One who goes through a list of orders by keys is not taken from it.
  if (!document.activeElement.matches("input, select:focus-visible, button:not(.face):focus-visible")) go(current, false);
}

function lay(chosen) {
  const alone = choice.reason || ["rejected", "uncut"].includes(choice.show);
  $("tiles").classList.toggle("mixed", !alone);
  order = chosen;
  places = new Map(order.map((face, index) => [face, index]));
}

/** More faces have come: below the others in the plain order; any other waits for the last. */
function grow(from, complete) {
  if (choice.sort === "id" && !choice.back && !choice.group) {
    lay(order.concat(faces.chosen(choice, from).faces));
    wall.show([{ count: order.length }]);
    tell();
  } else if (complete) choose();
  else tell();
}

/** Counts and controls as they are now. */
function tell() {
  controls.fill(choice, faces);
  many.fill(order, selection, (some, verdict) => faces.open(some, verdict), loading);
  document.querySelector("main .empty").hidden = order.length > 0 || loading !== null;
}

// deciding

/** Show and store what was decided: a Map from faces to verdicts. */
function store(verdicts, said) {
  stored(faces.decide(verdicts), [...verdicts.keys()]);
  say(`${said}. U takes it back.`);
}

function stored(promise, changed) {
  document.body.classList.add("storing");
  if (changed) redraw(changed);
  return promise.catch(failed).then((result) => {
    document.body.classList.toggle("storing", faces.storing > 0);
    redraw(changed ?? result ?? []);
    return result;
  });
}

/** Show how some faces stand now. */
function redraw(changed) {
  if (changed.length > 1) wall.renew();
  else {
    for (const face of changed) if (places.has(face)) wall.refresh(places.get(face));
    wall.renewHeadings();
  }
  if (view.isOpen) view.fill();
  tell();
}

function decide(face, verdict) {
  const why = refusal(face, verdict) ?? needless(face, verdict);
  if (why) return say(why);
  return store(new Map([[face, verdict]]),
    `face ${face.id}: ${verdict ?? `back to the rules, ${byRules(face)}`}`);
}

async function decideMany(some, verdict, asks = false) {
  const open = faces.open(some, verdict);
  if (!open.length) return say("that changes nothing");
  const what = doing(verdict, counted(open.length));
  if ((asks || open.length > ASKED_FROM)
    && !await ask($("ask"), `${what}? One undo takes all of it back.`, what)) return undefined;
  return store(new Map(open.map((face) => [face, verdict])),
    `${counted(open.length)}: ${verdict ?? "back to the rules"}`);
}

async function undo() {
  if (!faces.steps && !faces.storing) return say("nothing to undo");
  const taken = await stored(faces.undo());
  if (!taken) return undefined;
  if (!taken.length) return say("nothing to undo");
  const place = places.get(taken[0]);
  if (place !== undefined && !selection.size) go(place);
  return say(taken.length > 1 ? `${counted(taken.length)}: as before`
    : `face ${taken[0].id}: ${verdictOf(taken[0])}, as before`);
}

/** Decide on the selection, or on the current face unless it is out of sight. */
function decideHere(verdict, goesOn) {
  const face = order[current];
  if (!face) return undefined;
  if (selection.size && !view.isOpen) return decideMany([...selection.faces], verdict);
  if (!view.isOpen && !wall.sees(current)) {
    go(current);
    return say("this is the current face: press again");
  }
  decide(face, verdict);
  if (goesOn) go(current + 1);
  return undefined;
}

/** Go to a face, whatever is shown. */
function visit(face) {
  if (!places.has(face)) {
    choose({ show: "all", reason: "", ...ANY }, { step: true });
    say("shown among all faces; the browser's way back leads to where you were");
  }
  go(places.get(face));
}

const enlargeOf = (face) => { visit(face); view.open(face); };

// selecting

function pressed(event, index) {
  if (event.shiftKey) select(index);
  else if (event.ctrlKey || event.metaKey) {
    selection.turn(order[index]);
    go(index, false);
    mark();
  } else if (selection.size) {
    unselect();
    go(index, false);
  } else {
    go(index, false);
    decide(order[index], turned(order[index]));
  }
}

function select(index) {
  const to = Math.max(0, Math.min(order.length - 1, index));
  selection.reach(order, current, to);
  go(to);
  mark();
}

/** Show which faces are selected. */
function mark() {
  wall.eachTile((item, at) => label(item, order[at], selection.has(order[at])));
  tell();
}

function unselect() {
  if (!selection.size) return;
  selection.clear();
  mark();
}

function selectAll() {
  if (!order.length || loading) return;
  selection.clear();
  selection.reach(order, 0, order.length - 1);
  mark();
}

const many = new ManyBar(document.querySelector(".act"), { decide: decideMany, clear: unselect });

/** A button of the large view; pressed again, it takes its decision back. */
const pressing = (verdict) => () => {
  const face = order[current];
  decide(face, face.review === verdict ? null : verdict);
};
const view = new View($("view"), {
  keep: pressing("kept"),
  reject: pressing("rejected"),
  rules: () => decideHere(null),
  undo,
  previous: () => go(current - 1),
  next: () => go(current + 1),
  faces,
  visit,
  failed,
});
$("view").addEventListener("close", () => go(current));

// keys and controls

const KEYS = {
  k: (event) => decideHere("kept", event.shiftKey),
  r: (event) => decideHere("rejected", event.shiftKey),
  b: (event) => decideHere(null, event.shiftKey),
  u: undo,
  f: () => $("find").querySelector("input").focus(),
  "?": () => $("help").showModal(),
  " ": () => enlarge(),
  Enter: () => enlarge(),
  Escape: unselect,
};

function move(key, reaches) {
  if (!order.length) return;
  const place = MOVES[key](current, wall, order.length);
  if (reaches && !view.isOpen) select(place);
  else {
    if (!view.isOpen) unselect();
    go(place);
  }
}

function enlarge() {
  if (view.isOpen) $("view").close();
  else if (order[current]) view.open(order[current]);
}

listen({ keys: KEYS, move, selectAll, isLarge: () => view.isOpen, isAsked: () => $("help").open || $("ask").open });
const controls = new Controls({ choose, undo, help: () => $("help").showModal() });
const finder = new Finder($("find"), faces, {
  enlarge: enlargeOf,
  choose: (hash) => choose(read(hash)),
  settle: () => write(choice),
});
window.addEventListener("beforeunload", (event) => {
  if (faces.storing) event.preventDefault();  // the browser asks first
});

let known = 0;
faces.load((total) => {
  const complete = faces.all.length >= total;
  loading = complete ? null : `${number(faces.all.length)} of ${number(total)} faces have come…`;
  grow(known, complete);
  known = faces.all.length;
  $("wall").setAttribute("aria-busy", !complete);
  if (complete && document.activeElement === document.body) go(current, false);
  if (complete) finder.loaded();
}).catch(failed);
