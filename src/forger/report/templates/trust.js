// The list of runs is in the page already; here it gets its colours and follows the search.
for (const place of document.querySelectorAll("[data-badge]")) {
  const index = Number(place.dataset.badge);
  place.textContent = letter(index);
  place.style.setProperty("--own", colour(index));
}

parts.push({ on: ["query", "status"], draw() {
  const there = matching();
  for (const run of document.querySelectorAll("details.run")) {
    run.hidden = !there.includes(Number(run.dataset.variant)) || Boolean(state.status && run.dataset.status !== state.status);
  }
} });
