// One row: what was asked, what is true, and what every model said.

const CLIP = 700;
// An answer this short stands beside its model's name.
const BRIEF = 40;
// How a score over one row reads, by metric; others are named.
const SCORE_WORDS = {
  mae: (score) => `off by ${plain(score)}`,
  loss: (score) => `${rounded(score)} nats per token`,
};

function rowCard(data, rows, place, words) {
  const id = `row-${place}`;
  const own = Object.entries(rows.columns).map(([name, column]) => {
    return node("span", {}, `${name} `, node("bdi", {}, String(column[place])));
  });
  const said = rows.models.map((_, i) => answer(data, rows, i, place, words));
  const truth = rows.truth[place];
  return node("article", { class: "row", "aria-labelledby": id, tabindex: -1 },
    node("header", {}, node("h3", { id }, `Row ${rows.row[place]}`), ...own),
    node("div", { class: "asked" },
      longText(rows.text[place], wholeLength(rows, "text", place), words, "row-text"),
      truth === null ? null : node("h4", {}, "Truth"),
      truth === null ? null : longText(shownValue(truth), wholeLength(rows, "truth", place), words,
        data.task === "code" ? "row-text truth code" : "row-text truth")),
    node("ul", { class: "said" }, ...said.filter(Boolean)));
}

function answer(data, rows, i, place, words) {
  const model = data.models[i];
  const text = rows.answers[i]?.[place] ?? null;
  const value = rows.values[i]?.[place] ?? null;
  const score = rows.scores[i]?.[place] ?? null;
  if (text === null && value === null && score === null) return null;
  const body = [];
  if (text !== null) {
    body.push(text.trim() ? longText(text, wholeLength(rows, `answers ${i}`, place), words, "answer")
      : node("p", { class: "muted" }, "(said nothing)"));
  } else if (value !== null) {
    body.push(longText(shownValue(value), null, words, "answer"));
  }
  const read = readNote(rows, i, text, value);
  if (read) body.push(node("small", {}, read));
  body.push(...detailNodes(rows.details[i]?.[place], words));
  const brief = body.length < 2 && (text ?? "").length <= BRIEF && !(text ?? "").includes("\n");
  return node("li", { class: brief ? "brief" : null },
    node("p", { class: `name ${model.colour}` }, swatch(), node("bdi", {}, model.name)),
    node("div", { class: "body" }, ...body),
    score === null ? null : scoreMark(data, rows, score));
}

function shownValue(value) {
  return typeof value === "number" ? plain(value) : String(value);
}

function readNote(rows, i, text, value) {
  if (text === null || !rows.values[i] || value === true) return null;
  if (value === null) {
    const filled = known(rows.stand_in) && rows.stand_in !== "" ? `; it counts as ${shownValue(rows.stand_in)}` : "";
    return `Nothing could be read from this${filled}.`;
  }
  const shown = shownValue(value);
  if (text.trim() === String(value) || Number(text) === value) return null;
  return node("span", {}, "read as ", node("bdi", {}, shown));
}

function scoreMark({ measure, higher }, rows, score) {
  if (higher && isBinary(rows)) {
    return node("span", { class: score ? "mark better" : "mark worse" }, score ? "✓ right" : "✗ wrong");
  }
  const words = SCORE_WORDS[measure.name] ?? ((value) => `${measure.title} ${rounded(value)}`);
  return node("span", { class: "mark" }, words(score));
}

// A text of a stranger: its words marked, long ones clipped until asked for, cut ones saying so.
function longText(text, whole, words, className) {
  const box = node("div", { class: className, dir: "auto" });
  const cut = whole ? node("small", {}, `Cut after ${fixed(text.length, 0)} of ${fixed(whole, 0)} characters.`) : null;
  const late = words.some((word) => text.toLowerCase().indexOf(word) > CLIP - word.length);
  if (text.length <= CLIP * 1.2 || late) {
    box.append(...marked(text, words));
    return node("div", {}, box, cut);
  }
  box.append(...marked(text.slice(0, CLIP), words), "…");
  const all = node("button", { type: "button", class: "all" }, `Show all ${fixed(text.length, 0)} characters`);
  all.addEventListener("click", () => {
    box.replaceChildren(...marked(text, words));
    box.tabIndex = -1;
    box.focus();
    all.remove();
  });
  return node("div", {}, box, cut, all);
}

// `text` in pieces, the searched words as marks.
function marked(text, words) {
  if (!words.length) return [text];
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return text.split(new RegExp(`(${escaped.join("|")})`, "gi"))
    .map((piece, i) => (i % 2 ? node("mark", {}, piece) : piece));
}

// What the task tells of an answer: of a program what became of it, else names and values.
function detailNodes(detail, words) {
  if (!detail) return [];
  const { assertions, samples, passed, reason, ...others } = detail;
  const lines = [];
  if (samples > 1) lines.push(`${fixed(passed, 0)} of ${count(samples, "sample")} passed; this is the first.`);
  if (reason) lines.push(reason);
  for (const [name, value] of Object.entries(others)) {
    lines.push(`${name}: ${typeof value === "number" ? rounded(value) : JSON.stringify(value)}`);
  }
  return [...lines.map((line) => node("small", {}, ...marked(line, words))),
    assertions?.length ? assertionList(assertions, words) : null].filter(Boolean);
}

function assertionList(assertions, words) {
  const items = assertions.map(({ passed, text, message }) => node("li", { class: passed ? "better" : "worse" },
    passed ? "✓ passed " : "✗ failed ", node("code", {}, ...marked(text, words)),
    message ? node("small", {}, ...marked(message, words)) : null));
  return node("ul", { class: "assertions", "aria-label": "Assertions" }, ...items);
}
