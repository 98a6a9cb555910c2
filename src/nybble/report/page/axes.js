// What all charts share: a surface as wide as its column, scales, axes, and a way to move along the
// points by pointer or by keyboard.

const CHAR_WIDTH = 7;
let clips = 0;

// Draws once at once, and again whenever the column gets another width.
function surface(host, height, label, draw) {
  const svg = shape("svg", { class: "chart", tabindex: 0, role: "slider", "aria-label": label });
  host.append(svg);
  let drawnWidth = 0;
  const redraw = () => {
    const width = Math.max(260, Math.round(host.clientWidth || 640));
    const tall = typeof height === "function" ? height(width) : height;
    drawnWidth = width;
    svg.setAttribute("viewBox", `0 0 ${width} ${tall}`);
    svg.replaceChildren();
    draw(svg, width, tall);
  };
  new ResizeObserver(() => {
    if (host.clientWidth && Math.abs(host.clientWidth - drawnWidth) > 1) redraw();
  }).observe(host);
  return { svg, redraw };
}

// From values to pixels.
function scale(low, high, from, to, log) {
  const bend = log ? Math.log10 : (value) => value;
  const start = bend(low);
  const span = bend(high) - start || 1;
  return Object.assign((value) => from + ((bend(value) - start) / span) * (to - from), {
    low, high, log,
    ticks: (wanted) => (log ? logTicks : ticks)(low, high, wanted),
  });
}

// Grid, ticks and titles. `x` and `y`: {low, high, log, title}. Gives scales and a clipped group.
function plane(svg, width, height, x, y) {
  const wantedY = Math.max(3, Math.round(height / 48));
  const yTicks = (y.log ? logTicks : ticks)(y.low, y.high, wantedY);
  const yTexts = yTicks.map((value) => tickText(value, yTicks));
  const left = 14 + CHAR_WIDTH * Math.max(...yTexts.map((text) => text.length), 1);
  const box = { left, right: width - 22, top: 28, bottom: height - 42 };
  const toX = scale(x.low, x.high, box.left, box.right, x.log);
  const toY = scale(y.low, y.high, box.bottom, box.top, y.log);
  const xTicks = toX.ticks(Math.max(2, Math.round((box.right - box.left) / 75)));
  const grid = shape("g", { class: "grid", "aria-hidden": "true" });
  yTicks.forEach((value, i) => {
    grid.append(
      shape("line", { x1: box.left, x2: box.right, y1: toY(value), y2: toY(value) }),
      shape("text", { x: box.left - 8, y: toY(value) + 4, "text-anchor": "end" }, yTexts[i]));
  });
  for (const value of xTicks) {
    grid.append(
      shape("line", { x1: toX(value), x2: toX(value), y1: box.bottom, y2: box.bottom + 5 }),
      shape("text", { x: toX(value), y: box.bottom + 19, "text-anchor": "middle" },
        tickText(value, xTicks)));
  }
  grid.append(
    shape("text", { class: "title", x: box.left, y: 14 }, y.title),
    shape("text", { class: "title", x: box.right, y: height - 5, "text-anchor": "end" }, x.title));
  const clip = `clip-${(clips += 1)}`;
  const plot = shape("g", { "clip-path": `url(#${clip})` });
  svg.append(
    shape("clipPath", { id: clip }, shape("rect", {
      x: box.left - 5, y: box.top - 5,
      width: box.right - box.left + 10, height: box.bottom - box.top + 10,
    })),
    grid, plot);
  return { box, toX, toY, plot };
}

// `nearest(x, y)` gives the place under a pointer, in the drawing's own pixels; `show(place)` marks
// it and gives the words for it. The keyboard moves from place to place in their order.
function explore(svg, places, nearest, show) {
  let at = null;
  const tell = (place, text) => filled(svg, {
    "aria-valuemin": 0, "aria-valuemax": places() - 1, "aria-valuenow": place, "aria-valuetext": text,
  }, []);
  tell(0, "nothing chosen yet");
  const go = (place) => {
    if (place === null || place === undefined) return;
    at = Math.min(places() - 1, Math.max(0, place));
    tell(at, show(at));
  };
  const point = (event) => {
    const frame = svg.getBoundingClientRect();
    const ratio = svg.viewBox.baseVal.width / frame.width;
    go(nearest((event.clientX - frame.left) * ratio, (event.clientY - frame.top) * ratio));
  };
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("keydown", (event) => {
    const page = Math.max(2, Math.round(places() / 20));
    const moves = {
      ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: page, PageDown: -page,
      Home: -Infinity, End: Infinity,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    go((at ?? -1) + moves[event.key]);
  });
  return { again: () => go(at) };
}
