// The faces, what is known of each, and the decisions: shown at once, stored one after another.

import { MEASURES, byRules, words } from "./words.js";

export class Trouble extends Error {}

async function answer(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Trouble("facegan review does not answer: it was ended in its terminal");
  }
  if (response.ok) return response.json();
  const text = await response.text();
  let told = null;
  try { told = JSON.parse(text); } catch { /* a sentence */ }
  throw new Trouble(told?.error ?? (text.slice(0, 200) || `the answer was ${response.status}`));
}

const assign = (face, columns, row) => {
  columns.forEach((name, place) => { face[name] = row[place]; });
  return face;
};

const TAKEN_OUT = ["opted_out", "forgotten"];
/** Of crops that are of another size than the others, while their pictures cannot be cut anew. */
const SET_ASIDE = ["unreadable", "out_of_memory", "decoder_crashed", "decode_timeout"];

/** Why that cannot be decided of a face, in words; null where it can be. */
export function refusal(face, verdict) {
  if (TAKEN_OUT.includes(face.reason)) return `the picture of face ${face.id} was taken out`;
  if (face.status === "pending") return `face ${face.id} is not judged yet: facegan crop was stopped`;
  if (verdict !== "kept") return null;
  if (!face.sha256) return "this face was not cut, so it cannot be kept";
  return SET_ASIDE.includes(face.auto_reason) ? `this face cannot be kept: ${face.auto_detail}` : null;
}

/** Why that would change nothing, in words; null where it would. */
export function needless(face, verdict) {
  if (face.review !== verdict) return null;
  return verdict ? `face ${face.id} is ${verdict} by hand already: B leaves it to the rules`
    : `face ${face.id} is left to the rules already`;
}

/** The decision that turns a face over; null where that is what the rules say: they say it. */
export function turned(face) {
  const other = face.status === "kept" ? "rejected" : "kept";
  return other === byRules(face) ? null : other;
}

export class Faces {
  constructor(seal) {
    Object.assign(this, { seal, all: [], steps: 0, last: Promise.resolve(), storing: 0 });
    this.byId = new Map();
    this.states = new Map();  // of faces that were decided on: as the catalog has them
  }

  /** Ask for all faces, a part at a time; `onPart(total)` after each. */
  async load(onPart) {
    for (let total = Infinity; this.all.length < total;) {
      const limit = this.all.length ? 2000 : 300;  // the first ones are seen soon
      const part = await answer(`api/faces?offset=${this.all.length}&limit=${limit}`);
      if (!this.all.length) this.steps = part.steps;
      for (const row of part.rows) {
        const face = assign({}, part.columns, row);
        this.all.push(face);
        this.byId.set(face.id, face);
      }
      total = part.rows.length ? part.total : this.all.length;
      onPart(total);
    }
  }

  /** The picture that a face was found in: its file, its size, where it came from. */
  image(face) {
    return answer(`api/image/${face.image_sha256}`);
  }

  /** Those of the faces of which a decision would say something else than now. `verdict`: kept,
   *  rejected or null, which leaves them to the rules. */
  open(faces, verdict) {
    return faces.filter((face) => face.review !== verdict && !refusal(face, verdict));
  }

