// The headline, and the switches beside it.
parts.push({ on: ["score"], draw() {
  const score = data.scores[state.score];
  if (!score) return;
  $("headline").textContent = score.headline;
  $("detail").textContent = score.detail;
  document.title = score.headline;
} });

parts.push({ draw() {
  if (document.activeElement !== $("query")) $("query").value = state.query;
  $("score").value = state.score;
  $("status").value = state.status;
  const there = matching().length;
  const all = data.variants.length;
  $("count").textContent = there === all ? "" : `${there} of ${all} variants`;
} });

fill($("score"), scores.map((name) => [name, name]), state.score);
$("score").addEventListener("change", (event) => change({ score: event.target.value, sort: "value", down: "" }));
$("query").addEventListener("input", (event) => change({ query: event.target.value }));
const statuses = [...new Set(data.variants.flatMap((variant) => variant.statuses))].sort();
fill($("status"), [["", "any"], ...statuses.map((name) => [name, name])], state.status);
$("status").addEventListener("change", (event) => change({ status: event.target.value }));

parts.push({ on: ["theme"], draw: () => wear(state.theme) });
dark.addEventListener("change", () => update(["theme"]));
$("theme").addEventListener("click", () => change({ theme: themeAfter(state.theme) }));
