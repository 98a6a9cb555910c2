// Truth against prediction, one model at a time, on the same axes for all of them.

const WORDS = { g: "green", o: "orange", r: "red" };
const REACH = 26;
const MOST_POINTS = 4000;
const POINT_TEXT = 240;

// The columns that the plot needs, of evenly spaced rows; null where the truth is no number.
function scatterData({ thresholds }, rows) {
  if (!rows.truth.length || !rows.truth.every((value) => typeof value === "number")) return null;
  const step = Math.max(1, rows.row.length / MOST_POINTS);
  const places = Array.from({ length: Math.floor(rows.row.length / step) }, (_, i) => Math.floor(i * step));
  const thin = (column) => places.map((place) => column[place]);
  const models = rows.models.flatMap((name, i) => {
    const values = rows.values[i];
    if (!values) return [];
    const colours = rows.colours[i];
    return [{
      name, values: thin(values), colours: colours ? thin(colours) : null,
      unread: values.filter((value) => value === null).length,
    }];
  });
  if (!models.length) return null;
  return { n: rows.n, rows: thin(rows.row), texts: thin(rows.text), truth: thin(rows.truth), models, thresholds };
}

function scatterChart(host, card, data) {
  const spread = scatterSpread(data);
  const state = { model: data.models[0], log: false };
  const order = data.truth.map((_, i) => i).sort((a, b) => data.truth[a] - data.truth[b]);
  let drawn = null;
  let ring = null;
  const label = "Truth against prediction. Arrow keys move from row to row, from the least truth up.";
  const height = (width) => Math.min(560, Math.max(320, width));
  const { svg, redraw } = surface(host, height, label, (target, width, tall) => {
    drawn = drawPoints(target, width, tall, data, state, spread);
    ring = shape("circle", { class: "ring", r: 7, cx: -20, cy: -20 });
    target.append(ring);
  });
  const nearest = (x, y) => {
    const found = nearestPoint(drawn.points, x, y);
    return found === null ? null : order.indexOf(found);
  };
  redraw();
  const explorer = explore(svg, () => order.length, nearest, (place) => {
    const row = order[place];
    const [x, y] = drawn.points[row] ?? [-20, -20];
    ring.setAttribute("cx", x);
    ring.setAttribute("cy", y);
    return describeRow(card, data, state.model, row);
  });
  const change = (values) => {
    Object.assign(state, values);
    redraw();
    explorer.again();
  };
  return { change, outside: () => drawn.outside, canBeLog: spread.canBeLog };
}

// The range of both axes: all true values, and predictions up to half as far again. A single wild
// guess would otherwise press all other points into a corner.
function scatterSpread({ truth, models }) {
  const least = Math.min(...truth);
  const most = Math.max(...truth);
  const span = most - least || Math.abs(most) || 1;
  const guesses = models.flatMap((model) => model.values).filter((value) => value !== null);
  const low = Math.max(guesses.reduce((a, b) => Math.min(a, b), least), least - span / 2);
  const high = Math.min(guesses.reduce((a, b) => Math.max(a, b), most), most + span / 2);
  const positive = guesses.filter((value) => value > 0).reduce((a, b) => Math.min(a, b), least);
  return {
    linear: [least >= 0 ? Math.min(0, low) : low, high],
    log: [Math.max(positive, least / 3) / 1.1, high * 1.1],
    canBeLog: least > 0 && most / least >= 20,
  };
}

function drawPoints(svg, width, height, data, { model, log }, spread) {
  const [low, high] = log ? spread.log : spread.linear;
  const axis = (title) => ({ low, high, log, title: log ? `${title}, log scale` : title });
  const at = plane(svg, width, height, axis("truth"), axis("prediction"));
  at.plot.append(shape("line", {
    class: "diagonal", x1: at.toX(low), y1: at.toY(low), x2: at.toX(high), y2: at.toY(high),
  }));
  const points = [];
  let outside = 0;
  data.truth.forEach((truth, i) => {
    const value = model.values[i];
    if (value === null) {
      points.push(null);
      return;
    }
    const held = Math.min(high, Math.max(low, value));
    const x = at.toX(Math.max(low, truth));
    const y = at.toY(held);
    points.push([x, y]);
    const colour = model.colours ? WORDS[model.colours[i]] : "plain";
    const edge = held !== value;
    outside += edge;
    at.plot.append(shape("path", {
      class: `point ${colour}${edge ? " hollow" : ""}`, d: pointPath(colour, x, y),
    }));
  });
  const end = at.toY(high);
  svg.append(shape("text", {
    class: "note", x: at.toX(high) - 30, y: end + 14, "text-anchor": "end",
  }, "prediction = truth"));
  return { points, outside };
}

// Each colour has a form of its own: a disc, a square, a triangle.
function pointPath(colour, x, y) {
  const at = `M${x.toFixed(1)} ${y.toFixed(1)}`;
  if (colour === "orange") return `${at}m-2.7-2.7h5.4v5.4h-5.4z`;
  if (colour === "red") return `${at}m0-3.6l3.4 6h-6.8z`;
  return `${at}m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0`;
}

function nearestPoint(points, x, y) {
  let best = null;
  let least = REACH ** 2;
  points.forEach((point, i) => {
    const distance = point ? (point[0] - x) ** 2 + (point[1] - y) ** 2 : Infinity;
    if (distance < least) {
      least = distance;
      best = i;
    }
  });
  return best;
}

function describeRow(card, data, model, i) {
  const value = model.values[i];
  const facts = [["truth", plain(data.truth[i])]];
  if (value === null) facts.push([model.name, "no number could be read"]);
  else facts.push([model.name, plain(value)], ["off by", plain(Math.abs(value - data.truth[i]))]);
  if (model.colours && value !== null) facts.push(["judged", WORDS[model.colours[i]]]);
  const text = shortened(data.texts[i], POINT_TEXT);
  card.replaceChildren(
    node("h3", {}, `Row ${data.rows[i]}`),
    node("p", { class: "row-text" }, text),
    node("dl", {}, ...facts.flatMap(([key, said]) => [node("dt", {}, key), node("dd", {}, said)])));
  return [`Row ${data.rows[i]}`, ...facts.map((pair) => pair.join(" ")), text].join(", ");
}

function shortened(text, most) {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
