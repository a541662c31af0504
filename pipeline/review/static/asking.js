// Pictures that the server has to decode: so few at a time that decisions never wait behind them.

const AT_ONCE = 2;  // as many as the server decodes; of a browser's six connections to it

const waiting = [];
let asked = 0;

function next() {
  while (asked < AT_ONCE && waiting.length) {
    const { image, src } = waiting.shift();
    if (!image.isConnected) continue;  // it has left the page before its turn
    asked += 1;
    const done = () => { asked -= 1; next(); };
    image.addEventListener("load", done, { once: true });
    image.addEventListener("error", done, { once: true });
    image.src = src;
  }
}

/** Show a picture in its turn, in an element that comes into the page now; `first`: the next one. */
export function ask(image, src, first = false) {
  waiting[first ? "unshift" : "push"]({ image, src });
  queueMicrotask(next);
}
