// What things are called, and in what order faces stand.

const NAMES = { reviewed: "rejected by hand" };
const BRIEF = { reviewed: "by hand" };

/** A reason as people say it. */
export const words = (reason) => NAMES[reason] ?? reason.replaceAll("_", " ");

export const number = (value) => value.toLocaleString("en");
export const counted = (count) => `${number(count)} ${count === 1 ? "face" : "faces"}`;

const plain = (value) => value;
const hundredfold = (value) => Number((100 * value).toFixed(2));
const percent = (value) => `${Math.round(100 * value)} %`;
const degrees = (value) => `${Math.round(value)}°`.replace("-", "−");
const short = (value) => String(Number(value.toPrecision(3)));
const times = (value) => `${short(value)}×`;
const scaled = (value) => (value === 1 ? "1×" : `${value < 1 ? "shrunk to" : "enlarged"} ${times(value)}`);

/** What faces are sorted and chosen by: what it is called, how it is shown (`brief`: below a small
 *  picture), what counts of a value and in what unit, whether the greatest one (1) or the least
 *  (-1) is the most doubtful, which comes first, and what that way and the other one are called. */
export const MEASURES = {
  score: {
    label: "detector score", text: (value) => value.toFixed(2), value: plain, unit: "",
    doubtful: -1, ways: ["lowest first", "highest first"],
  },
  size_px: {
    label: "face size", text: (value) => `${Math.round(value)} px`, value: plain, unit: "px",
    doubtful: -1, ways: ["smallest first", "largest first"],
  },
  sharpness: {
    label: "sharpness", text: short, value: plain, unit: "",
    doubtful: -1, ways: ["blurred first", "sharp first"],
  },
  exposure: {
    label: "brightness", text: (value) => value.toFixed(2), value: plain, unit: "",
    doubtful: -1, ways: ["dark first", "bright first"],
  },
  yaw: {
    label: "turned", text: degrees, value: Math.abs, unit: "° either way",
    doubtful: 1, ways: ["most first", "least first"],
  },
  roll: {
    label: "tilted", text: degrees, value: Math.abs, unit: "° either way",
    doubtful: 1, ways: ["most first", "least first"],
  },
  padding: {
    label: "beyond the border", text: percent, value: hundredfold, unit: "%",
    doubtful: 1, ways: ["most first", "least first"],
  },
  upscale: {
    label: "scale", text: scaled, brief: times, value: plain, unit: "×",
    doubtful: 1, ways: ["enlarged first", "shrunk first"],
  },
};
export const AS_FOUND = { label: "as found", ways: ["oldest first", "newest first"] };

/** A bound in three digits that leaves nothing within it out; `way`: Math.floor or Math.ceil. */
export function rounded(value, way) {
  const digits = value ? Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))) : 0;
  return String(Number((way(Number((value * 10 ** digits).toPrecision(12))) / 10 ** digits).toFixed(digits)));
}

/** A face's value as it is shown; null where it has none. */
export const shown = (face, name) => (face[name] === null ? null : MEASURES[name].text(face[name]));

/** What stands below a small picture, which itself shows a rejected face as such. */
export function captionOf(face, sort) {
  const { brief } = MEASURES[sort] ?? {};
  const value = brief && face[sort] !== null ? brief(face[sort]) : MEASURES[sort] && shown(face, sort);
  const reason = face.reason && (BRIEF[face.reason] ?? words(face.reason));
  return [reason, value ?? shown(face, "size_px")].filter(Boolean).join(" · ");
}

/** What the rules say of a face. */
export const byRules = (face) => (face.status === "pending" ? "not judged yet"
  : face.auto_reason || !face.sha256 ? "rejected" : "kept");

/** What became of a face, and by whom. */
export function verdictOf(face) {
  if (face.review && face.review === face.status) return `${face.status} by hand`;
  if (!face.sha256) return face.reason ? `not cut: ${words(face.reason)}` : "not cut";
  if (face.status === "pending") return byRules(face);
  return `${face.status} by the rules${face.reason ? `: ${words(face.reason)}` : ""}`;
}

export function element(tag, className, parent, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  parent?.append(made);
  return made;
}

export function button(text, className, parent, onClick) {
  const made = element("button", className, parent, text);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}
