// The page of one episode, named after the hash: #<number of the run>/<name of the episode>.
"use strict";

(() => {
  const { element, rows, outcomeMark, number, player } = vlabench;
  const place = document.getElementById("episode");
  let toggle = () => {};
  let draw = () => {};
  let steps = {};
  let latest = 0;

  window.addEventListener("hashchange", show);
  window.addEventListener("resize", () => draw());
  document.addEventListener("keydown", (event) => {
    const at = document.activeElement;
    if (event.altKey || event.ctrlKey || event.metaKey || (at && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName))) return;
    if (event.key === "ArrowLeft" && steps.before) location.hash = steps.before;
    else if (event.key === "ArrowRight" && steps.after) location.hash = steps.after;
    else if (event.key === "Escape") location.href = document.getElementById("back").href;
    else if (event.key === " " && !(at && /^(BUTTON|A|SUMMARY)$/.test(at.tagName))) { event.preventDefault(); toggle(); }
  });
  show();

  async function show() {
    try {
      await page();
    } catch (error) {
      place.replaceChildren(element("h1", {}, "No such episode"), element("p", { class: "error" }, error.message));
    }
  }

  async function page() {
    const turn = ++latest;
    const [run, id] = location.hash.slice(1).split("/");
    const report = await vlabench.load("report");
    if (!/^\d+$/.test(run) || !report.runs[run]) throw new Error("The address names no run; go back to the table and take an episode from there.");
    const own = report.runs[run];
    const index = await vlabench.load(`${run}/index`);
    const list = rows(index);
    const row = list.find((one) => one.id === id);
    if (!row) throw new Error("This run has no such episode; go back to the table and take one from there.");
    walk(run, own, list, row);
    const told = (await vlabench.load(`${run}/${Math.floor(row.place / index.part)}`))[id];
    const twin = row.twin ? list.find((one) => one.id === row.twin) : null;
    const hz = index.hz || 20;
    const name = `${row.task}, ${row.changes || "unchanged"}, scene ${row.scene}`;
    document.title = `${name} · vlabench`;
    const others = [];
    for (const [other, one] of report.runs.entries()) {
      if (String(other) === run) continue;
      const found = rows(await vlabench.load(`${other}/index`)).find((candidate) => candidate.id === id);
      if (found) others.push({ run: other, row: found, name: one.name, how: one.film });
    }
    // somebody may have gone on while the data was read
    if (turn !== latest) return;
    const sides = [{ run, row, name: report.runs.length > 1 ? own.name : "this episode", how: own.film }, ...others];
    if (twin) sides.push({ run, row: twin, name: "unchanged twin", how: own.film });
    const screens = sides.map((side) => ({ ...side, screen: player.screen(side.run, side.row, `Film of ${side.name}: ${name}`, side.how) }));
    const videos = screens.map((side) => side.screen).filter((node) => node.tagName === "VIDEO");
    const parts = [
      element("h1", {}, element("bdi", {}, row.task), element("span", { class: "on" }, ` ${row.changes || "unchanged"}, scene ${row.scene}`)),
      element("p", {}, outcomeMark(row), row.failure ? ` ${row.failure}` : "", element("span", { class: "note" }, ` · ${own.name} · `), element("code", {}, row.id)),
    ];
    if (!told) {
      parts.push(element("p", { class: "note" }, "This episode has no record: it never ran, or the machinery lost it. It is no failure; it is missing."));
      place.replaceChildren(...parts);
      return;
    }
    parts.push(element("blockquote", { class: "say", dir: "auto" }, element("small", {}, "What the policy was told"), told.instruction || "(no words)"));
    if (told.twin_instruction !== null && told.twin_instruction !== told.instruction) {
      parts.push(element("p", { class: "note" }, "The unchanged twin was told: ", element("bdi", {}, told.twin_instruction)));
    }
    if (row.twin && !twin) parts.push(element("p", { class: "note" }, "Its unchanged twin is not in this run."));
    parts.push(element("div", { class: "sides" }, ...screens.map((side) => element("div", { class: "side" },
      element("h3", {}, side.row.id === id && String(side.run) === run ? side.name : element("a", { href: `#${side.run}/${side.row.id}` }, side.name), outcomeMark(side.row)), side.screen))));
    let line = null;
    let control = null;
    if (videos.length) {
      control = player.together(videos, (now) => line && line.move(now));
      toggle = control.toggle;
      parts.push(control.bar);
    } else {
      toggle = () => {};
    }
    const lanes = { hz, steps: row.steps, stages: told.stages, said: told.said, events: told.events, found: told.timeline };
    const strip = element("div", { class: "timeline" });
    draw = () => {
      line = player.timeline(lanes, place.clientWidth, (seconds) => control && control.go(seconds));
      strip.replaceChildren(line.node);
    };
    draw();
    parts.push(element("h2", {}, "Timeline"), strip);
    if (told.timeline && told.timeline.left_at !== null && told.timeline.left_at !== undefined) {
      parts.push(element("p", { class: "error" }, `The replay left the recorded path at step ${told.timeline.left_at}; the film shows what happened here.`));
    }
    for (const fault of (told.timeline && Array.isArray(told.timeline.faults) ? told.timeline.faults : [])) parts.push(element("p", { class: "error" }, `Of the replay: ${String(fault)}.`));
    if (told.error) parts.push(element("h2", {}, "Error of the policy"), element("pre", { class: "error", tabindex: 0 }, told.error));
    if (told.events.length) parts.push(element("h2", {}, "What happened to the scene"), spoken(told.events.map(([step, what]) => [step, [["", what]]]), hz));
    if (told.said.length) {
      parts.push(element("h2", {}, "What the policy said"), spoken(told.said, hz));
      if (told.said_left_out) parts.push(element("p", { class: "note" }, `and ${told.said_left_out} changes more, which the record left out.`));
    }
    parts.push(element("h2", {}, "Measured"), pairs(told.numbers.map(([what, value, unit]) => [what, `${typeof value === "number" && !Number.isInteger(value) ? number(value, Math.abs(value) < 10 ? 3 : 1) : String(value)} ${unit}`, false]), "two"));
    parts.push(element("h2", {}, "Again"), element("p", { class: "note" }, "Simulate and verify this episode, or repeat the run:"), command(told.replay), command(own.command));
    const changed = told.factors.filter(([, , other]) => other);
    parts.push(element("h2", {}, "Factors"), element("p", { class: "note" }, twin
      ? `${changed.length} of ${told.factors.length} drawn values differ from the unchanged twin; they come first.` : "Every drawn value of the scene."),
      pairs([...changed, ...told.factors.filter(([, , other]) => !other)]));
    place.replaceChildren(...parts);
  }

  function walk(run, own, list, row) {
    const link = (id, other) => {
      const node = document.getElementById(id);
      node.hidden = !other;
      if (other) node.href = `#${run}/${other.id}`;
      return other ? `#${run}/${other.id}` : null;
    };
    steps = { before: link("before", list[row.place - 1]), after: link("after", list[row.place + 1]) };
    let kept = "#episodes";
    try { kept = sessionStorage.getItem(`vlabench-${run}`) || kept; } catch { /* nothing is kept */ }
    document.getElementById("back").href = own.page + kept;
  }

  function pairs(list, kind = "") {
    return element("dl", { class: `pairs ${kind}` }, ...list.map(([what, value, changed]) => element("div", { class: changed ? "changed" : null },
      element("dt", {}, what), element("dd", { dir: "auto" }, value))));
  }

  function spoken(list, hz) {
    return element("ol", { class: "said" }, ...list.map(([step, words]) => element("li", {},
      element("span", { class: "when" }, `${(step / hz).toFixed(1)} s`),
      element("div", {}, ...words.map(([name, value]) => element("pre", { dir: "auto", tabindex: 0 }, name ? `${name}: ${value}` : value))))));
  }

  function command(words) {
    const button = element("button", { type: "button", class: "quiet" }, "Copy");
    const code = element("code", { tabindex: 0 }, words);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(words);
        button.textContent = "Copied";
      } catch {
        // from disk a browser may refuse: select it, so that Ctrl-C does
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
    });
    return element("div", { class: "command" }, code, button);
  }
})();
