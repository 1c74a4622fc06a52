for (const figure of document.querySelectorAll(".orbit:not([data-ready])")) {
  figure.dataset.ready = "yes";
  const [panels, output] = ["panels", "output"].map((part) => figure.querySelector(`.orbit-${part}`));
  const [rings, cameras] = figure.dataset.grid.split(" ").map(Number);
  const readouts = JSON.parse(figure.dataset.readouts);
  let [ring, camera] = figure.dataset.start.split(" ").map(Number);

  const share = (place, count) => `${count > 1 ? (100 * place) / (count - 1) : 0}%`;
  const show = (newRing, newCamera) => {
    ring = Math.min(rings - 1, Math.max(0, newRing));
    camera = ((newCamera % cameras) + cameras) % cameras;
    figure.style.setProperty("--x", share(camera, cameras));
    figure.style.setProperty("--y", share(ring, rings));
    const words = readouts.length
      ? readouts[ring * cameras + camera]
      : `camera ${camera + 1} of ${cameras}` + (rings > 1 ? `, ring ${ring + 1} of ${rings}` : "");
    output.textContent = words;
    panels.setAttribute("aria-valuenow", ring * cameras + camera);
    panels.setAttribute("aria-valuetext", words);
  };
  let held = null;
  panels.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    held = { x: event.clientX, y: event.clientY, ring, camera };
    panels.setPointerCapture(event.pointerId);
  });
  panels.addEventListener("pointermove", (event) => {
    if (!held) return;
    const width = panels.querySelector(".orbit-view").getBoundingClientRect().width;
    // across a view is half a turn, or all rings
    const turn = Math.round(((held.x - event.clientX) / width) * (cameras / 2));
    const tilt = Math.round(((held.y - event.clientY) / width) * rings);
    show(held.ring + tilt, held.camera + turn);
  });
  for (const end of ["pointerup", "pointercancel"]) panels.addEventListener(end, () => (held = null));
  panels.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowLeft: [0, 1], ArrowRight: [0, -1] }[event.key];
    if (!step) return;
    event.preventDefault();
    show(ring + step[0], camera + step[1]);
  });
  show(ring, camera);
}
