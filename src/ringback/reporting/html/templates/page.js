"use strict";
(() => {
  const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));
  const say = (text) => { document.getElementById("said").textContent = text; };

  // A link to a clause opens the clause and everything around it.
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let at = target; at; at = at.parentElement) {
      at.hidden = false;
      if (at.tagName === "DETAILS") at.open = true;
    }
    (target.closest("details") || target).scrollIntoView();
  };
  addEventListener("hashchange", reveal);

  // Filters.
  const form = document.querySelector("form.filters");
  if (form) {
    const cells = all("details.cell").map((cell) => ({ cell, text: cell.textContent.toLowerCase() }));
    const groups = all("section.group");
    const nothing = document.querySelector(".nothing");
    const filter = () => {
      const verdicts = all("input[name=verdict]:checked", form).map((box) => box.value);
      const level = form.elements.level.value;
      const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const { cell, text } of cells) {
        const fits = (!verdicts.length || verdicts.includes(cell.dataset.verdict))
          && (!level || cell.dataset.level === level) && words.every((word) => text.includes(word));
        cell.hidden = !fits;
        shown += fits;
      }
      for (const group of groups) group.hidden = !group.querySelector("details.cell:not([hidden])");
      nothing.hidden = shown > 0;
      form.elements.shown.value = `${shown} of ${cells.length} shown`;
    };
    form.addEventListener("input", filter);
    form.addEventListener("reset", () => setTimeout(filter));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.elements.unfold.addEventListener("click", () => {
      const shown = all("details.cell:not([hidden])");
      const open = shown.some((cell) => !cell.open);
      for (const cell of shown) cell.open = open;
      form.elements.unfold.textContent = open ? "Close all shown" : "Open all shown";
    });
    form.hidden = false;
    filter();
  }

  // Lines to paste get a button that copies the line, or selects it if the clipboard is not available.
  for (const line of all(".code-line")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy the ${line.dataset.copy}`);
    button.addEventListener("click", async () => {
      const code = line.querySelector("code");
      let result = "Copied";
      try {
        await navigator.clipboard.writeText(code.textContent);
      } catch {
        getSelection().selectAllChildren(code);
        result = "Selected";
      }
      button.textContent = result;
      say(result);
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    line.append(button);
  }

  // On paper, broken clauses are unfolded.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all("details[data-print]:not([open])");
    for (const card of folded) card.open = true;
  });
  addEventListener("afterprint", () => { for (const card of folded) card.open = false; });

  reveal();
})();
