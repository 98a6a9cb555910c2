// How long the training rows are, and what each cut-off would cost.

const CUT_OFF_HEADINGS = ["cut at", "rows cut", "tokens kept", "padding", "time", "memory"];

function lengthsSection({ lengths }) {
  if (!lengths) return null;
  const parts = [["whole rows", lengths.rows]];
  if (lengths.field) parts.unshift([`the column ${lengths.field.name}`, lengths.field]);
  const hosts = parts.map(() => node("div", { class: "host" }));
  const later = () => parts.forEach(([name, part], i) => lengthChart(hosts[i], name, part));
  const nodes = parts.flatMap(([name, part], i) => [
    node("p", {}, node("b", {}, `Tokens of ${name}`), `: ${count(part.rows, "row")}, `
      + `${rounded(part.mean)} on average, ${fixed(part.longest, 0)} at most.`),
    hosts[i],
    cutOffTable(name, part),
    node("p", {}, `${fixed(part.recommended.max_length, 0)} tokens would do: `
      + `${part.recommended.reason}.`),
  ]);
  const model = "Time goes with the tokens kept, memory with the longest row; padding is that of "
    + `batches of ${lengths.batch_size} rows as they come. `;
  return { nodes: [...nodes, node("p", { class: "muted" }, model + numbersNote(lengths.numbers))], later };
}

function numbersNote({ single, most, example }) {
  if (single === 1000) return "Each number from 0 to 999 is one token.";
  return `Of the numbers 0 to 999, ${fixed(single, 0)} are one token, the others up to ${most}: `
    + `${example.number} is ${example.tokens.join(" ")}.`;
}

function cutOffTable(name, { cut_offs: cutOffs }) {
  const lines = cutOffs.map((line) => ({
    cells: [fixed(line.tokens, 0), ...[line.rows_cut, line.tokens_kept, line.padding_wasted,
      line.step_time, line.memory].map((share) => `${fixed(100 * share, share > 0 && share < 0.1 ? 1 : 0)}%`)],
  }));
  return table(`Cut-offs for ${name}`, CUT_OFF_HEADINGS, lines);
}

function lengthChart(host, name, { histogram: { counts, edges } }) {
  const readout = node("p", { class: "readout" }, "Point at the chart, or use the arrow keys, to read values.");
  let drawn = null;
  const { svg, redraw } = surface(host, 220, `Histogram of the tokens of ${name}.`, (target, width, tall) => {
    const x = { low: edges[0], high: edges.at(-1), title: "tokens" };
    const at = plane(target, width, tall, x, { low: 0, high: Math.max(...counts) * 1.05, title: "rows" });
    const bins = counts.map((rows, i) => shape("rect", {
      class: "bin", x: at.toX(edges[i]) + 0.5, y: at.toY(rows),
      width: Math.max(0.5, at.toX(edges[i + 1]) - at.toX(edges[i]) - 1), height: at.toY(0) - at.toY(rows),
    }));
    at.plot.append(...bins);
    drawn = { ...at, bins };
  });
  const centres = () => counts.map((_, i) => drawn.toX((edges[i] + edges[i + 1]) / 2));
  const show = (place) => {
    drawn.bins.forEach((bin, i) => bin.setAttribute("class", i === place ? "bin chosen" : "bin"));
    const last = edges[place + 1] - 1;
    const span = last > edges[place] ? `${edges[place]} to ${last}` : `${last}`;
    readout.textContent = `${span} tokens: ${count(counts[place], "row")}`;
    return readout.textContent;
  };
  redraw();
  explore(svg, () => counts.length, (px) => nearestPlace(centres(), px), show);
  host.after(readout);
}
