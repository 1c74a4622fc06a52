const STEPS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

function render({ model, el }) {
  el.innerHTML = `<div class="clicker">
    <div class="clicker-picture" role="application" tabindex="0" data-lm-suppress-shortcuts="true"
      aria-label="Picture to click on: points and a box choose what the mask covers">
      <img class="clicker-image" alt="" draggable="false"><svg class="clicker-overlay" aria-hidden="true"></svg>
    </div>
    <output class="clicker-said"></output>
    <p class="clicker-help">Click: a point inside. Shift+click: a point outside. Click on a point: remove it. Drag: a box.
      Keyboard: arrows (with Shift: 10 pixels), Enter, Shift+Enter, and B at two corners of a box.</p>
  </div>`;
  const [picture, image, overlay, said, help] = ["picture", "image", "overlay", "said", "help"].map((part) =>
    el.querySelector(`.clicker-${part}`),
  );
  const size = model.get("size"), scale = model.get("scale");
  let cursor = [size >> 1, size >> 1], start = null, drag = null, corner = null;
  help.id = `clicker-${Math.random().toString(36).slice(2)}`;
  picture.setAttribute("aria-describedby", help.id);
  picture.style.width = `${size * scale}px`;
  overlay.setAttribute("viewBox", `0 0 ${size} ${size}`);

  const inside = (value) => Math.min(size - 1, Math.max(0, Math.floor(value)));
  const place = (event) => {
    const frame = picture.getBoundingClientRect();
    const { width, height, left, top } = frame;
    return [inside(((event.clientX - left) / width) * size), inside(((event.clientY - top) / height) * size)];
  };
  const between = ([a, b], [c, d]) => [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
  const change = (name, value, words) => {
    model.set(name, value);
    model.save_changes();
    said.textContent = words;
  };
  const toggle = ([x, y], outside) => {
    const points = [...model.get("points")], label = outside ? 0 : model.get("label");
    const found = points.findIndex((point) => Math.hypot(point[0] - x, point[1] - y) * scale <= 7);
    if (found < 0) points.push([x, y, label]);
    else points.splice(found, 1);
    change("points", points, `point ${found < 0 ? (label ? "inside" : "outside") : "removed"} at x ${x}, y ${y}`);
  };
  const enclose = (one, other) => {
    const box = between(one, other);
    change("box", box, `box from x ${box[0]}, y ${box[1]} to x ${box[2]}, y ${box[3]}`);
  };

  const rectangle = ([left, top, right, bottom]) =>
    ["under", "over"].map((part) =>
      `<rect class="clicker-box-${part}" x="${left}" y="${top}" width="${right - left + 1}" height="${bottom - top + 1}"/>`,
    ).join("");
  const mark = (kind, [x, y], shape) =>
    `<g class="clicker-${kind}" transform="translate(${x + 0.5} ${y + 0.5}) scale(${1 / scale})">${shape}</g>`;
  const draw = () => {
    const box = drag ?? (corner ? between(corner, cursor) : model.get("box"));
    const points = model.get("points").map(([x, y, label]) =>
      mark(label ? "inside" : "outside", [x, y], `<circle r="6"/><path d="M-3 0H3${label ? "M0 -3V3" : ""}"/>`),
    );
    const cross = "M-12 0H-4M4 0H12M0 -12V-4M0 4V12";
    const lines = `<path class="clicker-box-under" d="${cross}"/><path class="clicker-line" d="${cross}"/>`;
    overlay.innerHTML = (box.length ? rectangle(box) : "") + points.join("") + mark("cursor", cursor, lines);
  };
  const show = () => {
    const old = image.src;
    image.src = URL.createObjectURL(new Blob([model.get("picture")], { type: "image/png" }));
    if (old) URL.revokeObjectURL(old);
  };
  const stop = () => {
    start = drag = null;
    draw();
  };

  picture.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    picture.setPointerCapture(event.pointerId);
    corner = null;
    start = { x: event.clientX, y: event.clientY, place: place(event) };
  });
  picture.addEventListener("pointermove", (event) => {
    if (!start || (!drag && Math.hypot(event.clientX - start.x, event.clientY - start.y) <= 4)) return;
    drag = between(start.place, place(event));
    draw();
  });
  picture.addEventListener("pointerup", (event) => {
    if (!start) return;
    cursor = place(event);
    if (drag) enclose(start.place, cursor);
    else toggle(start.place, event.shiftKey);
    stop();
  });
  picture.addEventListener("pointercancel", stop);
  picture.addEventListener("keydown", (event) => {
    const step = STEPS[event.key], key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey || event.altKey || !(step || ["enter", "b", "escape"].includes(key))) return;
    event.preventDefault();
    event.stopPropagation();
    if (step) {
      cursor = cursor.map((value, i) => inside(value + step[i] * (event.shiftKey ? 10 : 1)));
      said.textContent = `x ${cursor[0]}, y ${cursor[1]}`;
    } else if (key === "enter") {
      toggle(cursor, event.shiftKey);
    } else if (key === "b" && !corner) {
      corner = cursor;
      said.textContent = `first corner at x ${cursor[0]}, y ${cursor[1]}`;
    } else {
      if (key === "b") enclose(corner, cursor);
      start = drag = corner = null;
    }
    draw();
  });

  const redraw = ["points", "box"];
  redraw.forEach((name) => model.on(`change:${name}`, draw));
  model.on("change:picture", show);
  show();
  draw();
  return () => {
    redraw.forEach((name) => model.off(`change:${name}`, draw));
    model.off("change:picture", show);
    URL.revokeObjectURL(image.src);
  };
}

export default { render };
