// Reads the data, draws the sections that it has, unpacks the rows, and wires the theme.

const SECTIONS = [
  ["verdict", "Verdict", verdictSection],
  ["scores", "Comparison", scoresSection],
  ["pairs", "Paired differences", pairsSection],
  ["slices", "Slice by slice", slicesSection],
  ["running", "Running estimate", runningSection],
  ["agreement", "Agreement", agreementSection],
  ["confusion", "Confusion of labels", confusionSection],
  ["scatter", "Truth and prediction", null, scatterSection],
  ["rows", "Row by row", null, rowsSection],
  ["training", "Training", trainingSection],
  ["memory", "Memory", memorySection],
  ["lengths", "Lengths", lengthsSection],
  ["tokens", "What was trained on", tokensSection],
  ["recipe", "Recipe", recipeSection],
  ["environment", "Environment", environmentSection],
];

async function start() {
  const data = JSON.parse(document.getElementById("data").textContent);
  document.title = `${data.name} · Nybble report`;
  document.getElementById("name").textContent = data.name;
  document.getElementById("summary").textContent = data.summary;
  document.getElementById("facts").append(...data.facts.map(([key, value]) => {
    return node("div", {}, node("dt", {}, key), node("dd", {}, value));
  }));
  for (const [id, title, make] of SECTIONS) if (make) addSection(id, title, make(data));
  const root = document.documentElement;
  root.dataset.drawnMs = performance.now().toFixed(0);
  const rows = await unpackedRows();
  if (rows) for (const [id, title, , make] of SECTIONS) if (make) addSection(id, title, make(data, rows));
  root.dataset.rowsMs = performance.now().toFixed(0);
}

// A chart needs its column's width, so it is drawn once its section is in the page.
function addSection(id, title, made) {
  if (!made) return;
  const { nodes, later } = Array.isArray(made) ? { nodes: made, later: null } : made;
  const heading = node("h2", { id: `${id}-title` }, title);
  inOrder("sections", id, node("section", { id, "aria-labelledby": `${id}-title` }, heading,
    ...nodes.filter(Boolean)));
  inOrder("contents", id, node("a", { href: `#${id}`, "data-section": id }, title));
  later?.();
}

// Puts `element` before the first sibling of a later section: some come after the rows are unpacked.
function inOrder(parent, id, element) {
  const order = SECTIONS.map(([section]) => section);
  const host = document.getElementById(parent);
  const next = [...host.children].find((other) => {
    return order.indexOf(other.dataset.section ?? other.id) > order.indexOf(id);
  });
  host.insertBefore(element, next ?? null);
}

function wireTheme() {
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const set = (dark) => {
    root.dataset.theme = dark ? "dark" : "light";
    show(dark);
  };
  const show = (dark) => {
    button.textContent = dark ? "Light" : "Dark";
    button.setAttribute("aria-pressed", dark);
  };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  show(isDark());
  system.addEventListener("change", () => show(isDark()));
  button.addEventListener("click", () => set(!isDark()));
}

wireTheme();
await start();
