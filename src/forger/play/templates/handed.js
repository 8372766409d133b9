// A picture from a file or from the pad, and what the game makes of it.
if (can("handed")) {
  let last = null;

  const ask = asker("handed", "handed", ({ given, made, notes: done, z, opinions }, { name, drawn }) => {
    const notes = drawn ? [] : done; // of a canvas the browser makes a PNG in colour, whatever it holds
    const size = { class: made && made.width > 96 ? "large" : null };
    const figures = [el("figure", size, image(given, `${name}, as the game gets it`), el("figcaption", {}, "as the game gets it"))];
    if (made) figures.push(el("figure", size, image(made, `what the game makes of ${name}`), el("figcaption", {}, `made: ${made.width}×${made.height}`)));
    if (opinions) figures.push(el("div", {}, el("h3", {}, "D(x)"), el("div", { class: "opinions" }, opinions.flatMap(({ words, d }) => [
      el("span", {}, words || "this picture"), el("span", { class: "bar", style: { width: `${100 * d}%` } }), el("span", {}, d.toFixed(2))]))));
    if (z && can("walk")) figures[1].append(el("button", { type: "button", onclick: () => pin({ ...made, z, what: name }) }, "Pin this picture"));
    $("handed-shown").replaceChildren(...figures);
    const best = opinions?.reduce((a, b) => (a.d > b.d ? a : b));
    say("handed", [name, ...notes, best ? `${best.words ? `${best.words}, ` : ""}${opinion(best.d)}` : ""].filter(Boolean).join("; "));
  });

  const send = () => {
    if (last) ask({ ...wanted(), ...last, ...($("handed-direction") ? { direction: $("handed-direction").value } : {}) });
  };
  const read = (blob, name, drawn = false) => {
    if (blob.size > data.mostBytes) return complain("handed", `${name}: too large, at most ${Math.floor(data.mostBytes / 1e6)} MB`);
    const reader = new FileReader();
    reader.onload = () => { last = { file: reader.result.slice(reader.result.indexOf(",") + 1), name, drawn }; send(); };
    return reader.readAsDataURL(blob);
  };
  $("handed-file").addEventListener("change", ({ target }) => { if (target.files[0]) read(target.files[0], target.files[0].name.slice(-200)); });
  $("handed-direction")?.addEventListener("change", send);
  if (data.judges) parts.push(send);
  if ($("pad")) pad((canvas) => canvas.toBlob((blob) => read(blob, "your drawing", true), "image/png"));
}
