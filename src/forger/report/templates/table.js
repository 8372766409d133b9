// The ranking: a row a variant, its interval drawn on a scale that all rows share.
const pairOf = (score, a, b) => score.pairs.find((pair) => (pair[0] === a && pair[1] === b) || (pair[0] === b && pair[1] === a));

const share = ([healthy, ended]) => (ended ? healthy / ended : null);
const COLUMNS = [
  ["name", "Variant", (row) => data.variants[row.variant].name, "variant"],
  ["value", () => state.score, (row) => row.mean, "number value"],
  ["plot", "", null, "plot"],
  ["n", "Seeds", (row) => row.n, "number"],
  ["healthy", "Healthy", (row) => share(data.variants[row.variant].healthy), "number"],
  ["gap", "End vs best", (row) => row.gap, "number"],
  ["speed", "Images/s", (row) => data.variants[row.variant].imagesPerSecond, "number"],
  ["minutes", "Minutes", (row) => data.variants[row.variant].minutes, "number"],
  ["p", "Against first", (row) => row.pair?.[5] ?? (row.place ? 2 : -1), "meaning"],
];

function rankedRows() {
  const score = data.scores[state.score];
  if (!score) return [];
  const leader = score.standings[0]?.variant;
  const there = new Set(matching());
  const rows = score.standings.map((standing, place) => ({ ...standing, place, pair: pairOf(score, leader, standing.variant) }));
  const [, , key] = COLUMNS.find((column) => column[0] === state.sort && column[2]) || COLUMNS[1];
  // Best first, whichever way is better.
  const natural = state.sort === "value" && score.higherIsBetter ? -1 : 1;
  const sign = natural * (state.down ? -1 : 1);
  const order = (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y) || a.place - b.place;
  };
  return rows.filter((row) => there.has(row.variant)).sort(order);
}

// Logarithmic where values lie more than a factor 30 apart.
function scaleOf(rows) {
  const ends = rows.flatMap((row) => [row.mean - (row.half || 0), row.mean + (row.half || 0), ...row.values.map((v) => v[1])]);
  const points = rows.flatMap((row) => row.values.map((value) => value[1]));
  const [least, most] = spread(points);
  const log = least > 0 && most / least > 30;
  const [low, high] = log ? [least / 1.3, most * 1.3] : spread(ends);
  const place = log ? Math.log : (x) => x;
  const width = place(high) - place(low) || 1;
  return { low, high, log, at: (x) => 3 + 94 * Math.min(1, Math.max(0, (place(Math.max(x, log ? low : -Infinity)) - place(low)) / width)) };
}

function interval(row, scale) {
  const own = colour(row.variant);
  const pct = (x) => `${scale.at(x).toFixed(2)}%`;
  const marks = [el("line", { x1: "0%", x2: "100%", y1: 13, y2: 13, stroke: "var(--line)" })];
  if (row.half) {
    marks.push(el("line", {
      x1: pct(row.mean - row.half), x2: pct(row.mean + row.half), y1: 13, y2: 13, stroke: own,
      "stroke-width": 7, "stroke-opacity": 0.28, "stroke-linecap": "round",
    }));
  }
  for (const [, value] of row.values) marks.push(el("circle", { cx: pct(value), cy: 13, r: 3, fill: own, "fill-opacity": 0.75 }));
  marks.push(el("line", { x1: pct(row.mean), x2: pct(row.mean), y1: 4, y2: 22, stroke: own, "stroke-width": 2.5 }));
  return el("svg", { "aria-hidden": "true", focusable: "false" }, marks);
}

function meaning(row) {
  if (row.place === 0) return ["first", false];
  if (!row.pair) return [row.n < 2 ? "one seed: unknown" : "not tested", false];
  const clear = row.pair[5] < 0.05;
  return [`${clear ? "worse" : "unclear"}, p ${equals(row.pair[5])}`, clear];
}

function gapText(row) {
  if (row.gap === null) return "–";
  if (row.relativeGap === null) return number(row.gap, 2);
  return row.relativeGap < 0.005 ? "at its best" : `${rounded(row.relativeGap * 100, 0)}% worse`;
}

