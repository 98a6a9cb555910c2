// Numbers as text, and the round numbers of an axis.

// Three significant digits, or all those before the point: 14.2, 1,234, 0.00321.
function rounded(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const exponent = Number(value.toExponential(2).split("e")[1]);
  if (exponent < -5 || exponent > 12) return minus(value.toExponential(2));
  return fixed(value, Math.max(0, 2 - exponent));
}

function fixed(value, digits) {
  return minus(value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }));
}

function minus(text) {
  return text.replace(/-/g, "−");
}

// A value of the data: as it was said, with two decimals at most.
function plain(value) {
  if (Math.abs(value) < 1 || Math.abs(value) >= 1e9) return rounded(value);
  return minus(value.toLocaleString("en", { maximumFractionDigits: 2 }));
}

function count(value, noun) {
  return `${fixed(value, 0)} ${noun}${value === 1 ? "" : "s"}`;
}

function percent(share) {
  return fixed(100 * share, 0);
}

function bytes(value) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${rounded(value)} ${units[unit]}`;
}

function duration(seconds) {
  if (seconds < 90) return `${rounded(seconds)} s`;
  if (seconds < 5400) return `${rounded(seconds / 60)} min`;
  return `${rounded(seconds / 3600)} h`;
}

// Multiples of 1, 2 or 5 times a power of ten, about `wanted` of them.
function ticks(low, high, wanted) {
  const rough = (high - low) / Math.max(1, wanted);
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const out = [];
  for (let place = Math.ceil(low / step - 1e-9); place * step <= high + step * 1e-9; place += 1) {
    out.push(place * step);
  }
  return out;
}

// 1, 2 and 5 times powers of ten; only the powers, or all digits, where that is too many or too few.
function logTicks(low, high, wanted) {
  const all = (factors) => {
    const out = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
      out.push(...factors.map((factor) => factor * 10 ** power));
    }
    return out.filter((value) => value >= low && value <= high);
  };
  const usual = all([1, 2, 5]);
  if (usual.length > 1.5 * wanted) return all([1]);
  return usual.length >= 4 ? usual : all([1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

// How a tick is written: with as many digits as set it apart from its neighbour.
function tickText(value, values) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-4) return minus(Number(value.toPrecision(3)).toExponential());
  if (size >= 1e6) {
    return minus(value.toLocaleString("en", { notation: "compact", maximumSignificantDigits: 4 }));
  }
  const gap = values.length > 1 ? Math.min(...values.slice(1).map((v, i) => v - values[i])) : size;
  return fixed(value, Math.max(0, -Math.floor(Math.log10(gap) + 1e-9)));
}
