// Curves: scores, what the discriminator says, losses by player and term, what is watched.
const GROUPS = [
  ["scores", "Scores", (key) => key.startsWith("score/")],
  ["detective", "D(x), D(G(z))", (key) => /^watch\/(d_|logit_gap)/.test(key)],
  ["losses", "Losses", (key) => key.startsWith("train/")],
  ["watch", "Watch", (key) => key.startsWith("watch/") && !/^watch\/(d_|logit_gap)/.test(key)],
  ["schedules", "Schedules", (key) => key.startsWith("schedule/")],
];
const AXES = [["images", "Images"], ["minutes", "Minutes"]];
const SCALES = [["auto", "Auto"], ["linear", "Linear"], ["log", "Log"]];
const TITLES = { "watch/d_real": "D(x): mean on real images", "watch/d_fake": "D(G(z)): mean on fakes" };

const title = (key) => TITLES[key] || key.split("/").slice(1).join(" · ").replaceAll("_", " ");
const heading = (key) => key.startsWith("score/") ? key.slice(6) : title(key);

function interpolated(xs, ys, x) {
  if (!xs.length) return NaN;
  if (x <= xs[0]) return ys[0];
  for (let i = 1; i < xs.length; i++) {
    if (x <= xs[i]) return ys[i - 1] + ((ys[i] - ys[i - 1]) * (x - xs[i - 1])) / (xs[i] - xs[i - 1] || 1);
  }
  return ys[ys.length - 1];
}

// Minutes from images: a run's own clock, and the mean of its runs' clocks for a variant.
function along(xs, runs) {
  if (state.axis === "images") return xs;
  const clocks = runs.map((run) => data.curves.clocks[run]).filter((clock) => clock?.[0].length);
  return xs.map((x) => clocks.reduce((sum, [at, seconds]) => sum + interpolated(at, seconds, x), 0) / clocks.length / 60);
}

function bandTraces(key, index) {
  const curve = data.curves.bands[key]?.[index];
  if (!curve) return [];
  const [xs, mean, sd] = curve;
  const x = along(xs, data.variants[index].runs);
  const own = ink(index);
  const name = `${letter(index)}  ${plainly(data.variants[index].name)}`;
  const line = {
    x, y: mean, mode: xs.length < 2 ? "markers" : "lines", name, line: { color: own, width: 2, dash: dash(index) }, marker: { color: own },
    customdata: sd, hovertemplate: `%{y:.4g} ± %{customdata:.2g}<br>at %{x:,.3~f} ${state.axis}<extra>${name}</extra>`,
  };
  if (data.variants[index].runs.length < 2 || state.seeds) return [line];
  const edge = { x, mode: "lines", line: { width: 0 }, hoverinfo: "skip" };
  return [
    { ...edge, y: mean.map((m, i) => m - sd[i]) },
    { ...edge, y: mean.map((m, i) => m + sd[i]), fill: "tonexty", fillcolor: see_through(own, 0.16) },
    line,
  ];
}

function seedTraces(key, index) {
  return data.variants[index].runs.flatMap((run) => {
    const curve = data.curves.seeds[key]?.[run];
    if (!curve) return [];
    const name = `${letter(index)}  seed ${data.runs[run].seed}`;
    return [{
      x: along(curve[0], [run]), y: curve[1], mode: "lines", line: { color: see_through(ink(index), 0.5), width: 1 },
      hovertemplate: `%{y:.4g}<br>at %{x:,.3~f} ${state.axis}<extra>${name}</extra>`,
    }];
  });
}

function alarmTraces(key, index) {
  const curve = data.curves.bands[key]?.[index];
  const alarms = data.variants[index].runs.flatMap((run) => data.runs[run].alarms.filter((alarm) => alarm.images !== null).map((alarm) => ({ run, ...alarm })));
  if (!curve || !alarms.length) return [];
  const text = alarms.map((alarm) => plainly([alarm.alarm, alarm.evidence, alarm.remedy && `try ${alarm.remedy}`].filter(Boolean).join("\n")).replaceAll("\n", "<br>"));
  return [{
    x: along(alarms.map((alarm) => alarm.images), data.variants[index].runs), y: alarms.map((alarm) => interpolated(curve[0], curve[1], alarm.images)),
    mode: "markers", marker: { symbol: "triangle-up", size: 11, color: css("--bad"), line: { color: css("--card"), width: 1.5 } },
    text, hovertemplate: alarms.map((alarm) => `%{text}<extra>${letter(index)} seed ${data.runs[alarm.run].seed}</extra>`), name: "alarm",
  }];
}

// On a logarithmic axis: 1, 2 and 5 of each decade, or the decades alone where there are many.
function decades(low, high) {
  const from = Math.floor(Math.log10(low));
  const to = Math.ceil(Math.log10(high));
  const steps = to - from > 3 ? [1] : [1, 2, 5];
  const values = [];
  for (let k = from; k <= to; k++) for (const step of steps) values.push(step * 10 ** k);
  return values;
}

