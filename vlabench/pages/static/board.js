// The leaderboard: rows sorted within their ranking, filtered over all of them.
"use strict";

(() => {
  const form = document.querySelector("form.filters");
  const rankings = [...document.querySelectorAll(".ranking")];

  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(show));
  document.addEventListener("keydown", (event) => {
    const at = document.activeElement;
    if (event.key === "/" && !(at && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName))) {
      event.preventDefault();
      form.elements.q.focus();
    }
  });
  for (const ranking of rankings) {
    const body = ranking.querySelector(".board tbody");
    const order = [...body.rows];
    for (const head of ranking.querySelectorAll(".board th[data-key]")) {
      head.querySelector("button").addEventListener("click", () => sort(ranking, body, order, head));
    }
  }

  function sort(ranking, body, order, head) {
    const before = head.getAttribute("aria-sort");
    for (const other of ranking.querySelectorAll(".board th")) other.removeAttribute("aria-sort");
    if (before === "descending") { body.append(...order); return; }
    head.setAttribute("aria-sort", before ? "descending" : "ascending");
    const sign = before ? -1 : 1;
    const column = head.cellIndex;
    const key = (row) => row.cells[column].dataset.sort;
    const numeric = !head.classList.contains("text");
    body.append(...[...order].sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      // what is not known stands last, whichever way
      if (x === "" || y === "") return (x === "") - (y === "");
      return sign * (numeric ? Number(x) - Number(y) : x < y ? -1 : x > y ? 1 : 0);
    }));
  }

  function show() {
    const words = form.elements.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const { suite, provenance, fair } = form.elements;
    let shown = 0;
    let all = 0;
    for (const ranking of rankings) {
      let here = 0;
      for (const row of ranking.querySelectorAll(".board tbody tr")) {
        const kept = (!suite.value || ranking.dataset.suite === suite.value)
          && (!provenance.value || row.dataset.provenance === provenance.value)
          && (!fair.checked || row.dataset.privileged !== "true")
          && words.every((word) => row.dataset.words.includes(word));
        row.hidden = !kept;
        here += kept;
        all += 1;
      }
      ranking.hidden = here === 0;
      shown += here;
    }
    document.querySelector(".count").textContent = `${shown} of ${all} rows`;
  }
})();
