// A wall of tiles of which only those near the window are in the page.

const GAP = 10, SIDE = 16, CAPTION = 22, HEADING = 54, HEADING_NARROW = 130;
const TILE = 128, TILE_NARROW = 100, NARROW = 600;

/** Where everything lies: rows of tiles and headings, from the top to the bottom. */
function rowsOf(groups, columns, step, heading) {
  const rows = [];
  let top = GAP, index = 0;
  for (const group of groups) {
    if (group.members) {
      rows.push({ top, height: heading, group });
      top += heading;
    }
    for (let at = 0; at < group.count; at += columns) {
      const count = Math.min(columns, group.count - at);
      rows.push({ top, height: step, first: index, count });
      index += count;
      top += step;
    }
  }
  return { rows, height: top };
}

export class Wall {
  /**
   * @param scroller the element that scrolls.
   * @param list the list inside it.
   * @param make (index) => element of a tile.
   * @param headed (group) => element of its heading, for groups that have `members`.
   */
  constructor(scroller, list, make, headed) {
    Object.assign(this, { scroller, list, make, headed, groups: [], count: 0, rows: [], shown: new Map() });
    let waiting = false;
    const soon = (then) => () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; then(); });
    };
    scroller.addEventListener("scroll", soon(() => this.draw()), { passive: true });
    new ResizeObserver(() => this.place()).observe(scroller);
  }

  /** `act(index)` when a tile gets the focus, whoever gives it: a key, a pointer, a screen reader. */
  onFocus(act) {
    this.list.addEventListener("focusin", (event) => {
      const item = event.target.closest(".tile");
      if (item) act(Number(item.getAttribute("aria-posinset")) - 1);
    });
    this.list.addEventListener("mousedown", (event) => {  // Shift and a click reach from where one is
      if (event.shiftKey) event.preventDefault();
    });
  }

  /** Show other tiles: groups of {count, members}, whose indices run on. */
  show(groups) {
    this.groups = groups;
    this.count = groups.reduce((sum, group) => sum + group.count, 0);
    this.clear();
    this.place();
  }

  clear() {
    for (const element of this.shown.values()) element.remove();
    this.shown.clear();
  }

  /** Lay everything out for the window's width, around the tile that was at the top. */
  place() {
    const width = this.scroller.clientWidth - 2 * SIDE;
    const wish = width < NARROW ? TILE_NARROW : TILE;
    const columns = Math.max(2, Math.floor((width + GAP) / (wish + GAP)));
    const size = Math.min(1.3 * wish, Math.floor((width - GAP * (columns - 1)) / columns));
    const anchor = this.rows.length && columns !== this.columns ? this.firstVisible() : null;
    Object.assign(this, { columns, size, step: size + CAPTION + GAP });
    const heading = width < NARROW ? HEADING_NARROW : HEADING;
    Object.assign(this, rowsOf(this.groups, columns, this.step, heading));
    this.list.style.height = `${this.height + GAP}px`;
    this.clear();
    if (anchor !== null && anchor < this.count) this.reveal(anchor, true);
    this.draw();
  }

  /** The place in `rows` of the last one that begins at or above a height. */
  rowAt(top) {
    let low = 0, high = this.rows.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.rows[middle].top <= top) low = middle; else high = middle - 1;
    }
    return low;
  }

  rowOf(index) {
    let low = 0, high = this.rows.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      let first = middle;
      while (this.rows[first].group) first += 1;
      if (this.rows[first].first <= index) low = middle; else high = middle - 1;
    }
    return this.rows[low].group ? low + 1 : low;
  }

  firstVisible() {
    for (let at = this.rowAt(this.scroller.scrollTop); at < this.rows.length; at += 1)
      if (!this.rows[at].group) return this.rows[at].first;
    return 0;
  }

  /** Bring the page in step with the window. */
  draw() {
    if (!this.rows.length) return this.clear();
    const room = this.scroller.clientHeight;
    const from = this.rowAt(this.scroller.scrollTop - room / 2);
    const to = this.rowAt(this.scroller.scrollTop + 1.5 * room);
    const wanted = new Map();
    for (let at = from; at <= to; at += 1) {
      const row = this.rows[at];
      if (row.group) wanted.set(`heading ${at}`, () => this.heading(row));
      else for (let n = 0; n < row.count; n += 1) wanted.set(row.first + n, () => this.tile(row, n));
    }
    for (const [key, element] of this.shown)
      if (!wanted.has(key)) { element.remove(); this.shown.delete(key); }
    let next = this.list.firstElementChild;  // in their order, for those who hear the page
    for (const [key, build] of wanted) {
      const there = this.shown.get(key);
      if (there) { next = there.nextElementSibling; continue; }
      const element = build();
      this.shown.set(key, element);
      this.list.insertBefore(element, next);
    }
  }

  /** Whether a tile is in the window, at least in part. */
  sees(index) {
    const box = this.shown.get(index)?.getBoundingClientRect();
    const room = this.scroller.getBoundingClientRect();
    return box !== undefined && box.bottom > room.top && box.top < room.bottom;
  }

  tile(row, n) {
    const element = this.make(row.first + n);
    element.style.width = `${this.size}px`;
    element.style.left = `${SIDE + n * (this.size + GAP)}px`;
    element.style.top = `${row.top}px`;
    element.querySelector(".face").style.height = `${this.size}px`;
    element.setAttribute("aria-setsize", this.count);
    element.setAttribute("aria-posinset", row.first + n + 1);
    return element;
  }

  heading(row) {
    const element = this.headed(row.group);
    element.style.top = `${row.top}px`;
    element.style.height = `${row.height}px`;
    return element;
  }

  /** Build all that is shown anew. */
  renew() {
    const focused = [...this.shown].find(([, one]) => one.contains(document.activeElement));
    const place = focused && [...focused[1].querySelectorAll("button")].indexOf(document.activeElement);
    this.clear();
    this.draw();
    if (focused) this.shown.get(focused[0])?.querySelectorAll("button")[place]?.focus({ preventScroll: true });
  }

  renewHeadings() {
    for (const [key, old] of this.shown) if (typeof key === "string") {
      const element = this.heading(this.rows[Number(key.split(" ")[1])]);
      const place = [...old.children].indexOf(document.activeElement);
      old.replaceWith(element);
      this.shown.set(key, element);
      element.children[place]?.focus({ preventScroll: true });
    }
  }

  /** `act(element, index)` for all shown tiles. */
  eachTile(act) {
    for (const [key, element] of this.shown) if (typeof key === "number") act(element, key);
  }

  /** Build a shown tile anew. */
  refresh(index) {
    const old = this.shown.get(index);
    if (!old) return;
    const row = this.rows[this.rowOf(index)];
    const element = this.tile(row, index - row.first);
    const focused = old.contains(document.activeElement);
    old.replaceWith(element);
    this.shown.set(index, element);
    if (focused) element.querySelector(".face").focus({ preventScroll: true });
  }

  /** Scroll as little as needed to see a tile; to the top where `atTop`. */
  reveal(index, atTop = false) {
    const { top } = this.rows[this.rowOf(index)];
    const room = this.scroller.clientHeight, now = this.scroller.scrollTop;
    if (atTop || top - GAP < now) this.scroller.scrollTop = top - GAP;
    else if (top + this.step > now + room) this.scroller.scrollTop = top + this.step - room;
    this.draw();
  }

  /** The tile above (-1) or below (1) another one, in the nearest column. */
  vertical(index, direction) {
    const at = this.rowOf(index);
    const column = index - this.rows[at].first;
    let next = at + direction;
    while (this.rows[next]?.group) next += direction;
    const row = this.rows[next];
    return row ? row.first + Math.min(column, row.count - 1) : index;
  }

  /** Rows that the window shows. */
  get page() {
    return Math.max(1, Math.floor(this.scroller.clientHeight / this.step));
  }
}
