// Every node of the page is made here, from text: nothing is ever parsed as HTML, and no attribute
// that could run or load anything takes a value from the data.

const SVG = "http://www.w3.org/2000/svg";

function node(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function shape(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(key, value === true ? "" : value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// A row of choices of which one holds, as radio buttons: arrow keys come with them.
let groups = 0;
function choice(title, options, chosen, onChange) {
  const group = `choice-${(groups += 1)}`;
  return choiceRow("radiogroup", title, options.map(({ value, text }) => {
    const input = node("input", { type: "radio", name: group, checked: value === chosen });
    input.addEventListener("change", () => onChange(value));
    return node("label", {}, input, node("span", {}, text));
  }));
}

// Choices that hold each for itself, as check boxes.
function choices(title, options, onChange) {
  return choiceRow("group", title, options.map(({ value, text, colour, on }) => {
    const input = node("input", { type: "checkbox", checked: on });
    input.addEventListener("change", () => onChange(value, input.checked));
    return node("label", { class: colour }, input, swatch(), node("span", {}, text));
  }));
}

function choiceRow(role, title, labels) {
  const legend = node("span", { class: "legend", "aria-hidden": "true" }, title);
  return node("div", { class: "choice", role, "aria-label": title }, legend, ...labels);
}

// A stroke in a model's colour and dashes, as its line in a chart has.
function swatch(colour = "") {
  return shape("svg", { class: "swatch", viewBox: "0 0 22 4", "aria-hidden": "true" },
    shape("line", { class: `line ${colour}`, x1: 0, x2: 22, y1: 2, y2: 2 }));
}

// A labelled select; gives the label with it. `options`: [{value, text}], values are texts.
function picker(title, options, chosen, onChange) {
  const select = node("select", {}, ...options.map(({ value, text }) => {
    return node("option", { value, selected: value === chosen }, text);
  }));
  select.addEventListener("change", () => onChange(select.value));
  return node("label", { class: "picker" }, node("span", { class: "legend" }, title), select);
}

// A table that turns into a list of cards on a phone: the roles keep it a table to a screen reader.
function table(caption, headings, lines) {
  const parts = headings.map((heading) => (Array.isArray(heading) ? heading : [heading]));
  const head = parts.map((part) => node("th", { scope: "col", role: "columnheader" }, ...part));
  const body = lines.map(({ cells, className }) => {
    const row = node("tr", { role: "row", class: className });
    cells.forEach((cell, place) => {
      const content = Array.isArray(cell) ? cell : [cell];
      const attributes = place
        ? { role: "cell", "data-label": parts[place][0] }
        : { role: "rowheader", scope: "row" };
      row.append(node(place ? "td" : "th", attributes, ...content));
    });
    return row;
  });
  return node("table", { role: "table" },
    node("caption", {}, caption),
    node("thead", { role: "rowgroup" }, node("tr", { role: "row" }, ...head)),
    node("tbody", { role: "rowgroup" }, ...body));
}
