// The rows, which lie in the page as base64 of gzipped JSON: columns, one entry a row.

async function unpackedRows() {
  const packed = document.getElementById("packed").textContent;
  if (!packed) return null;
  const text = atob(packed);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  const unpacker = new DecompressionStream("gzip");
  const writer = unpacker.writable.getWriter();
  writer.write(bytes);
  writer.close();
  return new Response(unpacker.readable).json();
}

// How long a text was before it was cut, or null where it is whole. `column`: "text", "answers 0".
function wholeLength(rows, column, place) {
  return rows.cut[column]?.[place] ?? null;
}

// What is searched: prompt, truth and every answer of a row, in lower case.
function haystacks(rows) {
  return rows.row.map((row, i) => {
    const said = rows.answers.map((answers) => answers?.[i] ?? "");
    const own = Object.values(rows.columns).map((column) => column[i]);
    return [row, rows.text[i], rows.truth[i], ...said, ...own].join("\n").toLowerCase();
  });
}
