// The comparison, the best and worst rows, and tokens.

const ROLE_WORDS = { baseline: "baseline", floor: "perfect predictor" };

function colourOf(role, place) {
  return role === "reference" ? `series-${place % 4}` : role;
}

// Each model's colour, the same in every chart: by its role, or by its place among the references.
function colours(models) {
  let place = 0;
  return new Map(models.map(({ name, role }) => {
    return [name, colourOf(role, role === "reference" ? place++ : 0)];
  }));
}

function scoreTable(scores) {
  const top = Math.max(...scores.lines.map((line) => line.error.high));
  const paint = colours(scores.lines);
  const lines = scores.lines.map((line) => ({
    className: line.role,
    cells: [
      modelName(line),
      [node("b", {}, minus(line.error.text)), " ", unbroken(minus(line.error.between)),
        whisker(line.error, top, paint.get(line.name))],
      line.difference ? differenceCell(line.difference, line.role) : "",
      line.shares ? sharesCell(line.shares) : "",
      line.r2 ? [`${minus(line.r2.text)} `, unbroken(minus(line.r2.between))] : "–",
    ],
  }));
  const caption = `${scores.metric} on ${count(scores.n, "held-out row")}, with 95% intervals. `
    + "Less error is better.";
  return table(caption,
    ["Model", "Error", "Tuned minus this, paired", "Green, orange, red %", "r²"], lines);
}

function unbroken(text) {
  return node("span", { class: "unbroken" }, text);
}

function modelName({ name, role }) {
  return role in ROLE_WORDS ? [name, node("small", {}, ROLE_WORDS[role])] : name;
}

function whisker({ value, low, high }, top, colour) {
  const at = (number) => (2 + (96 * Math.max(0, number)) / top).toFixed(2);
  return shape("svg", {
    class: `whisker ${colour}`, viewBox: "0 0 100 10", preserveAspectRatio: "none",
    "aria-hidden": "true",
  },
    shape("line", { class: "rail", x1: 0, x2: 100, y1: 5, y2: 5 }),
    shape("line", { class: "reach", x1: at(low), x2: at(high), y1: 5, y2: 5 }),
    shape("line", { class: "middle", x1: at(value), x2: at(value), y1: 0, y2: 10 }));
}

function differenceCell({ text, between, outcome }, role) {
  const words = { better: "less error", worse: "more error", undecided: "no difference shown" };
  // To be worse than a perfect predictor is no fault.
  const tone = role === "floor" ? null : outcome;
  return [node("b", { class: tone }, minus(text)), " ", unbroken(minus(between)),
    node("small", {}, words[outcome])];
}

function sharesCell(shares) {
  const bar = node("span", { class: "shares", "aria-hidden": "true" });
  for (const { colour, share } of shares) {
    const part = node("i", { class: colour });
    part.style.width = `${100 * share}%`;
    bar.append(part);
  }
  const words = shares.map(({ share }) => percent(share)).join(" / ");
  const [{ low, high }] = shares;
  return [bar, words, node("small", {}, `green ${percent(low)} to ${percent(high)}`)];
}

function extremeTable(caption, rows, { models, roles }) {
  const written = models.map((name, i) => ({ name, i })).filter(({ name, i }) => {
    return roles[name] === "tuned" || roles[name] === "baseline" || rows[0].answers[i].text !== null;
  });
  const others = models.map((name, i) => ({ name, i })).filter(({ i }) => {
    return !written.some((one) => one.i === i);
  });
  const headings = ["Row", "Text", "Truth", ...written.map(({ name }) => name)];
  if (others.length) headings.push("References");
  const lines = rows.map((row) => {
    const cells = [
      unbroken(`Row ${row.row}`),
      node("div", { class: "row-text" }, row.text),
      plain(row.truth),
      ...written.map(({ i }) => answerCell(row.answers[i], row.truth)),
    ];
    if (others.length) {
      cells.push(others.map(({ name, i }) => {
        return node("small", {}, `${name} ${plain(row.answers[i].value)}`);
      }));
    }
    return { cells };
  });
  return table(caption, headings, lines);
}

function answerCell({ value, text, unread }, truth) {
  const error = node("small", {}, `off by ${plain(Math.abs(value - truth))}`);
  if (unread) {
    const said = text.trim() ? node("code", {}, text) : "(nothing)";
    return [said, node("small", {}, `no number; counts as ${plain(value)}`), error];
  }
  if (text === null || Number(text) === value) return [plain(value), error];
  return [node("code", {}, text), node("small", {}, `read as ${plain(value)}`), error];
}

function tokenRow({ row, count: all, scored, tokens }) {
  const line = node("p", { class: "tokens" });
  for (const [text, id, isScored, isSpecial] of tokens) {
    const classes = isSpecial ? "token special" : "token";
    const shown = text.replace(/\r/g, "␍").replace(/\t/g, "⇥\t").replace(/\n/g, "↵\n") || "∅";
    const title = `token ${id}${isScored ? ", scored" : ""}`;
    line.append(node(isScored ? "mark" : "span", { class: classes, title }, shown));
  }
  const rest = all > tokens.length ? `, the first ${fixed(tokens.length, 0)} shown` : "";
  const caption = `Row ${row}: ${count(all, "token")}, ${fixed(scored, 0)} of them scored${rest}`;
  return node("figure", {}, node("figcaption", {}, caption), line);
}
