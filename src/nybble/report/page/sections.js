// The sections of the page; each takes the data and gives nodes, or null.

const BADGES = { better: "▲ Better", worse: "▼ Worse", undecided: "● No difference shown" };

function verdictSection({ verdict, n, reads, notes, trained }) {
  if (!verdict) {
    return [node("p", { class: "lead" }, "This run was trained and not evaluated, so nothing is "
      + "known yet of whether the model got better. ", node("code", {}, "nybble evaluate"),
    " finds out.")];
  }
  const { outcome, text } = verdict;
  const times = reads === 1 ? "once" : `${reads} times`;
  const who = trained ? "This run has read its test rows" : "Its test rows were read";
  return [
    outcome ? node("p", {}, node("strong", { class: `badge ${outcome}` }, BADGES[outcome])) : null,
    node("p", { class: text.length > 400 ? "lead long" : "lead" }, text),
    node("p", { class: "muted" }, `n = ${fixed(n, 0)} test rows. `
      + (reads ? `${who} ${times}: the more often, the less they prove.` : "")),
    notes.length ? node("ul", { class: "muted" }, ...notes.map((note) => node("li", {}, note))) : null,
  ];
}

function scatterSection(data, rows) {
  const scatter = scatterData(data, rows);
  if (!scatter) return null;
  const host = node("div", { class: "host" });
  const card = node("aside", { class: "card" },
    node("p", { class: "muted" }, "Point at a row, or use the arrow keys, to see it here."));
  const note = node("p", { class: "muted" });
  const controls = node("div", { class: "controls" });
  const later = () => {
    const chart = scatterChart(host, card, scatter);
    let model = scatter.models[0];
    const explain = () => { note.textContent = scatterNote(scatter, model, chart.outside()); };
    const options = scatter.models.map((one) => ({ value: one, text: one.name }));
    controls.append(choice("Model", options, model, (chosen) => {
      model = chosen;
      chart.change({ model });
      explain();
    }));
    if (chart.canBeLog) {
      const scales = [{ value: false, text: "linear" }, { value: true, text: "log" }];
      controls.append(choice("Scale", scales, false, (log) => {
        chart.change({ log });
        explain();
      }));
    }
    explain();
  };
  return { nodes: [controls, node("div", { class: "beside" }, host, card), note], later };
}

function scatterNote({ n, rows, thresholds }, model, outside) {
  const parts = [`${model.name}: ${count(n, "row")}`
    + (rows.length < n ? `, ${fixed(rows.length, 0)} of them drawn, evenly spaced.` : ".")];
  if (thresholds) {
    const { green_within: a, green_share: b, orange_within: c, orange_share: d } = thresholds;
    parts.push(`Green discs: off by less than ${plain(a)} or ${percent(b)}% of the truth; `
      + `orange squares: less than ${plain(c)} or ${percent(d)}%; red triangles: more.`);
  }
  if (!thresholds && model.colours) parts.push("Green discs, orange squares, red triangles, by the recipe's bounds.");
  if (model.unread) parts.push(`${count(model.unread, "answer")} held no number and ${model.unread === 1 ? "is" : "are"} not drawn.`);
  if (outside) parts.push(`${count(outside, "prediction")} beyond the axes, hollow at the edge.`);
  return parts.join(" ");
}

function runningSection({ running, models, measure, n }) {
  if (!running || running[0].n.length < 2) return null;
  const colour = new Map(models.map((model) => [model.name, model.colour]));
  const shown = new Set(running.slice(0, 2).map((curve) => curve.name));
  const scaled = (values) => (measure.share ? values.map((value) => (value === null ? null : 100 * value)) : values);
  const curves = running.map(({ name, n: x, value, low, high }) => ({
    name, x, y: scaled(value), low: scaled(low), high: scaled(high), colour: colour.get(name),
  }));
  const series = () => curves.filter((one) => shown.has(one.name) || !shown.size);
  const host = node("div", { class: "host" });
  const later = () => {
    const label = `${measure.title} over the first test rows, with its 95% band.`;
    const title = `${measure.title}${measure.share ? ", %" : ""}`;
    const again = lineChart(host, label, 340, series, { x: "test rows", y: title, range: settledRange });
    const options = curves.map(({ name, colour: own }) => ({ value: name, text: name, colour: own, on: shown.has(name) }));
    host.before(choices("Models", options, (name, on) => {
      shown[on ? "add" : "delete"](name);
      again();
    }));
  };
  const note = `n = ${fixed(n, 0)} rows, in the order of the test data. Bands: 95% at each number of `
    + "rows. A curve that still drifts at the right says that more rows are needed.";
  return { nodes: [host, node("p", { class: "muted" }, note)], later };
}

// The first few rows swing widely: the axis is that of the curves from a twentieth of the rows on.
function settledRange(series) {
  const late = (values, x) => values.filter((value, i) => value !== null && x[i] >= x.at(-1) / 20);
  const high = Math.max(...series.flatMap((one) => late(one.high, one.x)));
  const low = Math.min(...series.flatMap((one) => late(one.low, one.x)));
  return [Math.min(0, low), high * 1.05 || 1];
}

function tokensSection({ tokens }) {
  if (!tokens?.length) return null;
  const legend = node("p", { class: "muted" }, "The first training rows as the model sees them: ",
    node("mark", { class: "token" }, "scored"), " tokens are what it learns to say, ",
    node("span", { class: "token special" }, "special"), " ones are not text, ↵ is a line break.");
  return [legend, ...tokens.map(tokenRow)];
}

function recipeSection({ recipe }) {
  if (!recipe) return null;
  return [node("pre", { tabindex: 0, "aria-label": "The recipe as YAML" }, recipe)];
}

function environmentSection({ environment }) {
  if (!environment?.length) return null;
  const pairs = environment.flatMap(([key, value]) => [node("dt", {}, key), node("dd", {}, value)]);
  return [node("dl", { class: "pairs" }, ...pairs)];
}
