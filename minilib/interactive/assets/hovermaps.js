for (const figure of document.querySelectorAll(".hovermaps:not([data-ready])")) {
  figure.dataset.ready = "yes";
  const [picture, output] = ["picture", "output"].map((part) => figure.querySelector(`.hovermaps-${part}`));
  const [rows, columns] = figure.dataset.grid.split(" ").map(Number);
  const readouts = JSON.parse(figure.dataset.readouts);
  let [row, column] = figure.dataset.start.split(" ").map(Number);

  const share = (place, count) => `${count > 1 ? (100 * place) / (count - 1) : 0}%`;
  const show = (newRow, newColumn) => {
    row = Math.min(rows - 1, Math.max(0, newRow));
    column = Math.min(columns - 1, Math.max(0, newColumn));
    figure.style.setProperty("--x", share(column, columns));
    figure.style.setProperty("--y", share(row, rows));
    figure.style.setProperty("--row", row);
    figure.style.setProperty("--column", column);
    const place = row * columns + column;
    const words = `row ${row + 1}, column ${column + 1}${readouts.length ? ": " + readouts[place] : ""}`;
    output.textContent = words;
    picture.setAttribute("aria-valuenow", place);
    picture.setAttribute("aria-valuetext", words);
  };
  const follow = (event) => {
    const box = picture.getBoundingClientRect();
    show(
      Math.floor(((event.clientY - box.top) / box.height) * rows),
      Math.floor(((event.clientX - box.left) / box.width) * columns),
    );
  };
  picture.addEventListener("pointermove", follow);
  picture.addEventListener("pointerdown", follow);
  picture.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    show(row + step[0], column + step[1]);
  });
  show(row, column);
}