function rankedRow(row, scale) {
  const variant = data.variants[row.variant];
  const [healthy, ended] = variant.healthy;
  const [mean, half] = withHalfWidth(row.mean, row.half);
  const [sentence, clear] = meaning(row);
  const values = row.values.map(([seed, value]) => `seed ${seed}: ${number(value, 4)}`).join(", ");
  const cell = (kind, label, ...content) => el("td", { class: kind, role: "cell", "data-label": label }, ...content);
  return el("tr", { role: "row", class: row.place === 0 ? "first" : null },
    cell("variant", null, el("div", {}, badge(row.variant), el("span", {}, named(row.variant)))),
    el("td", { class: "number value", role: "cell", title: values }, mean, half ? el("span", { class: "half" }, ` ± ${half}`) : null),
    cell("plot", null, interval(row, scale)),
    cell("number", "seeds", String(row.n)),
    cell("number", "healthy", ended ? `${healthy} of ${ended}` : "–"),
    cell("number", "end vs best", gapText(row)),
    cell("number", "images/s", number(variant.imagesPerSecond, 3)),
    cell("number", "minutes", number(variant.minutes, 2)),
    cell(`meaning small${clear ? " clear" : ""}`, null, sentence));
}

function header([key, title, value, kind], scale) {
  if (!value) {
    const ends = [number(scale.low, 2), scale.log ? "log scale" : "", number(scale.high, 2)];
    return el("th", { class: "plot axis-title", scope: "col", role: "columnheader" },
      el("span", { class: "axis small" }, ...ends.map((end) => el("span", {}, end))));
  }
  const current = state.sort === key;
  const rising = (key === "value" && data.scores[state.score].higherIsBetter) === Boolean(state.down);
  const text = typeof title === "function" ? title() : title;
  return el("th", { class: kind, scope: "col", role: "columnheader", "aria-sort": current ? (rising ? "ascending" : "descending") : null },
    el("button", {
      type: "button", "data-sort": key,
      onclick: () => change({ sort: key, down: current && !state.down ? "1" : "" }),
    }, `${text}${current ? (rising ? " ↑" : " ↓") : ""}`));
}

parts.push({ on: ["score", "query", "status", "sort", "down"], draw() {
  const score = data.scores[state.score];
  const rows = rankedRows();
  const focused = document.activeElement?.dataset?.sort;
  if (!rows.length) {
    const why = score?.standings.length ? "No variant matches the search." : "No finished run has this score yet.";
    $("ranking").replaceChildren(el("p", { class: "note" }, why));
  } else {
    const scale = scaleOf(rows);
    $("ranking").replaceChildren(el("div", { class: "card ranking" }, el("table", { role: "table", "aria-label": `Variants by ${state.score}` },
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, COLUMNS.map((column) => header(column, scale)))),
      el("tbody", { role: "rowgroup" }, rows.map((row) => rankedRow(row, scale))))));
  }
  if (focused) document.querySelector(`[data-sort="${focused}"]`)?.focus();
  $("apart").replaceChildren(...(score ? setApart(score) : []));
} });

function setApart(score) {
  const there = new Set(matching());
  const list = (title, rows) => rows.length ? el("div", { class: "aside" }, el("h3", {}, title), el("ul", { class: "plain" }, rows)) : null;
  const row = (index, text) => el("li", {}, badge(index), " ", data.variants[index].name, el("span", { class: "soft" }, text));
  return [
    ...score.apart.map(({ reason, standings }) => list(`Can’t be ranked with these: ${reason}`,
      standings.filter((each) => there.has(each.variant)).map((each) => row(each.variant, `: ${withHalfWidth(each.mean, each.half).filter(Boolean).join(" ± ")}, ${each.n} seed${each.n > 1 ? "s" : ""}`)))),
    list(`Without a final ${state.score}`, score.without.filter((each) => there.has(each.variant)).map(({ variant, latest }) => {
      const statuses = data.variants[variant].statuses.join(", ");
      return row(variant, ` (${statuses})${latest === null ? "" : `: ${number(latest)} on validation so far`}`);
    })),
  ].filter(Boolean);
}

$("csv").addEventListener("click", () => {
  const head = ["letter", "variant", "score", "mean", "half_interval_95", "seeds", "values", "healthy", "ended",
    "end_worse_than_best_by", "images_per_second", "minutes", "p_against_first", "p_corrected"];
  const rows = rankedRows().map((row) => {
    const variant = data.variants[row.variant];
    return [letter(row.variant), variant.name, state.score, row.mean, row.half, row.n, row.values.map((v) => v[1]).join(" "),
      ...variant.healthy, row.gap, variant.imagesPerSecond, variant.minutes, row.pair?.[4], row.pair?.[5]];
  });
  // A spreadsheet takes a leading = for a formula.
  const cell = (value) => typeof value === "number" ? String(value) : `"${String(value ?? "").replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`;
  const text = [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n");
  const link = el("a", { href: URL.createObjectURL(new Blob([`${text}\r\n`], { type: "text/csv" })), download: `${state.score}.csv` });
  link.click();
  URL.revokeObjectURL(link.href);
});
