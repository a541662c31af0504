// What a key does, and where it does nothing.

const ONCE = "krbu ";  // a key that is held down decides once

/** Where a key leads: the place on the wall from the current one, of so many. */
export const MOVES = {
  ArrowLeft: (at) => at - 1,
  ArrowRight: (at) => at + 1,
  ArrowUp: (at, wall) => wall.vertical(at, -1),
  ArrowDown: (at, wall) => wall.vertical(at, 1),
  PageUp: (at, wall) => at - wall.page * wall.columns,
  PageDown: (at, wall) => at + wall.page * wall.columns,
  Home: () => 0,
  End: (at, wall, count) => count - 1,
};

/** @param does `keys`: a table of what they do; move(key, reaches), selectAll();
 *  isLarge(): one face is shown, large; isAsked(): another dialog is open. */
export function listen(does) {
  document.addEventListener("keydown", (event) => {
    if (event.altKey || does.isAsked()) return;
    const at = event.target;
    if (at.closest("input")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) {
      if (key === "a" && !does.isLarge()) {
        event.preventDefault();
        does.selectAll();
      }
      return;
    }
    const presses = key === " " || key === "Enter";
    if (at.closest("select, a") || (presses && at.closest("button:not(.face)"))) return;
    if (key === "Escape" && does.isLarge()) return;  // it closes by itself
    if (Object.hasOwn(MOVES, key)) {
      event.preventDefault();
      does.move(key, event.shiftKey);
    } else if (Object.hasOwn(does.keys, key)) {
      event.preventDefault();
      if (!(event.repeat && ONCE.includes(key))) does.keys[key](event);
    }
  });
  document.addEventListener("keyup", (event) => {  // a button is clicked when the space bar comes up
    if (event.key === " " && event.target.closest(".face")) event.preventDefault();
  });
}
