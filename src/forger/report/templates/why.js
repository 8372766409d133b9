// Which settings vary, and what they did to the score.
function coordinates(varied, rows) {
  const columns = [...varied.map((each) => ({ label: each.label, of: (row) => each.values[row.variant] })), { label: state.score, of: (row) => row.value }];
  const axes = columns.map(({ label, of }, i) => {
    const values = rows.map(of);
    if (values.every((value) => typeof value === "number")) {
      const [low, high] = spread(values);
      const log = low > 0 && high / low > 20;
      const place = log ? Math.log : (x) => x;
      const width = place(high) - place(low) || 1;
      const at = (x) => (place(x) - place(low)) / width;
      const distinct = [...new Set(values)].sort((a, b) => a - b);
      const ticks = distinct.length <= 6 && i < varied.length ? distinct : [low, ...[0.25, 0.5, 0.75].map((q) => (log ? Math.exp(place(low) + q * width) : low + q * width)), high];
      return { label: log ? `${label} (log)` : label, at: (row) => at(of(row)), ticks: ticks.map((value) => [at(value), typed(Number(value.toPrecision(3)))]) };
    }
    const distinct = [...new Set(values.map(String))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    const at = (value) => (distinct.length > 1 ? distinct.indexOf(String(value)) / (distinct.length - 1) : 0.5);
    return { label, at: (row) => at(of(row)), ticks: distinct.slice(0, 12).map((value) => [at(value), value.length > 18 ? `…${value.slice(-16)}` : value]) };
  });
  const higher = data.scores[state.score].higherIsBetter;
  const order = rows.map((row) => row.value).sort((a, b) => (higher ? b - a : a - b));
  return chart(`Parallel coordinates of ${rows.length} runs: ${columns.map((column) => column.label).join(", ")}`, () => ({
    traces: rows.map((row) => {
      // The better, the stronger: rank rather than value, so that one outlier doesn't take all the contrast.
      const good = 1 - order.indexOf(row.value) / Math.max(1, order.length - 1);
      return {
        x: axes.map((_, i) => i), y: axes.map((axis) => axis.at(row)), mode: "lines+markers", name: "",
        line: { color: see_through(ink(row.variant), 0.2 + 0.75 * good ** 2), width: 1 + 2 * good ** 2, shape: "spline", smoothing: 0.3 }, marker: { size: 4, color: ink(row.variant) },
        hovertemplate: `${letter(row.variant)}  ${plainly(data.variants[row.variant].name)}<br>seed ${row.seed}: ${number(row.value, 4)}<extra></extra>`,
      };
    }),
    layout: {
      margin: { l: 64, r: 64, t: 60, b: 12 },
      xaxis: { range: [-0.1, axes.length - 0.85], showgrid: false, showticklabels: false, showline: false, linecolor: "rgba(0,0,0,0)", fixedrange: true },
      yaxis: { range: [-0.06, 1.06], showgrid: false, showticklabels: false, showline: false, linecolor: "rgba(0,0,0,0)", fixedrange: true },
      shapes: axes.map((_, i) => ({ type: "line", x0: i, x1: i, y0: 0, y1: 1, line: { color: css("--soft"), width: 1 } })),
      annotations: axes.flatMap((axis, i) => [
        { x: i, y: 1.06, yshift: axes.length > 5 && i % 2 ? 17 : 0, text: `<b>${plainly(axis.label)}</b>`, showarrow: false, yanchor: "bottom", font: { size: 12 } },
        ...axis.ticks.map(([y, text]) => ({ x: i, y, text: plainly(text), showarrow: false, xanchor: "left", xshift: 6, font: { size: 11, color: css("--soft") }, bgcolor: see_through(css("--paper"), 0.7) })),
      ]),
    },
  }));
}

// What can't be told from a setting because it always changes with it.
function together(varied) {
  const few = (keys) => (keys.length > 6 ? [...keys.slice(0, 6), `${keys.length - 6} more`] : keys).join(", ");
  const rows = varied.filter((each) => each.also.length).map((each) => el("li", {}, el("strong", {}, each.label), " always changes with ", el("span", { class: "soft" }, few(each.also))));
  return rows.length ? el("details", { class: "more" }, el("summary", {}, "What each axis stands for"), el("ul", { class: "plain small" }, rows)) : null;
}

function settingsTable(varied, there) {
  return el("details", { class: "more" }, el("summary", {}, "The same as a table"), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Settings by variant" }, el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Variant"), ...varied.map((each) => el("th", { scope: "col", title: [each.key, ...each.also].join(", ") }, each.label)))),
    el("tbody", {}, there.map((index) => el("tr", {}, el("th", { scope: "row" }, badge(index)), ...varied.map((each) => el("td", {}, String(each.values[index])))))))));
}

parts.push({ on: ["score", "query", "status", "theme"], draw() {
  const holder = $("reasons");
  forget(holder);
  const there = matching();
  const score = data.scores[state.score];
  const rows = (score?.standings || []).filter((each) => there.includes(each.variant)).flatMap((each) => each.values.map(([seed, value]) => ({ variant: each.variant, seed, value })));
  const ranked = [...new Set(rows.map((row) => row.variant))];
  const varied = data.parameters.filter((each) => new Set(ranked.map((index) => String(each.values[index]))).size > 1);
  const content = [];
  if (varied.length) {
    content.push(el("p", { class: "soft" }, "A line is a run; the better its score, the stronger the line."),
      el("div", { class: "scroll card coordinates", tabindex: "0", role: "region", "aria-label": "Parallel coordinates" }, coordinates(varied, rows)),
      settingsTable(varied, ranked), together(varied) || "");
    if (data.moreParameters) content.push(el("p", { class: "note" }, `${data.moreParameters} more settings differ somewhere; see Compare two.`));
  } else content.push(el("p", { class: "note" }, "The variants that have this score don’t differ in their settings."));
  const { shares = [], reason = "is worked out for the first scores only" } = data.importance[state.score] || {};
  content.push(el("h3", {}, "How much of the score each setting explains"));
  if (shares.length) {
    const most = Math.max(...shares.map((each) => each[1])) || 1;
    content.push(el("p", { class: "soft" }, "fANOVA over runs: shares of the variance that a forest of trees can attribute. With few runs, a hint."),
      el("div", { class: "bars" }, shares.flatMap(([label, part]) => [
        el("span", {}, label), el("span", { class: "bar", style: { width: `${(100 * part) / most}%` } }), el("span", {}, `${Math.round(100 * part)}%`)])));
  } else content.push(el("p", { class: "note" }, `Importance ${reason}.`));
  holder.replaceChildren(...content);
} });
