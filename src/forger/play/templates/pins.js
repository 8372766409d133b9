// At most three pictures are pinned, each with its latent; one more takes the place of the oldest.
const pins = [];
const LETTERS = ["A", "B", "C"];
const onPins = [];
const isPinned = (picture) => pins.some((each) => each && each.what === picture.what && each.src === picture.src);
let age = 0;

function pin(picture) {
  if (isPinned(picture)) return;
  const free = LETTERS.findIndex((_, i) => !pins[i]);
  const place = free >= 0 ? free : pins.indexOf(pins.reduce((a, b) => (a.age < b.age ? a : b)));
  pins[place] = { ...picture, age: age++ };
  pinsChanged();
}

function unpin(picture) {
  const place = pins.findIndex((each) => each && each.what === picture.what && each.src === picture.src);
  if (place >= 0) pins[place] = null;
  pinsChanged();
}

// A picture as a button that pins it.
function pinning(picture, content) {
  const button = el("button", { type: "button", "aria-pressed": String(isPinned(picture)), title: "Pin", onclick: () => (isPinned(picture) ? unpin : pin)(picture) }, content);
  button.update = () => button.setAttribute("aria-pressed", String(isPinned(picture)));
  button.dataset.pinning = "";
  return button;
}

function pinsChanged() {
  for (const button of document.querySelectorAll("[data-pinning]")) button.update();
  for (const hear of onPins) hear();
}
