// A plane as a map; the picture of the place under the pointer.
if (can("plane")) {
  const at = { across: 0.5, down: 0.5 };
  let side = 7, current = null;
  const kind = () => $("plane-kind")?.value || "usual";

  function fields() {
    const asked = { ...wanted(), plane: kind(), seed: Number($("plane-seed")?.value || data.seed) };
    if (asked.plane === "pinned") asked.corners = pins.filter(Boolean).map((each) => each.z);
    return asked;
  }

  const askMap = asker("plane", "map", (answer) => {
    side = answer.side;
    $("plane-image").src = answer.src;
    $("plane-image").alt = `${side} times ${side} pictures of the plane${answer.words ? `, ${answer.words}` : ""}`;
    $("plane-image").width = answer.width;
    $("plane-image").height = answer.height;
    showCommand("map", answer.command);
  });
  const askPlace = asker("plane", "plane", ({ picture, python }, asked) => {
    const where = `${Math.round(asked.across * 100)}% across, ${Math.round(asked.down * 100)}% down`;
    current = { ...picture, what: where };
    $("plane-shown").replaceChildren(framed(picture, where), el("div", { class: "controls" },
      el("button", { type: "button", onclick: () => pin(current) }, "Pin this picture"), copying(python)));
    say("plane", [where, described(picture)].filter(Boolean).join(", "));
  });

  // Places are counted from the middle of the first tile to the middle of the last one.
  const position = (share) => `${(100 * (share * (side - 1) + 0.5)) / side}%`;
  function go(across, down) {
    at.across = Math.min(1, Math.max(0, across));
    at.down = Math.min(1, Math.max(0, down));
    $("plane-mark").style.left = position(at.across);
    $("plane-mark").style.top = position(at.down);
    if (ready()) askPlace({ ...fields(), ...at });
  }

  function ready() {
    const enough = kind() !== "pinned" || pins.filter(Boolean).length === 3;
    complain("plane", enough ? "" : "Pin three pictures to span this plane.");
    return enough;
  }

  function asked() {
    if ($("plane-seed")) $("plane-seed-label").hidden = $("plane-new").hidden = kind() !== "usual";
    if (!ready()) return;
    askMap(fields());
    go(at.across, at.down);
  }

  const map = $("plane-map");
  map.addEventListener("pointermove", (event) => {
    const box = map.getBoundingClientRect();
    const share = (part, whole) => (side > 1 ? ((part / whole) * side - 0.5) / (side - 1) : 0.5);
    go(share(event.clientX - box.left, box.width), share(event.clientY - box.top, box.height));
  });
  map.addEventListener("pointerdown", (event) => { if (event.pointerType === "mouse" && current) pin(current); });
  map.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 0.1 : 0.02;
    const [x, y] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key] || [0, 0];
    if (event.key === "Enter" && current) pin(current);
    if (!x && !y) return;
    event.preventDefault();
    go(at.across + x, at.down + y);
  });

  $("plane-kind")?.addEventListener("change", asked);
  if ($("plane-seed")) {
    const { input, button } = seeded("plane", asked);
    button.addEventListener("click", () => { input.value = anySeed(); asked(); });
  }
  onPins.push(() => { if (kind() === "pinned") asked(); });
  parts.push(asked);
}
