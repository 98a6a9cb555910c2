// The comparison as tables: the headline, every other metric, and the results slice by slice.

const INTERVALS = "An interval in brackets says how far the figure would move on other test rows of "
  + "the same kind. It speaks for these models as they are, not for the recipe: training again with "
  + "another seed gives another model, and only several seeds (--seeds N) show how far that moves it.";

function scoresSection(data) {
  if (!data.scores) return null;
  return [
    headlineTable(data),
    data.metrics ? metricTable(data) : null,
    node("p", { class: "muted" }, INTERVALS),
    data.seeds ? seedsNote(data.seeds, data.measure) : null,
  ];
}

function headlineTable(data) {
  const { scores, models, measure } = data;
  const span = reach(scores.map((line) => line.value));
  const columns = [
    ["Model", (line, i) => modelName(models[i])],
    [measure.title, ({ value }, i) => [figure(value, measure.share), whisker(value, span, models[i].colour)]],
    ["Green, orange, red", ({ colours }) => (colours ? coloursCell(colours) : "–"), "colours"],
    ["Answers that could be read", ({ parse_rate: rate }, i) => (models[i].kind === "reference"
      ? "–" : figure(rate, true)), "parse_rate"],
    [`${measure.title} over those alone`, ({ parsed_only: only }, i) => (only && models[i].kind !== "reference"
      ? [figure(only, measure.share), node("small", {}, count(only.n, "row"))] : "–"), "parsed_only"],
    ["Cost", ({ cost_dollars: cost }) => (known(cost) ? `$${fixed(cost, cost < 1 ? 4 : 2)}` : "–"), "cost_dollars"],
  ].filter(([, , key]) => !key || scores.some((line) => known(line[key])));
  const lines = scores.map((line, i) => ({
    className: models[i].role,
    cells: columns.map(([, cell]) => cell(line, i)),
  }));
  return table(directionNote(data), columns.map(([heading]) => heading), lines);
}

// A title within a sentence: `mean absolute error`, but `chrF` and `ROUGE-L` as they are.
function within(title) {
  return /^[A-Z][a-z ]/.test(title) ? title[0].toLowerCase() + title.slice(1) : title;
}

function known(value) {
  return value !== null && value !== undefined;
}

function metricTable({ metrics, models, n }) {
  const headings = metrics.measures.map(({ title, unit }) => {
    return unit ? [title, node("small", {}, unit)] : title;
  });
  const lines = metrics.lines.map((cells, i) => ({
    className: models[i].role,
    cells: [modelName(models[i]), ...cells.map((cell, at) => figure(cell, metrics.measures[at].share))],
  }));
  const bare = metrics.lines.flat().some((cell) => cell && cell.low === undefined)
    ? " No interval was computed for figures without brackets." : "";
  return table(`Other metrics, n = ${fixed(n, 0)}.${bare}`, ["Model", ...headings], lines);
}

function coloursCell(shares) {
  const bar = node("span", { class: "shares", "aria-hidden": "true" });
  for (const { colour, value } of shares) {
    const part = node("i", { class: colour });
    part.style.width = `${100 * value}%`;
    bar.append(part);
  }
  const [{ low, high }] = shares;
  return [bar, `${shares.map(({ value }) => percent(value)).join(" / ")}%`,
    node("small", {}, `green ${percent(low)} to ${percent(high)}%`)];
}

// What several training seeds say of the recipe, first in the evaluation's own words.
function seedsNote({ by_seed: bySeed, n, mean, sd, verdict }, { share, title }) {
  const text = (value) => (share ? `${rounded(100 * value)}%` : rounded(value));
  const each = Object.entries(bySeed).map(([seed, value]) => `${text(value)} (seed ${seed})`);
  const spread = sd === null ? "" : `, standard deviation ${share ? `${rounded(100 * sd)} points` : rounded(sd)}`;
  return node("p", {}, verdict ? `${verdict} ` : "", `${title} over ${count(n, "training seed")}: `
    + `${text(mean)} on average${spread}; ${each.join(", ")}.`);
}

const MOST_BESIDE = 4;

function slicesSection(data) {
  if (!data.slices?.length) return null;
  const { slices, models } = data;
  const state = { group: slices[0], shown: new Set(models.slice(0, MOST_BESIDE)) };
  const host = node("div");
  const draw = () => host.replaceChildren(sliceTable(data, state));
  const by = slices.length < 2 ? null : choice("Rows by",
    slices.map((group) => ({ value: group, text: group.by })), state.group, (group) => {
      state.group = group;
      draw();
    });
  const which = models.length <= MOST_BESIDE ? null : choices("Models",
    models.map((model) => ({ value: model, text: model.name, colour: model.colour, on: state.shown.has(model) })),
    (model, on) => {
      state.shown[on ? "add" : "delete"](model);
      draw();
    });
  draw();
  return [node("div", { class: "controls" }, by, which), host, node("p", { class: "muted" },
    "The fewer rows a slice has, the wider its interval: slices were not corrected for being many, "
    + "so a difference in one of them is a hint to look, not a result.")];
}

function sliceTable({ models, measure, slices }, { group, shown }) {
  const places = models.map((_, i) => i).filter((i) => shown.has(models[i]));
  const span = reach(group.lines.flatMap((line) => places.map((i) => line.models[i])));
  const lines = group.lines.map((line) => ({
    cells: [
      node("bdi", {}, line.slice),
      fixed(line.n, 0),
      ...places.map((i) => (line.models[i]
        ? [figure(line.models[i], measure.share), whisker(line.models[i], span, models[i].colour)] : "–")),
    ],
  }));
  const caption = `${measure.title} by ${group.by}, with 95% intervals.`;
  return table(caption, [group.by, "Rows", ...places.map((i) => models[i].name)], lines);
}
