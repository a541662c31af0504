// A sentence for a while, at the foot of the page; and what went wrong, at its head, until it is read.

const $ = (id) => document.getElementById(id);
const SHOWN_MS = 4000;

let quiet = 0;
export function say(text) {
  $("status").textContent = text;
  clearTimeout(quiet);
  quiet = setTimeout(() => { $("status").textContent = ""; }, SHOWN_MS);
}

export function failed(error) {
  $("trouble").querySelector("p").textContent = error.message;
  $("trouble").hidden = false;
}

$("trouble").querySelector("button").addEventListener("click", () => { $("trouble").hidden = true; });
