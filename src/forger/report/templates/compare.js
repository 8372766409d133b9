// Two variants, or two runs, next to each other.
const things = new Map();
data.variants.forEach((variant, index) => things.set(letter(index), { index, runs: variant.runs, name: variant.name }));
data.runs.forEach((run, number) => things.set(`r${number}`, { index: run.variant, runs: [number], name: `${data.variants[run.variant].name}, seed ${run.seed}`, run: number }));

for (const select of [$("one"), $("other")]) {
  const variants = data.variants.map((variant, index) => el("option", { value: letter(index) }, `${letter(index)}  ${variant.name}`));
  const runs = data.runs.map((run, number) => el("option", { value: `r${number}` }, `${letter(run.variant)}  seed ${run.seed}, ${run.status}`));
  select.append(el("optgroup", { label: "Variants" }, variants), el("optgroup", { label: "Runs" }, runs));
  select.addEventListener("change", (event) => change({ [select.id]: event.target.value }));
}
$("swap").addEventListener("click", () => { const [one, other] = compared(); change({ one: other, other: one }); });

function compared() {
  const one = things.has(state.one) ? state.one : letter(0);
  const rest = [...things.keys()].find((key) => key !== one) || one;
  return [one, things.has(state.other) ? state.other : rest];
}

// A thing's place by a score: a run has a value, a variant a mean.
function standing(thing, score) {
  for (const group of [{ standings: score.standings, reason: "" }, ...score.apart]) {
    const row = group.standings.find((each) => each.variant === thing.index);
    if (!row) continue;
    if (thing.run === undefined) return { ...row, reason: group.reason };
    const own = row.values.find(([seed]) => seed === data.runs[thing.run].seed);
    if (own) return { variant: row.variant, mean: own[1], half: data.runs[thing.run].scores.final[score.name]?.error, reason: group.reason, single: true };
  }
  return null;
}

// Roles as written, since a narrow screen lays the cells of a row out anew.
const cells = (...contents) => el("tr", { role: "row" }, contents.map(([content, kind]) => el("td", { role: "cell", class: kind || null }, content)));

function scoreRow(name, a, b) {
  const score = { name, ...data.scores[name] };
  const [x, y] = [standing(a, score), standing(b, score)];
  if (!x && !y) return null;
  const meanText = (row) => (row ? withHalfWidth(row.mean, row.half).filter(Boolean).join(" ± ") : "–");
  let difference = "–";
  let test = "";
  let better = 0;
  if (x && y && x.reason !== y.reason) test = `can’t be compared: ${x.reason || y.reason}`;
  else if (x && y) {
    const gap = x.mean - y.mean;
    difference = `${gap > 0 ? "+" : gap < 0 ? "−" : ""}${number(Math.abs(gap))}`;
    better = (score.higherIsBetter ? -1 : 1) * gap;
    const pair = !x.single && !y.single && pairOf(score, a.index, b.index);
    if (pair) {
      difference += ` ± ${number(pair[3], 2)}`;
      test = `p ${equals(pair[4])}, corrected ${equals(pair[5])}`;
    } else test = x.single || y.single ? "single runs: no test" : a.index === b.index ? "" : "too few seeds";
  }
  return cells([name], [meanText(x), `number${better < 0 ? " better" : ""}`], [meanText(y), `number${better > 0 ? " better" : ""}`],
    [difference, "number difference"], [test, "small soft"]);
}

function differing(a, b) {
  const [x, y] = [data.configs[a.index], data.configs[b.index]];
  return [...new Set([...Object.keys(x), ...Object.keys(y)])].filter((key) => JSON.stringify(x[key]) !== JSON.stringify(y[key])).map((key) => {
    const setting = (value) => value === undefined ? el("span", { class: "soft" }, "not set") : el("code", {}, typeof value === "string" ? value : JSON.stringify(value));
    return cells([el("code", {}, key)], [setting(x[key])], [setting(y[key])]);
  });
}

function table(label, heads, rows) {
  return el("div", { class: "card scroll", tabindex: "0", role: "region", "aria-label": label }, el("table", { class: "versus", role: "table" },
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, heads.map(([head, kind]) => el("th", { scope: "col", role: "columnheader", class: kind || null }, head)))), el("tbody", { role: "rowgroup" }, rows)));
}

parts.push({ on: ["one", "other", "at", "kind"], draw() {
  const [one, other] = compared();
  const [a, b] = [things.get(one), things.get(other)];
  if (!a || !b) return;
  $("one").value = one;
  $("other").value = other;
  const rows = scores.map((name) => scoreRow(name, a, b)).filter(Boolean);
  const names = [el("span", {}, badge(a.index), a.name), el("span", {}, badge(b.index), b.name)];
  const settings = differing(a, b);
  const content = [];
  if (rows.length) content.push(el("h3", {}, "Scores"), table("Scores of the two", [["Score"], [names[0], "number"], [names[1], "number"], ["Difference", "number"], ["Test"]], rows));
  content.push(el("h3", {}, settings.length ? `Settings that differ (${settings.length})` : "Settings"));
  content.push(settings.length ? table("Settings of the two", [["Setting"], [names[0].cloneNode(true)], [names[1].cloneNode(true)]], settings)
    : el("p", { class: "note" }, a.index === b.index ? "Two runs of one variant: nothing but the seed differs." : "No setting differs."));
  const kind = data.pictures.kinds.includes(state.kind) ? state.kind : data.pictures.kinds[0];
  const pictures = [a, b].map((thing) => [thing.index, thing.run ?? pictured(thing.index, kind, usualSeed())]).filter(([, run]) => data.pictures.of[kind]?.[run]);
  if (pictures.length) content.push(el("h3", {}, "Pictures"), el("div", { class: "pairs gallery" }, pictures.map(([index, run]) => framed(index, run, kind, Number(state.at) / 100))));
  $("comparison").replaceChildren(...content);
} });
