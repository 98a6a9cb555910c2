// Paired differences: every two models on the same rows, as dots with intervals against zero.

const TESTS = {
  bootstrap: "bootstrap", mcnemar: "McNemar, exact", permutation: "permutation",
};

function pairsSection(data) {
  if (!data.pairs?.length) return null;
  const names = data.models.map((model) => model.name);
  const own = data.models.find((model) => model.role === "tuned");
  const state = { model: own && data.pairs.length > names.length ? own.name : null };
  const host = node("div");
  const draw = () => host.replaceChildren(pairTable(data, state.model));
  const options = [{ value: null, text: "all pairs" }, ...names.map((name) => ({ value: name, text: name }))];
  const controls = names.length < 3 ? null : choice("Pairs of", options, state.model, (name) => {
    state.model = name;
    draw();
  });
  draw();
  const many = data.pairs.length > 1 ? " p is corrected for the number of pairs (Holm)." : "";
  const settle = data.pairs.some((pair) => known(pair.rows_to_settle)) ? " Rows to settle: about how "
    + "many test rows would show a difference of this size four times in five." : "";
  return [controls, host, node("p", { class: "muted" },
    "Each difference is taken row by row, so what is hard about a row counts for both. A filled dot "
    + `says that the difference holds; a hollow one, that none is shown.${many}${settle}`)];
}

// The pairs of one model, that model first; or all of them as they were compared.
function pairsOf(pairs, name) {
  if (name === null) return pairs;
  return pairs.filter(({ a, b }) => a === name || b === name)
    .map((pair) => (pair.a === name ? pair : turned(pair)));
}

function turned(pair) {
  const { value, low, high } = pair.difference;
  const outcome = { better: "worse", worse: "better" }[pair.outcome] ?? pair.outcome;
  return { ...pair, a: pair.b, b: pair.a, outcome, difference: { value: -value, low: -high, high: -low } };
}

function pairTable({ pairs, measure, higher, n, models }, name) {
  const shown = pairsOf(pairs, name);
  const span = reach(shown.map((pair) => pair.difference));
  const paint = new Map(models.map((model) => [model.name, model.colour]));
  const settle = shown.some((pair) => known(pair.rows_to_settle));
  const tested = shown.some((pair) => known(pair.p));
  const headings = ["Models", `Difference${measure.share ? ", percentage points" : ""}`, "What it shows"];
  if (tested) headings.push("p");
  if (settle) headings.push("Rows to settle");
  const lines = shown.map((pair) => {
    const cells = [
      [node("bdi", {}, pair.a), " minus ", node("bdi", {}, pair.b)],
      [pairFigure(pair.difference, measure.share),
        whisker(pair.difference, span, paint.get(pair.a), { zero: true, hollow: pair.outcome === "undecided" })],
      outcomeWords(pair),
    ];
    if (tested) cells.push(pCell(pair));
    if (settle) cells.push(known(pair.rows_to_settle) ? `about ${fixed(pair.rows_to_settle, 0)}` : "–");
    return { cells };
  });
  const side = higher ? "right" : "left";
  const caption = `Difference in ${within(measure.title)}, paired over ${count(n, "row")}, with 95% intervals. `
    + `${side === "left" ? "Left" : "Right"} of the line, which is zero, the first model is better.`;
  return table(caption, headings, lines);
}

function pairFigure(difference, share) {
  const scaled = share
    ? Object.fromEntries(Object.entries(difference).map(([key, value]) => [key, 100 * value])) : difference;
  return figure(scaled, false);
}

function outcomeWords({ a, outcome, corrected }) {
  if (corrected) return ["no difference shown", node("small", {}, "not after the correction")];
  if (outcome === "undecided") return "no difference shown";
  return node("span", { class: outcome }, outcome === "better" ? "▲ " : "▼ ", node("bdi", {}, a), ` is ${outcome}`);
}

function pCell({ p, p_holm: holm, test }) {
  const corrected = known(holm);
  return [pText(corrected ? holm : p),
    node("small", {}, corrected ? `Holm; ${pText(p)} alone` : "alone"),
    node("small", {}, TESTS[test] ?? test)];
}

function pText(p) {
  return p < 0.001 ? "< 0.001" : fixed(p, 3);
}
