const scores = Object.keys(data.scores);

// A: the first of the default ranking.
const letter = (index) => (index < 26 ? "" : letter(Math.floor(index / 26) - 1)) + String.fromCharCode(65 + (index % 26));
const colour = (index) => `var(--c${index % 8})`;
const dash = (index) => ["solid", "dash", "dot", "dashdot"][Math.floor(index / 8) % 4];

// What the page shows; the fragment holds whatever differs from this.
const usual = {
  score: scores[0] || "", query: "", status: "", sort: "value", down: "", show: "", group: "scores", axis: "images",
  scale: "auto", seeds: "", kind: data.pictures.kinds[0] || "", seed: "", at: "100", one: "", other: "", theme: "",
};
const state = { ...usual };
const parts = [];

function change(changes) {
  Object.assign(state, changes);
  const changed = Object.entries(state).filter(([key, value]) => value !== usual[key]);
  const fragment = changed.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
  history.replaceState(null, "", `#${fragment}`);
  update(Object.keys(changes));
}

function update(changed) {
  for (const part of parts) if (!part.on || part.on.some((key) => changed.includes(key))) part.draw();
}

function readFragment() {
  const fragment = location.hash.slice(1);
  if (fragment && !fragment.includes("=")) return false; // a plain link to a section
  Object.assign(state, usual);
  for (const pair of fragment.split("&")) {
    const [key, value] = pair.split("=");
    try {
      if (key in usual) state[key] = decodeURIComponent(value || "");
    } catch { /* a fragment that somebody mistyped */ }
  }
  if (!(state.score in data.scores)) state.score = usual.score;
  return true;
}

function badge(index) {
  return el("span", { class: "badge", style: { "--own": colour(index) } }, letter(index));
}

// A long name may break after its own separators, and nowhere else.
const named = (index) => data.variants[index].name.split(/(?<=[_/])/).flatMap((part, i) => (i ? [el("wbr"), part] : [part]));

function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const places = digits - 1 - Math.floor(Math.log10(Math.abs(value)));
  if (places <= -6 || places >= 9) return value.toExponential(digits - 1);
  return rounded(value, places);
}

// With so many decimal places; below zero, to tens or hundreds.
function rounded(value, places) {
  const step = 10 ** Math.max(-places, 0);
  const shown = Math.max(places, 0);
  return (places > 0 ? value : Math.round(value / step) * step)
    .toLocaleString("en-US", { minimumFractionDigits: shown, maximumFractionDigits: shown });
}

// As `with_half_width` in verdict.py.
function withHalfWidth(mean, half) {
  if (!half) return [number(mean), ""];
  const places = 1 - Math.floor(Math.log10(half));
  if (places <= -6 || places >= 9) return [mean.toPrecision(3), half.toExponential(1)];
  return [rounded(mean, places), rounded(half, places)];
}

function pValue(p) {
  if (p < 0.001) return "< .001";
  const text = p >= 0.095 ? p.toFixed(2) : p < 0.0095 ? p.toFixed(3) : String(Number(p.toPrecision(2)));
  return p < 1 ? text.replace(/^0/, "") : "1";
}

const equals = (p) => (p < 0.001 ? pValue(p) : `= ${pValue(p)}`);

// A setting as somebody would type it.
const typed = (value) => (Math.abs(value) >= 1e4 ? value.toLocaleString("en-US") : String(Number(value.toPrecision(4))));

const images = (value) => `${Math.round(value).toLocaleString("en-US")} images`;
const spread = (values) => [Math.min(...values), Math.max(...values)];

function choice(holder, key, options) {
  holder.replaceChildren(...options.map(([value, text]) => el("button", {
    type: "button", "aria-pressed": String(state[key] === value), onclick: () => change({ [key]: value }),
  }, text)));
  if (options.length < 2) holder.replaceChildren();
}

// Which variants are there: what the search and the status leave, and of those the ones that are shown in charts.
const MOST_SHOWN = 8;
function matching() {
  const words = state.query.toLowerCase().split(/\s+/).filter(Boolean);
  return data.variants.map((_, index) => index).filter((index) => {
    const variant = data.variants[index];
    const text = [variant.name, ...variant.overrides].join(" ").toLowerCase();
    return words.every((word) => text.includes(word)) && (!state.status || variant.statuses.includes(state.status));
  });
}

function shown() {
  const there = matching();
  if (state.show === "none") return [];
  if (!state.show) return there.slice(0, MOST_SHOWN);
  const letters = state.show.split(",");
  return there.filter((index) => letters.includes(letter(index)));
}

function toggle(index) {
  const now = shown();
  const next = now.includes(index) ? now.filter((other) => other !== index) : [...now, index];
  change({ show: next.map(letter).join(",") || "none" });
}

parts.push({ on: ["query", "status", "show", "score"], draw() {
  const visible = shown();
  for (const legend of document.querySelectorAll("[data-legend]")) {
    const focused = [...legend.children].indexOf(document.activeElement);
    legend.replaceChildren(...matching().map((index) => el("button", {
      type: "button", "aria-pressed": String(visible.includes(index)), onclick: () => toggle(index),
      title: data.variants[index].name,
    }, badge(index), el("span", { class: "short" }, data.variants[index].name))));
    if (focused >= 0) legend.children[focused]?.focus();
  }
} });
