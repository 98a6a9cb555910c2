// How a model and a figure look wherever they are named: colour and dashes, value and interval.

function modelName({ name, kind, role, colour }) {
  const part = { baseline: ", the baseline", floor: ", a perfect predictor" }[role] ?? "";
  return node("span", { class: `model ${colour}` }, swatch(colour), node("bdi", {}, name),
    node("small", {}, `${kind}${part}`));
}

// The figure with its interval; shares in per cent. `found`: {value, low, high} or null.
function figure(found, share) {
  if (!found) return "–";
  const text = share ? (value) => `${fixed(100 * value, 1)}%` : rounded;
  const ends = share ? (value) => fixed(100 * value, 1) : rounded;
  if (found.low === undefined) return text(found.value);
  return node("span", { class: "figure" }, node("b", {}, text(found.value)), " ",
    unbroken(`[${ends(found.low)}, ${ends(found.high)}]`));
}

function unbroken(text) {
  return node("span", { class: "unbroken" }, text);
}

// A span of values from 0 to 100% of a cell's width; zero is always within.
function reach(intervals) {
  const known = intervals.filter(Boolean);
  const low = Math.min(0, ...known.map((one) => one.low));
  const high = Math.max(0, ...known.map((one) => one.high));
  const span = high - low || 1;
  return { low, high, at: (value) => 2 + (96 * (value - low)) / span };
}

// An interval as a bar with its value as a dot; beside it stands the text, so nobody has to see it.
// A hollow dot: the interval includes zero, where that means something.
function whisker({ value, low, high }, { at, low: least }, colour, { zero = false, hollow = false } = {}) {
  const bar = node("span", { class: `whisker ${colour}`, "aria-hidden": "true" });
  const add = (className, left, right) => {
    const part = node("i", { class: className });
    part.style.left = `${left.toFixed(2)}%`;
    if (right !== undefined) part.style.width = `${Math.max(0.5, right - left).toFixed(2)}%`;
    bar.append(part);
  };
  add("rail", 0, 100);
  if (zero) add("zero", at(0));
  add("reach", at(Math.max(least, low)), at(high));
  add(hollow ? "middle hollow" : "middle", at(value));
  return bar;
}

function directionNote({ measure, higher, n }) {
  const unit = measure.unit ? ` (${measure.unit})` : "";
  return `${measure.title}${unit} on ${count(n, "test row")}, with 95% intervals. `
    + `${higher ? "More" : "Less"} is better.`;
}
