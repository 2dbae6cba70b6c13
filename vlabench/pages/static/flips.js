// The flip gallery: base and new side by side, in step, ten pairs at a time.
"use strict";

(async () => {
  const { element, rows, outcomeMark, player } = vlabench;
  const section = document.getElementById("flips");
  const gallery = section.querySelector(".gallery");
  const form = section.querySelector("form");
  const PAGE = 10;
  let page = 0;
  const told = await vlabench.load(`flips-${section.dataset.flips}`);
  const report = await vlabench.load("report");
  const sides = [];
  for (const run of [told.base, told.new]) {
    sides.push({ run, name: report.runs[run].name, how: report.runs[run].film, rows: new Map(rows(await vlabench.load(`${run}/index`)).map((row) => [row.id, row])) });
  }
  const filmed = ([id]) => sides.filter(({ rows: own }) => own.get(id) && own.get(id).film).length;
  // those that can be watched come first
  const all = [...told.flips].sort((a, b) => filmed(b) - filmed(a));

  form.addEventListener("input", () => { page = 0; show(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { page = 0; show(); }));
  for (const button of section.querySelectorAll(".pages button")) {
    button.addEventListener("click", () => { page += button.name === "after" ? 1 : -1; show(); gallery.scrollIntoView(); });
  }
  document.addEventListener("keydown", (event) => {
    const at = document.activeElement;
    if (at && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName)) return;
    const cards = [...gallery.children];
    const place = cards.findIndex((card) => card.contains(at));
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const next = cards[place + (event.key === "ArrowDown" ? 1 : -1)];
      if (next) { event.preventDefault(); next.focus(); }
    } else if (event.key === " " && place >= 0 && at === cards[place]) {
      event.preventDefault();
      const button = at.querySelector(".controls button");
      if (button) button.click();
    }
  });
  show();

  function show() {
    const { kind, task } = form.elements;
    const kept = all.filter(([, own, , , lost]) => (!task.value || own === task.value) && (!kind.value || (kind.value === "lost") === lost));
    const pages = Math.max(1, Math.ceil(kept.length / PAGE));
    page = Math.min(Math.max(0, page), pages - 1);
    gallery.replaceChildren(...kept.slice(page * PAGE, (page + 1) * PAGE).map(card));
    section.querySelector(".count").textContent = `${kept.length} of ${all.length} flips`;
    section.querySelector(".where").textContent = `page ${page + 1} of ${pages}`;
    const [before, after] = section.querySelectorAll(".pages button");
    before.disabled = page === 0;
    after.disabled = page === pages - 1;
  }

  function card([id, task, changes, scene, lost]) {
    const name = `${task}, ${changes || "unchanged"}, scene ${scene}`;
    const screens = sides.map((side) => ({ ...side, row: side.rows.get(id) }))
      .map((side) => ({ ...side, screen: player.screen(side.run, side.row, `${side.name}: ${name}`, side.how) }));
    const videos = screens.map(({ screen }) => screen).filter((node) => node.tagName === "VIDEO");
    return element("article", { class: "flip", tabindex: 0, "aria-label": `${lost ? "Lost" : "Won"}: ${name}`, "data-id": id },
      element("h2", {}, element("span", { class: `badge ${lost ? "bad" : "good"}` }, lost ? "lost" : "won"), ` ${name}`),
      element("div", { class: "sides" }, ...screens.map((side, at) => element("div", { class: "side" },
        element("h3", {}, element("span", { class: "on" }, at ? "new" : "base"), element("a", { href: `episode.html#${side.run}/${id}` }, side.name), side.row ? outcomeMark(side.row) : null), side.screen))),
      videos.length ? player.together(videos).bar : null);
  }
})();
