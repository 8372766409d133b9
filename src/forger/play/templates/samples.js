// New samples by seed.
if (can("samples")) {
  const tile = Math.min(12, Math.max(5.5, data.shape[2] / 16));
  $("samples-shown").style.setProperty("--tile", `${tile}rem`);
  $("samples-n").value = data.n;
  let first = true;

  const ask = asker("samples", "samples", ({ pictures, command }, fields) => {
    $("samples-shown").replaceChildren(...pictures.map((picture, i) => {
      const what = `sample ${i + 1} of seed ${fields.seed}`;
      const shown = image(picture, [what, described(picture)].filter(Boolean).join(", "));
      const caption = el("figcaption", {}, [picture.words, opinion(picture.d)].filter(Boolean).map((line) => el("span", {}, line)));
      return el("figure", { class: "tile" }, picture.z && can("walk") ? pinning({ ...picture, what }, shown) : shown, caption);
    }));
    showCommand("samples", command);
    const { length } = pictures;
    const judged = data.judges ? `; mean D(x) ${(pictures.reduce((sum, each) => sum + each.d, 0) / length).toFixed(2)}` : "";
    say("samples", `${length} sample${length > 1 ? "s" : ""} of seed ${fields.seed}${judged}`);
    if (first && can("walk")) pictures.slice(0, 3).forEach((picture, i) => picture.z && pin({ ...picture, what: `sample ${i + 1} of seed ${fields.seed}` }));
    first = false;
  });
  const asked = () => ask({ ...wanted(), seed: Number($("samples-seed").value), n: Number($("samples-n").value) });
  const { input, button } = seeded("samples", asked);
  $("samples-n").addEventListener("change", asked);
  button.addEventListener("click", () => { input.value = anySeed(); asked(); });
  parts.push(asked);
}
