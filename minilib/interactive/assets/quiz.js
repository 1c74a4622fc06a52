for (const form of document.querySelectorAll(".quiz form:not([data-ready])")) {
  form.dataset.ready = "yes";
  const answer = form.querySelector(".quiz-answer");
  const hide = () => answer.replaceChildren();
  form.addEventListener("change", hide);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = form.querySelector("input:checked");
    hide();
    // Added, not unhidden: only what enters a live region is read out.
    const source = chosen ? chosen.closest("label").nextElementSibling : form.querySelector("template.quiz-none");
    answer.append(source.content.cloneNode(true));
  });
}
