// The sections of the page in their order; each takes the data and gives nodes, or null.

const BADGES = { better: "Better", worse: "Worse", undecided: "No difference shown" };

function verdictSection({ verdict, n, reads }) {
  if (!verdict) {
    return [node("p", { class: "lead" }, "This run was trained and not evaluated, so nothing is "
      + "known yet of whether the model got better. ", node("code", {}, "nybble evaluate"),
    " finds out.")];
  }
  const times = reads === 1 ? "once" : `${reads} times`;
  return [
    node("p", {}, node("strong", { class: `badge ${verdict.outcome}` }, BADGES[verdict.outcome])),
    node("p", { class: "lead" }, verdict.lead),
    verdict.rest ? node("p", {}, verdict.rest) : null,
    node("p", { class: "muted" }, `n = ${fixed(n, 0)} test rows. `
      + (reads ? `This run has read its test rows ${times}: the more often, the less they prove.` : "")),
  ];
}

function scoresSection({ scores, seeds }) {
  if (!scores) return null;
  return [scoreTable(scores), node("p", { class: "muted" },
    "Error and difference: bootstrap-t, paired by row. r²: bootstrap percentiles. Shares: Wilson."),
  seeds ? seedsNote(seeds) : null];
}

function seedsNote({ by_seed: bySeed, n, mean, sd, min, max }) {
  const each = Object.entries(bySeed).map(([seed, error]) => `${rounded(error)} (seed ${seed})`);
  const spread = sd === null ? "" : `, standard deviation ${rounded(sd)}`;
  return node("p", {}, `Over ${count(n, "training seed")} the error is ${rounded(mean)} on average`
    + `${spread}, from ${rounded(min)} to ${rounded(max)}: ${each.join(", ")}.`);
}

function scatterSection({ scatter }) {
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
    parts.push(`Green: off by less than ${plain(a)} or ${percent(b)}% of the truth; `
      + `orange: less than ${plain(c)} or ${percent(d)}%.`);
  }
  if (model.unread_of_all) {
    parts.push(`${count(model.unread_of_all, "answer")} held no number (hollow points).`);
  }
  if (outside) parts.push(`${count(outside, "prediction")} beyond the axes, drawn at the edge.`);
  return parts.join(" ");
}

function runningSection({ running }) {
  if (!running || running.k.length < 2) return null;
  const paint = colours(running.curves);
  const shown = new Set(running.curves.filter((one) => one.role !== "reference").map((one) => one.name));
  const series = () => running.curves
    .filter((one) => shown.has(one.name) || !shown.size)
    .map((one) => ({ ...one, x: running.k, y: one.mean, colour: paint.get(one.name) }));
  const host = node("div", { class: "host" });
  const later = () => {
    const label = "Running mean error over the test rows, with its 95% band.";
    const again = lineChart(host, label, 340, series,
      { x: "test rows", y: "mean absolute error", range: settledRange });
    const options = running.curves.map(({ name }) => ({
      value: name, text: name, colour: paint.get(name), on: shown.has(name),
    }));
    host.before(choices("Models", options, (name, on) => {
      if (on) shown.add(name);
      else shown.delete(name);
      again();
    }));
  };
  const note = `n = ${fixed(running.n, 0)} rows, in the order of the test data. Bands: 1.96 standard `
    + "errors either side. A curve that still drifts at the right says that more rows are needed.";
  return { nodes: [host, node("p", { class: "muted" }, note)], later };
}

// The first few rows swing widely: the axis is that of the curves from a twentieth of the rows on.
function settledRange(series) {
  const late = (values) => values.slice(Math.ceil(values.length / 20));
  const high = Math.max(...series.flatMap((one) => late(one.high)));
  const low = Math.min(...series.flatMap((one) => late(one.low)));
  return [Math.min(0, low), high * 1.05 || 1];
}

function extremesSection({ extremes }) {
  if (!extremes || !extremes.worst.length) return null;
  const rows = count(extremes.worst.length, "row");
  return [
    extremeTable(`The ${rows} where the tuned model is furthest off`, extremes.worst, extremes),
    extremeTable(`The ${rows} where it is closest`, extremes.best, extremes),
  ];
}

function tokensSection({ tokens }) {
  if (!tokens.length) return null;
  const legend = node("p", { class: "muted" }, "The first training rows as the model sees them: ",
    node("mark", { class: "token" }, "scored"), " tokens are what it learns to say, ",
    node("span", { class: "token special" }, "special"), " ones are not text, ↵ is a line break.");
  return [legend, ...tokens.map(tokenRow)];
}

function recipeSection({ recipe }) {
  return [node("pre", { tabindex: 0, "aria-label": "The recipe as YAML" }, recipe)];
}

function environmentSection({ environment }) {
  if (!environment.length) return null;
  const pairs = environment.flatMap(([key, value]) => [node("dt", {}, key), node("dd", {}, value)]);
  return [node("dl", { class: "pairs" }, ...pairs)];
}
