// The faces, what is known of each, and the decisions: shown at once, stored one after another.

export const words = (text) => text.replaceAll("_", " ");

const percent = (value) => `${Math.round(100 * value)} %`;
const degrees = (value) => `${Math.round(value)}°`.replace("-", "−");
const short = (value) => String(Number(value.toPrecision(3)));

/** What faces are sorted by: what it is called, how it is shown, and its place in the order. */
export const MEASURES = {
  score: { label: "detector score", text: (value) => value.toFixed(2) },
  size_px: { label: "face size", text: (value) => `${Math.round(value)} px` },
  sharpness: { label: "sharpness", text: short },
  exposure: { label: "brightness", text: (value) => value.toFixed(2) },
  yaw: { label: "turned", text: degrees, place: Math.abs },
  roll: { label: "tilted", text: degrees, place: Math.abs },
  padding: { label: "beyond the border", text: percent },
  upscale: { label: "enlarged", text: (value) => `${short(value)}×` },
};

/** A face's value as it is shown; null where it has none. */
export const shown = (face, name) => (face[name] === null ? null : MEASURES[name].text(face[name]));

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

export class Faces {
  constructor(token) {
    Object.assign(this, { token, all: [], done: [], last: Promise.resolve(), storing: 0 });
    this.states = new Map();  // of faces that were decided on: as the catalog has them
  }

  /** Ask for all faces, a part at a time; `onPart(total)` after each. */
  async load(onPart) {
    for (let total = Infinity; this.all.length < total;) {
      const limit = this.all.length ? 2000 : 300;  // the first ones are seen soon
      const part = await answer(`/api/faces?offset=${this.all.length}&limit=${limit}`);
      for (const row of part.rows) this.all.push(assign({}, part.columns, row));
      total = part.rows.length ? part.total : this.all.length;
      onPart(total);
    }
  }

  origin(face) {
    return answer(`/api/origin/${face.image_sha256}`);
  }

  /** Keep or reject. The promise fails with what the server said; the face is then as it was
   *  stored last. */
  decide(face, verdict) {
    const action = { face, before: face.review };
    this.done.push(action);
    return this.#store(face, verdict, () => { this.done = this.done.filter((one) => one !== action); });
  }

  /** Take the last decision back: its face and the promise; null where there is none. */
  undo() {
    const action = this.done.pop();
    if (!action) return null;
    const { face, before } = action;
    return { face, stored: this.#store(face, before, () => this.done.push(action)) };
  }

  #store(face, verdict, onFailure) {
    const state = this.states.get(face) ?? { known: { ...face }, waiting: 0 };
    this.states.set(face, state);
    const byRules = face.auto_reason || !face.sha256 ? "rejected" : "kept";
    const now = verdict ?? byRules;
    Object.assign(face, {
      review: verdict, status: now, detail: verdict ? null : face.auto_detail,
      reason: now === "kept" ? null : verdict ? "reviewed" : face.auto_reason,
    });
    const body = JSON.stringify({ id: face.id, verdict });
    const headers = { "Content-Type": "application/json", "X-Facegan-Token": this.token };
    this.storing += 1;
    state.waiting += 1;
    const stored = this.last.then(async () => {
      try {
        const { columns, row } = await answer("/api/review", { method: "POST", headers, body });
        state.known = assign({}, columns, row);
      } catch (error) {
        onFailure();
        throw error;
      } finally {
        this.storing -= 1;
        state.waiting -= 1;
        if (!state.waiting) Object.assign(face, state.known);  // else it was decided on again
      }
    });
    this.last = stored.catch(() => {});
    return stored;
  }

  counts() {
    const counts = { all: this.all.length, kept: 0, rejected: 0, uncut: 0, hand: 0 };
    for (const face of this.all) {
      counts[face.sha256 ? face.status : "uncut"] += 1;
      if (face.review) counts.hand += 1;
    }
    return counts;
  }

  /** How many faces show the same picture as this one. */
  alike({ cluster }) {
    return this.all.reduce((sum, face) => sum + (face.cluster === cluster), 0);
  }

  /** How many faces there are of each reason, the commonest first. */
  reasons() {
    const found = new Map();
    for (const face of this.all)
      if (face.reason) found.set(face.reason, (found.get(face.reason) ?? 0) + 1);
    return [...found].sort((one, other) => other[1] - one[1]);
  }

  /** The faces to show, of those from the place `from` on, in their order, and their groups. */
  chosen({ show, reason, sort, descending, group }, from = 0) {
    const shows = {
      all: () => true,
      hand: (face) => face.review,
      uncut: (face) => !face.sha256,
    }[show] ?? ((face) => face.sha256 && face.status === show);
    const faces = this.all.slice(from).filter((face) =>
      shows(face) && (!reason || face.reason === reason));
    const { place = (value) => value } = MEASURES[sort] ?? {};
    const sign = descending ? -1 : 1;
    if (MEASURES[sort])
      faces.sort((one, other) => {
        const a = one[sort], b = other[sort];
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * (place(a) - place(b));
      });
    else if (descending) faces.reverse();
    return group ? grouped(faces, group) : { faces, groups: [{ count: faces.length }] };
  }
}

/** The largest group first; those that belong to none come last. */
function grouped(faces, by) {
  const found = new Map();
  for (const face of faces) {
    const key = face[by] ?? "";
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(face);
  }
  const none = by === "cluster" ? "without duplicates" : "no reason against them";
  const parts = [...found].sort((one, other) =>
    (one[0] === "") - (other[0] === "") || other[1].length - one[1].length);
  return {
    faces: parts.flatMap(([, members]) => members),
    groups: parts.map(([key, members]) => ({
      count: members.length,
      title: key === "" ? none : by === "cluster" ? `${members.length} alike` : words(key),
      note: by === "cluster" && key !== ""
        ? `${members.filter((face) => face.status === "kept").length} kept`
        : `${members.length} faces`,
    })),
  };
}