// Each line's letter at its end, moved apart where they would cover each other: colour alone tells nothing to some.
function letters(key, visible, [low, high], log) {
  const place = log ? Math.log10 : (y) => y;
  const least = (place(high) - place(low)) * 0.065;
  const ends = visible.map((index) => {
    const [xs, mean] = data.curves.bands[key][index];
    return { index, x: along([xs.at(-1)], data.variants[index].runs)[0], y: place(mean.at(-1)), last: xs.at(-1) };
  }).filter((end) => Number.isFinite(end.y)).sort((a, b) => a.last - b.last || a.y - b.y);
  const heaps = [];
  for (const end of ends) {
    heaps.push({ ends: [end], middle: end.y });
    for (;;) {
      const [one, two] = heaps.slice(-2);
      const apart = two && (one.ends[0].last !== end.last || two.middle - one.middle >= ((one.ends.length + two.ends.length) * least) / 2);
      if (!two || apart) break;
      const joined = [...one.ends, ...two.ends];
      heaps.splice(-2, 2, { ends: joined, middle: joined.reduce((sum, each) => sum + each.y, 0) / joined.length });
    }
  }
  for (const heap of heaps) heap.places = heap.ends.map((_, i) => heap.middle + (i - (heap.ends.length - 1) / 2) * least);
  heaps.forEach((heap) => heap.ends.forEach((end, i) => { end.shown = heap.places[i]; }));
  return ends.map(({ index, x, shown: y }) => ({ x, y, text: `<b>${letter(index)}</b>`, showarrow: false, xanchor: "left", xshift: 3, font: { size: 11, color: ink(index) } }));
}

function figure(key) {
  const visible = shown().filter((index) => data.curves.bands[key]?.[index]);
  const means = visible.flatMap((index) => data.curves.bands[key][index][1]).filter((value) => value !== null);
  const [low, high] = spread(means);
  const around = visible.flatMap((index) => { const [, mean, sd] = data.curves.bands[key][index]; return mean.flatMap((m, i) => [m - sd[i], m + sd[i]]); });
  const log = state.scale === "log" || (state.scale === "auto" && key.startsWith("score/") && low > 0 && high / low > 10);
  const ends = visible.map((index) => `${data.variants[index].name} ends at ${number(data.curves.bands[key][index][1].at(-1))}`);
  const direction = key.startsWith("score/") && data.scores[key.slice(6)];
  const note = [direction && (direction.higherIsBetter ? "higher is better" : "lower is better"), log && "log scale"].filter(Boolean).join(", ");
  return el("figure", { class: "card", "data-key": key },
    el("figcaption", {}, heading(key), note ? el("span", { class: "soft" }, note) : null),
    chart(`${heading(key)} over ${state.axis}: ${ends.join("; ")}`, () => ({
      traces: [
        ...visible.flatMap((index) => (state.seeds ? seedTraces(key, index) : [])),
        ...visible.flatMap((index) => bandTraces(key, index)),
        ...visible.flatMap((index) => alarmTraces(key, index)),
      ],
      layout: {
        xaxis: { title: state.axis === "images" ? "images shown" : "minutes", rangemode: "tozero" },
        yaxis: log && low > 0 ? { type: "log", tickvals: decades(low, high), ticktext: decades(low, high).map(typed) } : {},
        annotations: letters(key, visible, log ? [low, high] : spread(around), log && low > 0),
        margin: { l: 8, r: 26, t: 10, b: 8 },
      },
    })));
}

parts.push({ on: ["group", "axis", "scale", "seeds", "query", "status", "show", "score"], draw() {
  const visible = shown();
  const keys = data.curves.keys.filter((key) => visible.some((index) => data.curves.bands[key][index]));
  const groups = GROUPS.filter(([, , belongs]) => keys.some(belongs));
  const [group, , belongs] = groups.find(([name]) => name === state.group) || groups[0] || ["", "", () => false];
  const usualGroup = state.group;
  state.group = group;
  choice($("groups"), "group", groups.map(([name, text]) => [name, text]));
  state.group = usualGroup;
  choice($("axis"), "axis", AXES);
  choice($("scale"), "scale", SCALES);
  $("seeds").checked = Boolean(state.seeds);
  forget($("charts"));
  const first = `score/${state.score}`;
  const chosen = keys.filter(belongs).sort((a, b) => (b === first) - (a === first));
  $("charts").replaceChildren(...chosen.map(figure));
  if (!chosen.length) $("charts").append(el("p", { class: "note" }, visible.length ? "These runs have written no rows yet." : "No variant is chosen."));
} });
$("seeds").addEventListener("change", (event) => change({ seeds: event.target.checked ? "1" : "" }));

parts.push({ on: ["query", "status", "show"], draw() {
  const rows = shown().flatMap((index) => data.variants[index].runs.flatMap((run) => data.runs[run].alarms.map((alarm) => el("li", {},
    el("div", { class: "alarm-row" },
      el("div", {}, badge(index), ` seed ${data.runs[run].seed}: `, el("strong", {}, alarm.alarm),
        el("span", { class: "soft" }, [alarm.images === null ? "" : ` at ${images(alarm.images)}`, alarm.confidence === null ? "" : `, confidence ${number(alarm.confidence, 2)}`].join(""))),
      el("div", { class: "soft small" }, [alarm.evidence, alarm.why].filter(Boolean).join("; ")),
      alarm.remedy ? el("div", { class: "command" }, el("code", {}, alarm.remedy), el("button", { type: "button", class: "quiet copy" }, "Copy")) : null)))));
  $("alarms").replaceChildren(...(rows.length ? [el("h3", {}, `Alarms (${rows.length})`), el("ul", { class: "plain" }, rows)] : []));
} });
