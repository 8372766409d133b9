// Plotly in the page's own colours; a chart is drawn when it comes into view.
const drawn = new Map();
const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) draw(target);
}, { rootMargin: "300px" });

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const ink = (index) => css(`--c${index % 8}`);
// Plotly reads a little HTML in its texts; a name is no HTML.
const plainly = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function see_through(hex, alpha) {
  const value = Number.parseInt(hex.slice(1), 16);
  return `rgba(${value >> 16},${(value >> 8) & 255},${value & 255},${alpha})`;
}

function chart(label, make) {
  const holder = el("div", { class: "chart", role: "img", "aria-label": label });
  drawn.set(holder, { make, stale: true });
  seen.observe(holder);
  return holder;
}

function draw(holder) {
  const entry = drawn.get(holder);
  if (!entry?.stale || !holder.isConnected) return;
  entry.stale = false;
  const { traces, layout } = entry.make();
  const axis = {
    gridcolor: css("--line"), zeroline: false, linecolor: css("--line"), tickfont: { color: css("--soft"), size: 11 },
    title: { font: { color: css("--soft"), size: 11 }, standoff: 8 }, automargin: true, fixedrange: coarse.matches,
  };
  const fullLayout = {
    margin: { l: 8, r: 14, t: 10, b: 8 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", color: css("--ink"), size: 12 }, showlegend: false, hovermode: "closest",
    hoverlabel: { bgcolor: css("--card"), bordercolor: css("--line"), font: { color: css("--ink"), size: 12 }, align: "left" },
    dragmode: coarse.matches ? false : "zoom", ...layout,
    xaxis: { ...axis, ...layout.xaxis, title: { ...axis.title, text: layout.xaxis?.title || "" } },
    yaxis: { ...axis, ...layout.yaxis, title: { ...axis.title, text: layout.yaxis?.title || "" } },
  };
  Plotly.newPlot(holder, traces, fullLayout, { displayModeBar: false, responsive: true, doubleClick: "reset" });
}

const coarse = matchMedia("(pointer: coarse)");

// Charts that left the page let go of their memory.
function forget(holder) {
  for (const old of holder.querySelectorAll(".chart")) {
    seen.unobserve(old);
    drawn.delete(old);
    Plotly.purge(old);
  }
}

parts.push({ on: ["theme"], draw() {
  for (const [holder, entry] of drawn) {
    entry.stale = true;
    seen.unobserve(holder);
    seen.observe(holder);
  }
} });
