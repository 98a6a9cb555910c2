// Reads the data, draws the sections that it has, and wires the theme.

const SECTIONS = [
  ["verdict", "Verdict", verdictSection],
  ["scores", "Comparison", scoresSection],
  ["scatter", "Truth and prediction", scatterSection],
  ["running", "Running mean error", runningSection],
  ["training", "Training", trainingSection],
  ["memory", "Memory", memorySection],
  ["rows", "Worst and best rows", extremesSection],
  ["lengths", "Lengths", lengthsSection],
  ["tokens", "What was trained on", tokensSection],
  ["recipe", "Recipe", recipeSection],
  ["environment", "Environment", environmentSection],
];

function start() {
  const began = performance.now();
  const data = JSON.parse(document.getElementById("data").textContent);
  document.title = `${data.name} · Nybble report`;
  document.getElementById("name").textContent = data.name;
  document.getElementById("summary").textContent = data.summary;
  document.getElementById("facts").append(...data.facts.map(([key, value]) => {
    return node("div", {}, node("dt", {}, key), node("dd", {}, value));
  }));
  for (const [id, title, make] of SECTIONS) addSection(id, title, make(data));
  document.documentElement.dataset.drawnMs = (performance.now() - began).toFixed(0);
}

// A chart needs its column's width, so it is drawn once its section is in the page.
function addSection(id, title, made) {
  if (!made) return;
  const { nodes, later } = Array.isArray(made) ? { nodes: made, later: null } : made;
  const heading = node("h2", { id: `${id}-title` }, title);
  document.getElementById("sections").append(
    node("section", { id, "aria-labelledby": `${id}-title` }, heading, ...nodes.filter(Boolean)));
  document.getElementById("contents").append(node("a", { href: `#${id}` }, title));
  later?.();
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
start();
