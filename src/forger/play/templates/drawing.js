// Whatever `forger sample` draws.
if (can("drawing")) {
  const names = Object.keys(data.pictures);
  fill($("drawing-name"), names.map((name) => [name, name.replaceAll("-", " ")]), names[0]);
  const ask = asker("drawing", "drawing", (answer, fields) => {
    const name = fields.picture.replaceAll("-", " ");
    $("drawing-shown").replaceChildren(image(answer, `${name} of seed ${fields.seed}`));
    showCommand("drawing", answer.command);
    say("drawing", `${name} of seed ${fields.seed}`);
  });
  const asked = () => {
    say("drawing", "Drawing…");
    ask({ ...wanted(), picture: $("drawing-name").value, seed: Number($("drawing-seed").value), n: Number($("drawing-n").value) });
  };
  const usual = () => { $("drawing-n").value = data.pictures[$("drawing-name").value]; };
  $("drawing-name").addEventListener("change", usual);
  const { button } = seeded("drawing", asked);
  button.addEventListener("click", asked);
  usual();
  if (data.draws) asked();
}
