// The rows: searched, filtered, sorted, and drawn a few at a time.

const AT_ONCE = 20;
const MOST_FILTERS = 3;
const MOST_VALUES = 40;

function rowsSection(data, rows) {
  if (!rows.row.length) return null;
  const scored = rows.models.filter((_, i) => rows.scores[i]);
  const state = {
    query: "", a: scored[0], b: scored[1] ?? scored[0], sort: "differ", filter: "all", columns: {}, shown: AT_ONCE,
  };
  const list = node("div", { class: "rows" });
  const status = node("p", { class: "muted", role: "status" });
  const more = node("button", { type: "button" });
  let searched = null;
  const draw = () => {
    searched ??= state.query ? haystacks(rows) : null;
    const found = chosenRows(data, rows, state, searched);
    const words = queryWords(state.query);
    list.replaceChildren(...found.slice(0, state.shown).map((place) => rowCard(data, rows, place, words)));
    const drawn = Math.min(state.shown, found.length);
    status.textContent = found.length ? `${count(found.length, "row")} of ${fixed(rows.n, 0)} found, `
      + `${fixed(drawn, 0)} drawn.` : "No row is like that.";
    more.hidden = drawn === found.length;
    more.textContent = `Show ${fixed(Math.min(AT_ONCE, found.length - drawn), 0)} more`;
  };
  more.addEventListener("click", () => {
    const first = list.children.length;
    state.shown += AT_ONCE;
    draw();
    list.children[first]?.focus();
  });
  const change = (values) => {
    Object.assign(state, values, { shown: AT_ONCE });
    draw();
  };
  const controls = node("div", { class: "controls", role: "search" });
  // The orders and filters name the two models, and some need two.
  const rebuild = (values) => {
    Object.assign(state, values);
    const offered = (options, value, otherwise) => (options.some((one) => one.value === value) ? value : otherwise);
    change({
      sort: offered(sorts(rows, state), state.sort, "differ"),
      filter: offered(filters(rows, state), state.filter, "all"),
    });
    controls.replaceChildren(...rowControls(data, rows, state, scored, change, rebuild));
  };
  rebuild({});
  return [controls, status, list, more, node("p", { class: "muted" }, rowsNote(rows))];
}

function rowsNote({ n, row, limit, cut }) {
  const parts = ["All rows are in this page and are searched: prompts, truths, answers and columns."];
  if (row.length < n) parts[0] = `Of ${fixed(n, 0)} rows, ${fixed(row.length, 0)} evenly spaced ones are in this page.`;
  if (Object.keys(cut).length) parts.push(`Longer texts were cut after ${fixed(limit, 0)} characters, and say so.`);
  return parts.join(" ");
}

function rowControls(data, rows, state, scored, change, rebuild) {
  const search = node("input", { type: "search", value: state.query, placeholder: "words in prompt or answers" });
  search.addEventListener("input", () => change({ query: search.value }));
  const models = scored.map((name) => ({ value: name, text: name }));
  const pair = scored.length > 1 ? [
    picker("Model A", models, state.a, (a) => rebuild({ a })),
    picker("Model B", models, state.b, (b) => rebuild({ b })),
  ] : [];
  return [
    node("label", { class: "picker" }, node("span", { class: "legend" }, "Search"), search),
    ...pair,
    picker("Order", sorts(rows, state), state.sort, (sort) => change({ sort })),
    picker("Only", filters(rows, state), state.filter, (filter) => change({ filter })),
    ...columnPickers(rows, state, change),
  ];
}

// A column of few values can be filtered by.
function columnPickers({ columns }, state, change) {
  return Object.entries(columns).map(([name, column]) => [name, [...new Set(column)]])
    .filter(([, values]) => values.length > 1 && values.length <= MOST_VALUES).slice(0, MOST_FILTERS)
    .map(([name, values]) => {
      const options = values.map(String).sort().map((value) => ({ value: `=${value}`, text: value }));
      return picker(name, [{ value: "", text: "any" }, ...options], state.columns[name] ?? "",
        (value) => change({ columns: { ...state.columns, [name]: value } }));
    });
}

function sorts(rows, { a, b }) {
  const all = [["differ", "where models differ most"]];
  if (a !== b) all.push(["ahead", `${a} most ahead of ${b}`], ["behind", `${b} most ahead of ${a}`]);
  all.push(["worst", `${a} at its worst`], ["best", `${a} at its best`], ["row", "row number"]);
  if (typeof rows.truth[0] === "number") all.push(["truth", "largest truth"]);
  return all.map(([value, text]) => ({ value, text }));
}

function filters(rows, { a, b }) {
  const all = [["all", "all rows"]];
  if (a !== b) all.push(["ahead", `${a} better than ${b}`], ["behind", `${b} better than ${a}`], ["equal", "both score the same"]);
  if (isBinary(rows)) all.push(["right", "both right"], ["wrong", "both wrong"]);
  if (rows.values.some((values) => values?.includes(null))) all.push(["unread", `${a} could not be read`]);
  return all.map(([value, text]) => ({ value, text }));
}

function isBinary({ scores }) {
  return scores.every((column) => !column || column.every((score) => score === 0 || score === 1));
}

// Places of the rows that `state` asks for, in its order.
function chosenRows({ higher, models }, rows, state, searched) {
  const index = (name) => Math.max(0, rows.models.indexOf(name));
  const [a, b] = [index(state.a), index(state.b)];
  const sign = higher ? 1 : -1;
  const score = (model, place) => sign * (rows.scores[model]?.[place] ?? 0);
  const lead = (place) => score(a, place) - score(b, place);
  // What a reference makes of a row says little of it: models are compared where there are two.
  const written = models.map((_, i) => i).filter((i) => rows.scores[i] && models[i].kind !== "reference");
  const compared = written.length > 1 ? written : models.map((_, i) => i).filter((i) => rows.scores[i]);
  const spread = (place) => {
    const all = compared.map((model) => score(model, place));
    return Math.max(...all) - Math.min(...all);
  };
  const keep = {
    all: () => true,
    ahead: (place) => lead(place) > 0,
    behind: (place) => lead(place) < 0,
    equal: (place) => lead(place) === 0,
    right: (place) => rows.scores[a][place] === 1 && rows.scores[b][place] === 1,
    wrong: (place) => rows.scores[a][place] === 0 && rows.scores[b][place] === 0,
    unread: (place) => rows.values[a]?.[place] === null,
  }[state.filter];
  const key = {
    differ: (place) => -spread(place), ahead: (place) => -lead(place), behind: lead,
    worst: (place) => score(a, place), best: (place) => -score(a, place),
    row: (place) => place, truth: (place) => -rows.truth[place],
  }[state.sort];
  const words = queryWords(state.query);
  const columns = Object.entries(state.columns).filter(([, value]) => value);
  const found = rows.row.map((_, place) => place).filter((place) => keep(place)
    && columns.every(([name, value]) => `=${rows.columns[name][place]}` === value)
    && words.every((word) => searched[place].includes(word)));
  const keys = new Map(found.map((place) => [place, key(place)]));
  return found.sort((left, right) => keys.get(left) - keys.get(right) || left - right);
}

function queryWords(query) {
  return query.toLowerCase().split(/\s+/).filter(Boolean);
}
