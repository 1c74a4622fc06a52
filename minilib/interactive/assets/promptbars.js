for (const figure of document.querySelectorAll(".promptbars:not([data-ready])")) {
  figure.dataset.ready = "yes";
  const data = figure.dataset, words = JSON.parse(data.words), names = Object.keys(words);
  const bytes = Uint8Array.from(atob(data.cosines), (letter) => letter.charCodeAt(0));
  const levels = new Int16Array(bytes.buffer), counts = names.map((name) => words[name].length);
  const [selects, buttons] = ["select", "button"].map((tag) => [...figure.querySelectorAll(tag)]);
  const [prompt, about, others] = ["prompt", "about", "others"].map((part) => figure.querySelector(`.promptbars-${part}`));
  const high = levels.reduce((a, b) => Math.max(a, b)) / 32767;
  let vary = Number(data.vary), picture = buttons.findIndex((one) => one.getAttribute("aria-pressed") === "true");

  const cosine = (image, chosen) => levels[chosen.reduce((place, word, i) => place * counts[i] + word, image)] / 32767;
  const span = (part, content = "") => {
    const made = document.createElement("span");
    made.className = `promptbars-${part}`;
    made.textContent = content;
    return made;
  };
  const show = () => {
    const chosen = selects.map((select) => Number(select.value));
    prompt.textContent = chosen.map((word, i) => words[names[i]][word]).join(" ").trim();
    buttons.forEach((button, i) => {
      const value = cosine(i, chosen), [, bar, number] = button.children;
      bar.style.setProperty("--share", Math.max(value, 0) / high);
      number.textContent = value.toFixed(2);
      button.setAttribute("aria-pressed", i === picture);
      button.setAttribute("aria-label", `${button.dataset.alt}: cosine ${number.textContent}`);
    });
    const cosines = words[names[vary]].map((_, word) => cosine(picture, chosen.with(vary, word)));
    const top = Math.max(...cosines), weights = cosines.map((value) => Math.exp(data.scale * (value - top)));
    const sum = weights.reduce((a, b) => a + b);
    about.textContent = `${buttons[picture].dataset.alt}, with each ${names[vary]} in the prompt:`;
    others.replaceChildren(...weights.map((weight, word) => {
      const row = span("row"), bar = span("bar");
      bar.style.setProperty("--share", weight / sum);
      row.setAttribute("role", "listitem");
      if (word === chosen[vary]) row.dataset.chosen = "";
      row.append(span("word", words[names[vary]][word] || "–"), bar, span("value", `${((100 * weight) / sum).toFixed(0)} %`));
      return row;
    }));
  };
  selects.forEach((select, i) => select.addEventListener("input", () => { vary = i; show(); }));
  buttons.forEach((button, i) => button.addEventListener("click", () => { picture = i; show(); }));
  show();
}
