// How the training went: loss, learning rate, memory.

function trainingSection({ training }) {
  if (!training) return null;
  const hosts = [node("div", { class: "host" }), node("div", { class: "host" })];
  const later = () => {
    lossChart(hosts[0], training);
    if (training.learning_rate.some((value) => value !== null)) rateChart(hosts[1], training);
  };
  const each = training.bucket > 1 ? ` Each point is the mean of ${training.bucket} steps.` : "";
  const smoothing = training.window > 1
    ? `The strong line is the mean of ${training.window} steps, the faint one every step.` : "";
  const checks = training.validation_step.length;
  // With train.logging_steps over 1, what the other steps computed is not known.
  const logged = training.steps < training.last_step
    ? `, of which ${count(training.steps, "step")} logged, with` : ",";
  const note = `${count(training.last_step, "optimiser step")}${logged} `
    + `${count(training.tokens, "token")}, ${duration(training.seconds)}. ${smoothing}${each} `
    + (checks ? `${count(checks, "validation")} on the validation rows.` : "No validation rows.");
  return { nodes: [...hosts, node("p", { class: "muted" }, note)], later };
}

function lossChart(host, training) {
  const series = [
    { name: "each step", colour: "baseline", x: training.step, y: training.loss, faint: true },
    { name: "train", colour: "tuned", x: training.step, y: training.smooth },
  ];
  if (training.validation_step.length) {
    series.push({
      name: "validation", colour: "baseline", dots: true,
      x: training.validation_step, y: training.validation_loss,
    });
  }
  const known = training.loss.filter((value) => value !== null);
  const least = Math.min(...known);
  const log = least > 0 && Math.max(...known) / least > 3;
  const title = log ? "loss per scored token, log scale" : "loss per scored token";
  host.before(key(series.slice(1)));
  lineChart(host, "Training and validation loss by step.", 320, () => series,
    { x: "step", y: title, log });
}

function rateChart(host, training) {
  const rates = [{
    name: "learning rate", colour: "plain", x: training.step, y: training.learning_rate, exact: true,
  }];
  const range = ([one]) => [0, Math.max(...one.y) * 1.08 || 1];
  lineChart(host, "Learning rate by step.", 170, () => rates,
    { x: "step", y: "learning rate", range, hint: "" });
}

function key(series) {
  return node("p", { class: "key" }, ...series.map(({ name, colour }) => {
    return node("span", { class: colour }, swatch(), name);
  }));
}

function memorySection({ memory }) {
  if (!memory) return null;
  const planned = memory.plan.reduce((sum, part) => sum + part.bytes, 0);
  const most = Math.max(planned, memory.peak_bytes ?? 0);
  const lines = [];
  if (planned) lines.push(memoryBar("planned", memory.plan, planned, most));
  if (memory.peak_bytes) {
    const measured = [{ name: "peak", bytes: memory.peak_bytes }];
    lines.push(memoryBar("measured peak", measured, memory.peak_bytes, most));
  }
  const source = memory.peak_bytes
    ? `The peak is the highest of ${count(memory.steps, "step")}, as torch's allocator counts it.`
    : "Nothing was measured: this device does not count its peak.";
  const reason = memory.reason ? ` The plan: ${memory.reason}.` : "";
  return [node("div", { class: "bars" }, ...lines), node("p", { class: "muted" }, source + reason)];
}

function memoryBar(name, parts, total, most) {
  const bar = node("span", { class: "memory", "aria-hidden": "true" });
  parts.forEach((part, i) => {
    const piece = node("i", { class: `piece-${i}` });
    piece.style.width = `${(100 * part.bytes) / most}%`;
    bar.append(piece);
  });
  const detail = parts.length > 1
    ? parts.map((part) => `${part.name} ${bytes(part.bytes)}`).join(", ") : "";
  return node("div", {}, node("p", {}, node("b", {}, `${name} ${bytes(total)}`), ` ${detail}`), bar);
}
