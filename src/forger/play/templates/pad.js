// A drawing pad of the data's own size, for pointers and for keys.
function pad(send) {
  const canvas = $("pad");
  const pen = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  const cursor = { x: Math.floor(canvas.width / 2), y: Math.floor(canvas.height / 2) };
  const brush = () => Number($("pad-brush").value);
  let before = null;

  function clear(color) {
    pen.fillStyle = color;
    pen.fillRect(0, 0, canvas.width, canvas.height);
  }

  function stroke(from, to, color) {
    pen.strokeStyle = pen.fillStyle = color;
    pen.lineWidth = brush();
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(from.x, from.y);
    pen.lineTo(to.x + 0.001, to.y);
    pen.stroke();
    send(canvas);
  }

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: ((event.clientX - box.left) / box.width) * canvas.width, y: ((event.clientY - box.top) / box.height) * canvas.height };
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    before = place(event);
    stroke(before, before, $("pad-color").value);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!before) return;
    const here = place(event);
    stroke(before, here, $("pad-color").value);
    before = here;
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { before = null; });

  canvas.addEventListener("keydown", (event) => {
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] || [0, 0];
    const middle = () => ({ x: cursor.x + 0.5, y: cursor.y + 0.5 });
    if (event.key === " ") stroke(middle(), middle(), $("pad-color").value);
    else if (event.key === "Delete" || event.key === "Backspace") stroke(middle(), middle(), "#000000");
    else if (!x && !y) return;
    event.preventDefault();
    cursor.x = Math.min(canvas.width - 1, Math.max(0, cursor.x + x));
    cursor.y = Math.min(canvas.height - 1, Math.max(0, cursor.y + y));
    say("handed", `column ${cursor.x + 1}, row ${cursor.y + 1}`);
  });

  $("pad-clear").addEventListener("click", () => { clear("#000000"); send(canvas); });
  $("pad-invert").addEventListener("click", () => {
    const picture = pen.getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < picture.data.length; i++) if (i % 4 < 3) picture.data[i] = 255 - picture.data[i];
    pen.putImageData(picture, 0, 0);
    send(canvas);
  });
  clear("#000000");
}
