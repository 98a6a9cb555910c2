// Lines over a common x, with bands where there are intervals.

// `series`: [{name, colour, x, y, low, high, faint, dots}], y null where there is no number.
// `axes`: {x: title, y: title, log, range}; `range(series)` gives [low, high] of y.
function lineChart(host, label, height, getSeries, axes) {
  const readout = node("p", { class: "readout" });
  let cross = null;
  let drawn = null;
  const xs = () => drawn.longest.x;
  const { svg, redraw } = surface(host, height, label, (target, width, tall) => {
    const series = getSeries();
    const longest = series.reduce((a, b) => (b.x.length > a.x.length ? b : a));
    const [low, high] = (axes.range ?? wholeRange)(series);
    const x = { low: longest.x[0], high: longest.x.at(-1), title: axes.x };
    const at = plane(target, width, tall, x, { low, high, log: axes.log, title: axes.y });
    for (const one of series) if (one.low) at.plot.append(band(one, at));
    for (const one of series) at.plot.append(...line(one, at));
    cross = shape("line", { class: "cross", y1: at.box.top, y2: at.box.bottom, x1: -9, x2: -9 });
    target.append(cross);
    drawn = { series, longest, ...at };
  });
  const nearest = (px) => nearestPlace(xs().map((x) => drawn.toX(x)), px);
  const show = (place) => {
    const x = xs()[place];
    cross.setAttribute("x1", drawn.toX(x));
    cross.setAttribute("x2", drawn.toX(x));
    const parts = drawn.series.filter((one) => !one.faint).map((one) => valueAt(one, x));
    const text = [`${axes.x} ${plain(x)}`, ...parts.filter(Boolean)].join(" · ");
    readout.textContent = text;
    return text;
  };
  redraw();
  explore(svg, () => xs().length, nearest, show);
  const hint = axes.hint ?? "Point at the chart, or use the arrow keys, to read values.";
  readout.textContent = hint;
  host.after(readout);
  return () => {
    redraw();
    readout.textContent = hint;
  };
}

function valueAt(one, x) {
  const place = nearestPlace(one.x, x);
  if (one.dots && one.x[place] !== x) return null;
  if (one.y[place] === null) return null;
  const value = one.exact ? one.y[place].toPrecision(3) : rounded(one.y[place]);
  const between = one.low ? ` [${rounded(one.low[place])}, ${rounded(one.high[place])}]` : "";
  return `${one.name} ${value}${between}`;
}

// The place of the value nearest to `wanted` among ascending ones.
function nearestPlace(values, wanted) {
  let low = 0;
  let high = values.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted) low = middle;
    else high = middle;
  }
  return Math.abs(values[low] - wanted) <= Math.abs(values[high] - wanted) ? low : high;
}

function wholeRange(series) {
  const all = series.flatMap((one) => one.y).filter((value) => value !== null);
  const low = Math.min(...all);
  const high = Math.max(...all);
  const room = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  return [low > 0 ? Math.max(low - room, low * 0.9) : low - room, high + room];
}

function line(one, { toX, toY }) {
  let path = "";
  let pen = "M";
  one.x.forEach((x, i) => {
    if (one.y[i] === null) {
      pen = "M";
      return;
    }
    path += `${pen}${toX(x).toFixed(1)} ${toY(one.y[i]).toFixed(1)}`;
    pen = "L";
  });
  const faint = one.faint ? " faint" : "";
  const out = [shape("path", { class: `line ${one.colour}${faint}`, d: path })];
  if (one.dots) {
    one.x.forEach((x, i) => {
      out.push(shape("circle", { class: `dot ${one.colour}`, cx: toX(x), cy: toY(one.y[i]), r: 4 }));
    });
  }
  return out;
}

function band(one, { toX, toY }) {
  const point = (x, value) => `${toX(x).toFixed(1)} ${toY(value).toFixed(1)}`;
  const upper = one.x.map((x, i) => point(x, one.high[i]));
  const lower = one.x.map((x, i) => point(x, one.low[i])).reverse();
  return shape("path", { class: `band ${one.colour}`, d: `M${[...upper, ...lower].join("L")}Z` });
}