  /** Decide: a Map from faces to verdicts, all in one step of `undo`. The promise fails with what
   *  the server said; the faces are then as they were stored last. */
  decide(verdicts) {
    const body = { kept: [], rejected: [], rules: [] };
    for (const [face, verdict] of verdicts) {
      const state = this.states.get(face) ?? { known: { ...face }, waiting: 0 };
      this.states.set(face, state);
      state.waiting += 1;
      body[verdict ?? "rules"].push(face.id);
      const now = verdict ?? byRules(face);
      Object.assign(face, {
        review: verdict, status: now, detail: verdict ? null : face.auto_detail,
        reason: now === "kept" ? null : verdict ? "reviewed" : face.auto_reason,
      });
    }
    this.steps += 1;
    return this.#next(async () => {
      try {
        this.#take(await this.#post("api/review", body));
      } catch (error) {
        this.steps -= 1;
        throw error;
      } finally {
        for (const face of verdicts.keys()) this.#settle(face, -1);
      }
    });
  }

  /** Take the last step of this sitting back, whichever page made it; a promise of its faces. */
  undo() {
    return this.#next(async () => {
      const told = await this.#post("api/undo", {});
      const faces = this.#take(told);
      for (const face of faces) this.#settle(face, 0);
      return faces;
    });
  }

  /** One request after another, in the order of the decisions. */
  #next(request) {
    this.storing += 1;
    const stored = this.last.then(request).finally(() => { this.storing -= 1; });
    this.last = stored.catch(() => {});
    return stored;
  }

  #post(path, wish) {
    const headers = { "Content-Type": "application/json", "X-Facegan-Seal": this.seal };
    return answer(path, { method: "POST", headers, body: JSON.stringify(wish) });
  }

  /** What the server told of faces: it counts once nothing else is decided of them. */
  #take({ columns, rows, steps }) {
    if (this.storing === 1) this.steps = steps;  // else more is on its way
    const id = columns.indexOf("id");
    return rows.map((row) => this.byId.get(row[id])).filter((face, place) => {
      if (!face) return false;
      const state = this.states.get(face) ?? { known: { ...face }, waiting: 0 };
      this.states.set(face, state);
      assign(state.known, columns, rows[place]);
      return true;
    });
  }

  #settle(face, waiting) {
    const state = this.states.get(face);
    state.waiting += waiting;
    if (!state.waiting) Object.assign(face, state.known);
  }

  counts() {
    const counts = { all: this.all.length, kept: 0, rejected: 0, uncut: 0, pending: 0, hand: 0 };
    for (const face of this.all) {
      counts[face.sha256 ? face.status : "uncut"] += 1;
      if (face.review) counts.hand += 1;
    }
    return counts;
  }

  /** The faces that show the same picture as this one, itself among them, whatever is shown. */
  alike({ cluster }) {
    return cluster ? this.all.filter((face) => face.cluster === cluster) : [];
  }

  /** The face that a duplicate is a copy of; null for one that is none. */
  original(face) {
    const { cluster } = face;
    if (!cluster || face.auto_reason !== "duplicate") return null;
    return bestOf(this.alike(face), cluster, face);
  }

  /** How many faces there are of each reason, the commonest first. */
  reasons() {
    const found = new Map();
    for (const face of this.all)
      if (face.reason) found.set(face.reason, (found.get(face.reason) ?? 0) + 1);
    return [...found].sort((one, other) => other[1] - one[1]);
  }

  /** The faces to show, of those from the place `from` on, in their order, and their groups. */
  chosen({ show, reason, sort, least, most, back, group }, from = 0) {
    const inside = within(sort, least, most);
    const faces = this.#among(show, reason, from).filter(inside);
    if (MEASURES[sort]) {
      const { doubtful, value } = MEASURES[sort];
      const sign = back ? doubtful : -doubtful;
      faces.sort((one, other) => {
        const a = one[sort], b = other[sort];
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * (value(a) - value(b));
      });
    } else if (back) faces.reverse();
    if (!group) return { faces, groups: [{ count: faces.length }] };
    return group === "cluster" ? this.#clustered(faces) : grouped(faces, "reason");
  }

  /** The faces of a tab and a reason, in the order in which they were found. */
  #among(show, reason, from = 0) {
    const shows = {
      all: () => true,
      hand: (face) => face.review,
      uncut: (face) => !face.sha256,
    }[show] ?? ((face) => face.sha256 && face.status === show);
    return this.all.slice(from).filter((face) => shows(face) && (!reason || face.reason === reason));
  }

  /** The least and the greatest value of the measure among the faces to show, whatever range is
   *  chosen; null where there is none. */
  span({ show, reason, sort }) {
    let least = Infinity, most = -Infinity;
    for (const face of this.#among(show, reason)) if (face[sort] !== null) {
      const value = MEASURES[sort].value(face[sort]);
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    return least <= most ? { least, most } : null;
  }

  /** Groups of duplicates; each knows its whole cluster, whatever is shown of it. */
  #clustered(faces) {
    const whole = new Map();
    for (const face of this.all) if (face.cluster) {
      if (!whole.has(face.cluster)) whole.set(face.cluster, []);
      whole.get(face.cluster).push(face);
    }
    for (const [name, members] of whole)  // copies that other rules have rejected are no group
      if (!members.some((face) => face.auto_reason === "duplicate")) whole.delete(name);
    const found = grouped(faces, "cluster", whole);
    for (const one of found.groups) if (one.key) {
      one.cluster = whole.get(one.key);
      one.best = bestOf(one.cluster, one.key);
    }
    return found;
  }
}

/** Whether a face's value lies between two, in the unit that is typed; null is no bound. */
function within(sort, least, most) {
  if (least === null && most === null) return () => true;
  const { value } = MEASURES[sort];
  return (face) => face[sort] !== null
    && value(face[sort]) >= (least ?? -Infinity) && value(face[sort]) <= (most ?? Infinity);
}

/** The face of a cluster that it is named after: the best one, by the rules. */
function bestOf(cluster, name, but = null) {
  const named = cluster.filter((face) => face.sha256 === name && face !== but);
  return named.find((face) => face.auto_reason !== "duplicate") ?? named[0] ?? null;
}

/** The largest group first; those that belong to none of the known ones come last. */
function grouped(faces, by, known = null) {
  const found = new Map();
  for (const face of faces) {
    const key = known && !known.has(face[by]) ? "" : face[by] ?? "";
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(face);
  }
  const none = by === "cluster" ? "without duplicates" : "no reason against them";
  const parts = [...found].sort((one, other) =>
    (one[0] === "") - (other[0] === "") || other[1].length - one[1].length);
  return {
    faces: parts.flatMap(([, members]) => members),
    groups: parts.map(([key, members]) => ({
      key, members, count: members.length,
      title: key === "" ? none : by === "cluster" ? "" : words(key),
    })),
  };
}
