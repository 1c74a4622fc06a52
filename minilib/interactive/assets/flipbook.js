for (const book of document.querySelectorAll(".flipbook:not([data-ready])")) {
  book.dataset.ready = "yes";
  const [slider, button, output] = ["input", "button", "output"].map((tag) => book.querySelector(tag));
  const tracks = [...book.querySelectorAll(".flipbook-track")].map((t) => [...t.querySelectorAll(".flipbook-frame")]);
  const labels = JSON.parse(book.dataset.labels);
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let timer = 0;

  const show = (index) => {
    for (const frames of tracks) frames.forEach((frame, k) => (frame.hidden = k !== index));
    slider.value = index;
    slider.setAttribute("aria-valuetext", labels[index]);
    output.textContent = labels[index];
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    output.setAttribute("aria-live", "polite");
    button.textContent = still.matches ? "Next" : "Play";
  };
  const next = () => {
    if (+slider.value < labels.length - 1) show(+slider.value + 1);
    else stop();
  };
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (+slider.value === labels.length - 1) show(0);
    else next();
    if (still.matches) return;
    output.setAttribute("aria-live", "off");
    button.textContent = "Pause";
    timer = setInterval(next, 300);
  });
  slider.addEventListener("input", () => (stop(), show(+slider.value)));
  still.addEventListener("change", stop);
  stop();
  show(0);
}
