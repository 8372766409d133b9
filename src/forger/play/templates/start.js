const can = (what) => data.can.includes(what);
const anySeed = () => Math.floor(Math.random() * 2 ** 31);
const parts = [];

// A part of the page asks here. While the server answers, only the last of the next requests is kept.
function asker(place, what, draw) {
  let next = null, busy = false;
  return async function ask(fields) {
    if (busy) { next = fields; return; }
    busy = true;
    $(place).setAttribute("aria-busy", "true");
    try {
      const body = JSON.stringify({ what, ...fields });
      const response = await fetch("ask", { method: "POST", headers: { "Content-Type": "application/json" }, body });
      const answer = await response.json();
      if (!response.ok) throw new Error(answer.error);
      complain(place, "");
      draw(answer, fields);
    } catch (error) {
      complain(place, error instanceof TypeError ? "The server has gone." : error.message);
    }
    busy = false;
    $(place).setAttribute("aria-busy", "false");
    if (next) { const last = next; next = null; ask(last); }
  };
}

function complain(place, text) {
  $(`${place}-problem`).textContent = text;
}

// For screen readers too: not each step of a movement, but where it ends.
const sayings = {};
function say(place, text) {
  clearTimeout(sayings[place]);
  sayings[place] = setTimeout(() => { $(`${place}-said`).textContent = text; }, 250);
}

function showCommand(place, command) {
  $(`${place}-command`).hidden = !command;
  $(`${place}-command`).querySelector("code").textContent = command || "";
}

const opinion = (d) => (d === undefined ? "" : `D(x) ${d.toFixed(2)}`);
const described = (picture) => [picture.words, opinion(picture.d)].filter(Boolean).join(", ");

function image(picture, alt) {
  return el("img", { src: picture.src, width: picture.width, height: picture.height, alt });
}

function framed(picture, what) {
  return el("figure", {}, image(picture, `${what}${described(picture) ? `: ${described(picture)}` : ""}`), el("figcaption", {}, described(picture) || what));
}

// Of a place between samples there is no command, but an expression.
function copying(python) {
  return el("div", { class: "python" }, el("code", { hidden: true }, python), el("button", { type: "button", class: "quiet copy" }, "Copy as Python"));
}

// What is asked for of all samples: class or conditions, and truncation.
function wanted() {
  const fields = {};
  if ($("truncation")) fields.truncation = Number($("truncation").value);
  if ($("class")?.value) fields.labels = [Number($("class").value)];
  const given = [...document.querySelectorAll("[data-condition]")].filter((input) => input.value !== "");
  if (given.length) fields.conditions = [Object.fromEntries(given.map((input) => [input.dataset.condition, input.value]))];
  return fields;
}

function changed() {
  if ($("truncation")) $("truncation-value").textContent = Number($("truncation").value).toFixed(2);
  for (const part of parts) part();
}

if ($("class")) fill($("class"), [["", "all in turn"], ...Array.from({ length: data.classes }, (_, i) => [String(i), String(i)])], "");
for (const { name, values } of data.conditions) {
  const select = document.querySelector(`select[data-condition="${CSS.escape(name)}"]`);
  if (select) fill(select, [["", "as in the data"], ...values.map((text) => [text, text])], "");
}
for (const input of document.querySelectorAll("#class, #truncation, [data-condition]")) input.addEventListener("input", changed);

// A seed's field, and a button for another one.
function seeded(place, ask) {
  const [input, button] = [$(`${place}-seed`), $(`${place}-new`)];
  input.value = data.seed;
  input.addEventListener("change", ask);
  return { input, button };
}

let theme = sessionStorage.getItem("theme") || "";
wear(theme);
dark.addEventListener("change", () => wear(theme));
$("theme").addEventListener("click", () => {
  theme = themeAfter(theme);
  sessionStorage.setItem("theme", theme);
  wear(theme);
});
