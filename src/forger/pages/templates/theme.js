// "light", "dark", or "" as the reader's system has it.
const dark = matchMedia("(prefers-color-scheme: dark)");
function wear(theme) {
  document.documentElement.dataset.theme = theme || (dark.matches ? "dark" : "light");
  $("theme").textContent = `Theme: ${theme || "auto"}`;
}

function themeAfter(theme) {
  const order = ["", "light", "dark"];
  return order[(order.indexOf(theme) + 1) % order.length];
}
