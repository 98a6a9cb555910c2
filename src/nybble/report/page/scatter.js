// Truth against prediction, one model at a time, on the same axes for all of them.

const WORDS = { g: "green", o: "orange", r: "red" };
const REACH = 26;

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
    ring.setAttribute("cx", drawn.points[row][0]);
    ring.setAttribute("cy", drawn.points[row][1]);
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
  const guesses = models.flatMap((model) => model.values);
  const low = Math.max(Math.min(...guesses, least), least - span / 2);
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
  const unread = new Set(model.unread);
  const points = [];
  let outside = 0;
  data.truth.forEach((truth, i) => {
    const value = model.values[i];
    const shown = Math.min(high, Math.max(low, value));
    const x = at.toX(Math.max(low, truth));
    const y = at.toY(shown);
    points.push([x, y]);
    const colour = model.colours ? WORDS[model.colours[i]] : "plain";
    const edge = shown !== value;
    outside += edge;
    at.plot.append(shape("circle", {
      class: `point ${colour}${edge || unread.has(i) ? " hollow" : ""}`,
      cx: x.toFixed(1), cy: y.toFixed(1), r: 3,
    }));
  });
  const end = at.toY(high);
  svg.append(shape("text", {
    class: "note", x: at.toX(high) - 30, y: end + 14, "text-anchor": "end",
  }, "prediction = truth"));
  return { points, outside };
}

function nearestPoint(points, x, y) {
  let best = null;
  let least = REACH ** 2;
  points.forEach(([px, py], i) => {
    const distance = (px - x) ** 2 + (py - y) ** 2;
    if (distance < least) {
      least = distance;
      best = i;
    }
  });
  return best;
}

function describeRow(card, data, model, i) {
  const value = model.values[i];
  const facts = [
    ["truth", plain(data.truth[i])],
    [model.name, plain(value)],
    ["off by", plain(Math.abs(value - data.truth[i]))],
  ];
  if (model.colours) facts.push(["judged", WORDS[model.colours[i]]]);
  if (model.unread.includes(i)) facts.push(["answer", "held no number; the constant's guess counts"]);
  card.replaceChildren(
    node("h3", {}, `Row ${data.rows[i]}`),
    node("p", { class: "row-text" }, data.texts[i]),
    node("dl", {}, ...facts.flatMap(([key, text]) => [node("dt", {}, key), node("dd", {}, text)])));
  return [`Row ${data.rows[i]}`, ...facts.map((pair) => pair.join(" ")), data.texts[i]].join(", ");
}
