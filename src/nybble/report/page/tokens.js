// Training rows as the model sees them.

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
