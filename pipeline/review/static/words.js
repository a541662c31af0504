// What things are called, and in what order faces stand.

const NAMES = { reviewed: "rejected by hand" };

/** A reason as people say it. */
export const words = (reason) => NAMES[reason] ?? reason.replaceAll("_", " ");

export const number = (value) => value.toLocaleString("en");
export const counted = (count) => `${number(count)} ${count === 1 ? "face" : "faces"}`;

const percent = (value) => `${Math.round(100 * value)} %`;
const degrees = (value) => `${Math.round(value)}°`.replace("-", "−");
const short = (value) => String(Number(value.toPrecision(3)));
const scaled = (value) => (value === 1 ? "1×" : `${value < 1 ? "shrunk to" : "enlarged"} ${short(value)}×`);

/** What faces are sorted by: what it is called, how it is shown, how doubtful a value is (the
 *  greatest comes first), and what that way and the other one are called. */
export const MEASURES = {
  score: {
    label: "detector score", text: (value) => value.toFixed(2),
    doubt: (value) => -value, ways: ["lowest first", "highest first"],
  },
  size_px: {
    label: "face size", text: (value) => `${Math.round(value)} px`,
    doubt: (value) => -value, ways: ["smallest first", "largest first"],
  },
  sharpness: {
    label: "sharpness", text: short,
    doubt: (value) => -value, ways: ["blurred first", "sharp first"],
  },
  exposure: {
    label: "brightness", text: (value) => value.toFixed(2),
    doubt: (value) => -value, ways: ["dark first", "bright first"],
  },
  yaw: { label: "turned", text: degrees, doubt: Math.abs, ways: ["most first", "least first"] },
  roll: { label: "tilted", text: degrees, doubt: Math.abs, ways: ["most first", "least first"] },
  padding: {
    label: "beyond the border", text: percent,
    doubt: (value) => value, ways: ["most first", "least first"],
  },
  upscale: {
    label: "scale", text: scaled,
    doubt: (value) => value, ways: ["enlarged first", "shrunk first"],
  },
};
export const AS_FOUND = { label: "as found", ways: ["oldest first", "newest first"] };

/** A face's value as it is shown; null where it has none. */
export const shown = (face, name) => (face[name] === null ? null : MEASURES[name].text(face[name]));

/** What the rules say of a face. */
export const byRules = (face) => (face.auto_reason || !face.sha256 ? "rejected" : "kept");

/** What became of a face, and by whom. */
export function verdictOf(face) {
  if (face.review && face.review === face.status) return `${face.status} by hand`;
  if (!face.sha256) return face.reason ? `not cut: ${words(face.reason)}` : "not cut";
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
