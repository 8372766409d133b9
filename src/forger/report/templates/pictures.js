// Pictures side by side, one moment of training at a time.
const seedsShown = [...new Set(Object.values(data.pictures.of).flatMap((runs) => Object.keys(runs).map((run) => data.runs[run].seed)))].sort((a, b) => a - b);
fill($("picture-seed"), seedsShown.map((seed) => [String(seed), String(seed)]), "");

function usualSeed() {
  const count = (seed) => data.runs.filter((run) => run.seed === seed).length;
  return [...seedsShown].sort((a, b) => count(b) - count(a) || a - b)[0];
}

// The run of a variant that has such pictures, with this seed if it can be.
function pictured(index, kind, seed) {
  const of = data.pictures.of[kind] || {};
  const runs = data.variants[index].runs.filter((run) => of[run]);
  return runs.find((run) => data.runs[run].seed === seed) ?? runs[0];
}

function framed(index, run, kind, at) {
  const frames = data.pictures.of[kind][run];
  const last = frames[frames.length - 1].images || 1;
  const wanted = at * last;
  const near = frames.reduce((best, frame) => (Math.abs(frame.images - wanted) < Math.abs(best.images - wanted) ? frame : best));
  const name = data.variants[index].name;
  const what = kind === "training" ? "samples" : kind;
  return el("figure", { "data-run": run },
    el("figcaption", {}, badge(index), el("span", {}, named(index)), el("span", { class: "soft" }, `seed ${data.runs[run].seed}`)),
    el("img", { src: near.src, width: near.width, height: near.height, alt: `${what} of ${name}, seed ${data.runs[run].seed}, after ${images(near.images)}` }),
    el("p", { class: "note" }, images(near.images)));
}

parts.push({ on: ["query", "status", "show", "kind", "seed", "at"], draw() {
  const { kinds, of } = data.pictures;
  const kind = kinds.includes(state.kind) ? state.kind : kinds[0];
  const seed = state.seed === "" ? usualSeed() : Number(state.seed);
  choice($("kinds"), "kind", kinds.map((name) => [name, name === "training" ? "Through training" : name.replaceAll("-", " ")]));
  $("picture-seed").value = String(seed);
  const moving = kind === "training" && Object.values(of.training || {}).some((frames) => frames.length > 1);
  $("moment-label").hidden = $("play").hidden = $("moment-value").hidden = !moving;
  const at = moving ? Math.min(100, Math.max(0, Number(state.at) || 0)) : 100;
  $("moment").value = at;
  $("moment-value").textContent = `${at}%`;
  $("moment").setAttribute("aria-valuetext", `${at}% of training`);
  const there = shown().map((index) => [index, pictured(index, kind, seed)]).filter(([, run]) => run !== undefined);
  $("gallery").replaceChildren(...there.map(([index, run]) => framed(index, run, kind, at / 100)));
  // Wide pictures need wide columns to be seen.
  const wide = there.some(([, run]) => { const { width, height } = of[kind][run][0]; return width / height > 2; });
  $("gallery").style.setProperty("--least", wide ? "24rem" : there.length > 4 ? "13rem" : "17rem");
  const notes = [];
  if (!there.length) notes.push("These runs have drawn no pictures.");
  if (data.pictures.shown < data.pictures.wanted) notes.push(`${data.pictures.shown} of ${data.pictures.wanted} pictures fit on this page.`);
  if (!kinds.includes("neighbours")) notes.push("Nearest training neighbours appear here once they are drawn: forger sample RUN --what neighbours.");
  $("picture-note").textContent = notes.join(" ");
} });
$("picture-seed").addEventListener("change", (event) => change({ seed: event.target.value }));
$("moment").addEventListener("input", (event) => change({ at: event.target.value }));

let playing = 0;
function stop() {
  clearInterval(playing);
  playing = 0;
  $("play").textContent = "Play";
}
$("play").addEventListener("click", () => {
  if (playing) return stop();
  $("play").textContent = "Stop";
  change({ at: "0" });
  playing = setInterval(() => {
    const next = Math.min(100, Number(state.at) + 10);
    change({ at: String(next) });
    if (next >= 100) stop();
  }, 600);
});
