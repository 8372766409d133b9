// A walk between two pinned pictures.
if (can("walk")) {
  const ask = asker("walk", "walk", ({ picture, python }, fields) => {
    const way = `${Math.round(fields.share * 100)}% of the way`;
    $("walk-shown").replaceChildren(framed(picture, way), el("div", { class: "controls" }, copying(python)));
    say("walk", [way, described(picture)].filter(Boolean).join(", "));
  });

  const ends = () => [$("walk-from"), $("walk-to")].map((select) => pins[LETTERS.indexOf(select.value)]);
  const asked = () => {
    const [from, to] = ends();
    const share = Number($("walk-share").value) / 100;
    $("walk-share").setAttribute("aria-valuetext", `${Math.round(share * 100)}% of the way`);
    if (from && to) ask({ from: from.z, to: to.z, from_label: from.label, to_label: to.label, share });
  };

  onPins.push(() => {
    $("pins").replaceChildren(...pins.map((each, i) => each && el("li", {}, el("span", { class: "letter" }, LETTERS[i]), image(each, ""),
      el("span", {}, [each.what, each.words].filter(Boolean).join(", ")),
      el("button", { type: "button", class: "quiet", "aria-label": `Unpin ${LETTERS[i]}`, onclick: () => unpin(each) }, "Unpin"))).filter(Boolean));
    const there = LETTERS.filter((_, i) => pins[i]);
    for (const [select, usual] of [[$("walk-from"), 0], [$("walk-to"), 1]]) {
      const before = select.value;
      fill(select, there.map((letter) => [letter, letter]), there.includes(before) ? before : there[Math.min(usual, there.length - 1)] || "");
    }
    if (there.length > 1 && $("walk-from").value === $("walk-to").value) $("walk-to").value = there.find((letter) => letter !== $("walk-from").value);
    if (there.length < 2) { $("walk-shown").replaceChildren(); say("walk", "Pin two pictures for a walk."); } else asked();
  });
  $("walk-share").addEventListener("input", asked);
  for (const id of ["walk-from", "walk-to"]) $(id).addEventListener("change", asked);
}
