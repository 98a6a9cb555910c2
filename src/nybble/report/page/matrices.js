// Matrices: how often two models say the same, and what was said to rows of each true label.

// What the evaluation takes for the same, by task.
const SAME = {
  number: "one guess would be green if the other were the truth",
  label: "both chose the same label",
  text: "both said the same, but for spaces around it",
  loss: "their losses are within 1% of one another",
  code: "as many programs of both passed",
};

function agreementSection({ agreement, models, n, task }) {
  if (!agreement || models.length < 2) return null;
  const names = models.map((model) => model.name);
  const lines = agreement.map((line, row) => line.map((cell, column) => {
    if (row === column || !cell) return node("td", { class: "nothing" }, row === column ? "same" : "–");
    return shaded(cell.value, `${percent(cell.value)}%`, `${percent(cell.low)} to ${percent(cell.high)}`);
  }));
  const same = SAME[task] ? `Two models agree on a row where ${SAME[task]}.` : "";
  return [
    matrix(`Share of ${count(n, "row")} on which two models agree, with 95% intervals.`, "model", names, names, lines),
    node("p", { class: "muted" }, same),
  ];
}

function confusionSection({ confusion, models }) {
  if (!confusion) return null;
  const host = node("div");
  const paint = (one) => host.replaceChildren(confusionMatrix(confusion, one));
  const order = models.map(({ name }) => confusion.models.find((one) => one.name === name)).filter(Boolean);
  const options = order.map((one) => ({ value: one, text: one.name }));
  paint(order[0]);
  const merged = confusion.merged
    ? ` ${count(confusion.merged, "rarer label")} stand together as “all others”.` : "";
  return [
    options.length > 1 ? choice("Model", options, order[0], paint) : null,
    host,
    node("p", { class: "muted" }, "Each line is a true label, each column what the model said; the "
      + `darker, the larger the share of the line. Outlined: right.${merged}`),
  ];
}

function confusionMatrix({ truth, said }, { name, counts, recall }) {
  const lines = counts.map((line, row) => {
    const total = line.reduce((sum, value) => sum + value, 0);
    const cells = line.map((value, column) => {
      const cell = shaded(total ? value / total : 0, fixed(value, 0));
      if (row === column) cell.classList.add("right");
      return cell;
    });
    const found = recall[row];
    cells.push(node("td", {}, found ? `${percent(found.value)}%` : "–",
      found ? node("small", {}, `${percent(found.low)} to ${percent(found.high)}, n = ${fixed(found.n, 0)}`) : null));
    return cells;
  });
  return matrix(`What ${name} said to the rows of each true label, in rows.`, "true label", truth,
    [...said, "found, with 95% interval"], lines);
}

// A cell whose ground is the darker, the larger the share; the text says it too.
function shaded(share, text, small) {
  const cell = node("td", { class: "shaded" }, text, small ? node("small", {}, small) : null);
  cell.style.setProperty("--share", `${Math.round(35 * share)}%`);
  return cell;
}

function matrix(caption, corner, rows, columns, lines) {
  const head = node("tr", {}, node("th", { scope: "col" }, corner),
    ...columns.map((name) => node("th", { scope: "col" }, node("bdi", {}, name))));
  const body = lines.map((cells, i) => {
    return node("tr", {}, node("th", { scope: "row" }, node("bdi", {}, rows[i])), ...cells);
  });
  return node("div", { class: "wide", tabindex: 0, role: "region", "aria-label": caption },
    node("table", { class: "matrix" }, node("caption", {}, caption), node("thead", {}, head),
      node("tbody", {}, ...body)));
}
