// The table of episodes: filtered, sorted, a page at a time; where it stands is in the address.
"use strict";

(async () => {
  const { element, rows, outcome, outcomeMark, number, WORDS } = vlabench;
  const section = document.querySelector("section[data-run]");
  const run = section.dataset.run;
  const form = section.querySelector("form");
  const body = section.querySelector("tbody");
  const PAGE = 50;
  const COLUMNS = [
    { key: "task", title: "Task", text: true },
    { key: "changes", title: "Change", text: true, wide: true },
    { key: "scene", title: "Scene", wide: true },
    { key: "outcome", title: "Outcome", text: true },
    { key: "failure", title: "Failure", text: true, wide: true },
    { key: "reached", title: "Stages", wide: true },
    { key: "time_s", title: "Time s", wide: true },
    { key: "collisions", title: "Collisions", wide: true },
    { key: "force_n", title: "Force N", wide: true },
    { key: "drops", title: "Drops", wide: true },
    { key: "latency_ms", title: "Latency ms", wide: true },
  ];
  let all = [];
  try {
    all = rows(await vlabench.load(`${run}/index`));
  } catch (error) {
    section.querySelector(".count").textContent = error.message;
    return;
  }
  for (const row of all) {
    row.outcome = outcome(row);
    row.axes = row.changes ? row.changes.split(" + ").map((one) => one.split(":")[0]) : ["-"];
    row.words = `${row.task} ${row.changes || "unchanged"} ${row.id} ${row.outcome} ${row.failure || ""} scene ${row.scene}`.toLowerCase();
  }
  // columns that say nothing of this run are left out
  const columns = COLUMNS.filter(({ key }) => all.some((row) => row[key] !== null && row[key] !== "" && row[key] !== undefined));

  const pictures = all.some((row) => row.poster);
  options("status", new Map(all.map((row) => [row.outcome, WORDS[row.outcome] || row.outcome])));
  options("failure", new Map(all.filter((row) => row.failure).map((row) => [row.failure, row.failure])));
  if (form.elements.failure.options.length === 1) form.elements.failure.parentElement.hidden = true;
  if (!all.some((row) => row.film)) form.elements.film.parentElement.hidden = true;

  const state = { sort: "", down: false, page: 0 };
  const fields = ["q", "task", "axis", "status", "failure"];
  read();
  heads();
  form.addEventListener("input", () => { state.page = 0; show(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { state.page = 0; state.sort = ""; show(); }));
  for (const button of section.querySelectorAll(".pages button")) {
    button.addEventListener("click", () => {
      const last = Math.max(0, Math.ceil(picked().length / PAGE) - 1);
      state.page = { first: 0, before: state.page - 1, after: state.page + 1, last }[button.name];
      show();
      section.querySelector(".count").scrollIntoView({ block: "nearest" });
    });
  }
  document.addEventListener("keydown", (event) => {
    const at = document.activeElement;
    const typing = at && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName);
    if (event.key === "/" && !typing) {
      event.preventDefault();
      form.elements.q.focus();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && body.contains(at)) {
      const links = [...body.querySelectorAll("a.open")];
      const place = links.indexOf(at) + (event.key === "ArrowDown" ? 1 : -1);
      if (links[place]) { event.preventDefault(); links[place].focus(); }
    }
  });
  show(true);

  function options(name, found) {
    const chosen = form.elements[name];
    for (const [value, word] of [...found].sort()) chosen.append(element("option", { value }, word));
  }

  function picked() {
    const words = form.elements.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const { task, axis, status, failure, film } = form.elements;
    const kept = all.filter((row) => (!task.value || row.task === task.value)
      && (!axis.value || row.axes.includes(axis.value))
      && (!status.value || row.outcome === status.value)
      && (!failure.value || row.failure === failure.value)
      && (!film.checked || row.film)
      && words.every((word) => row.words.includes(word)));
    if (!state.sort) return kept;
    const sign = state.down ? -1 : 1;
    return kept.sort((a, b) => {
      const [x, y] = [a[state.sort], b[state.sort]];
      // what is not known stands last, whichever way
      if (x === null || y === null) return (x === null) - (y === null) || a.place - b.place;
      const order = typeof x === "number" ? x - y : x < y ? -1 : x > y ? 1 : 0;
      return sign * order || a.place - b.place;
    });
  }

  function heads() {
    const line = section.querySelector("thead tr");
    line.replaceChildren(...(pictures ? [element("th", { scope: "col", class: "thumb" }, element("span", { class: "hidden" }, "Picture"))] : []));
    for (const { key, title, text, wide } of columns) {
      const button = element("button", { type: "button" }, title);
      button.addEventListener("click", () => {
        if (state.sort === key && state.down) state.sort = "";
        else { state.down = state.sort === key; state.sort = key; }
        state.page = 0;
        show();
      });
      line.append(element("th", { scope: "col", class: `${text ? "text" : ""} ${wide ? "wide" : ""}`, "data-key": key }, button));
    }
  }

  function show(first = false) {
    const kept = picked();
    const pages = Math.max(1, Math.ceil(kept.length / PAGE));
    state.page = Math.min(Math.max(0, state.page), pages - 1);
    const from = state.page * PAGE;
    body.replaceChildren(...kept.slice(from, from + PAGE).map(line));
    // a diagnostic is passed or not; it is no success and no failure
    const said = (list) => list.length.toLocaleString("en");
    const diagnostics = kept.filter((row) => row.complied === true || row.complied === false);
    const told = [
      `${said(kept)} of ${said(all)} episodes`,
      `${said(kept.filter((row) => row.outcome === "success"))} of them solved`,
    ];
    if (diagnostics.length) told.push(`${said(diagnostics.filter((row) => row.outcome === "passed"))} of ${said(diagnostics)} diagnostics passed`);
    section.querySelector(".count").textContent = told.join(", ");
    section.querySelector(".where").textContent = `page ${state.page + 1} of ${pages}`;
    for (const button of section.querySelectorAll(".pages button")) {
      button.disabled = /first|before/.test(button.name) ? state.page === 0 : state.page === pages - 1;
    }
    for (const head of section.querySelectorAll("th[data-key]")) {
      const way = state.down ? "descending" : "ascending";
      if (head.dataset.key === state.sort) head.setAttribute("aria-sort", way);
      else head.removeAttribute("aria-sort");
    }
    performance.mark('episodes-shown');
    if (!first) write();
  }

  function line(row) {
    const name = `${row.task}, ${row.changes || "unchanged"}, scene ${row.scene}`;
    const picture = row.poster
      ? element("img", { src: `media/${run}/${row.id}.jpg`, alt: `Last moment of ${name}`, loading: "lazy", decoding: "async", width: 56, height: 36 })
      : element("span", { class: "none" });
    const open = element("a", { class: "open", href: `episode.html#${run}/${row.id}`, "aria-label": name }, row.task);
    const cells = {
      task: () => [open, element("span", { class: "more" }, `${row.changes || "unchanged"}, scene ${row.scene}`)],
      changes: () => [row.changes || "unchanged"],
      scene: () => [String(row.scene)],
      outcome: () => [outcomeMark(row)],
      failure: () => [row.failure || ""],
      reached: () => [row.stages === null ? "–" : `${row.reached} of ${row.stages}`],
      time_s: () => [number(row.time_s, 1)],
      collisions: () => [number(row.collisions, 0)],
      force_n: () => [number(row.force_n, 0)],
      drops: () => [number(row.drops, 0)],
      latency_ms: () => [number(row.latency_ms, row.latency_ms < 10 ? 2 : 0)],
    };
    return element("tr", {}, pictures ? element("td", { class: "thumb" }, picture) : null, ...columns.map(({ key, text, wide }) => (
      element("td", { class: `${text ? "text" : ""} ${wide ? "wide" : ""}` }, ...cells[key]()))));
  }

  // #episodes?task=...&sort=... so that a link, or going back, shows the same lines
  function write() {
    const told = new URLSearchParams();
    for (const name of fields) if (form.elements[name].value) told.set(name, form.elements[name].value);
    if (form.elements.film.checked) told.set("film", "1");
    if (state.sort) told.set("sort", (state.down ? "-" : "") + state.sort);
    if (state.page) told.set("page", String(state.page + 1));
    const words = told.toString();
    history.replaceState(null, "", words ? `#episodes?${words}` : "#episodes");
    try { sessionStorage.setItem(`vlabench-${run}`, location.hash); } catch { /* not kept then */ }
  }

  function read() {
    const [place, words] = location.hash.split("?");
    if (place !== "#episodes" || !words) return;
    const told = new URLSearchParams(words);
    for (const name of fields) if (told.has(name)) form.elements[name].value = told.get(name);
    form.elements.film.checked = told.has("film");
    const sort = told.get("sort") || "";
    state.down = sort.startsWith("-");
    state.sort = columns.some(({ key }) => key === sort.replace("-", "")) ? sort.replace("-", "") : "";
    state.page = Math.max(0, (parseInt(told.get("page"), 10) || 1) - 1);
    section.scrollIntoView();
  }
})();
