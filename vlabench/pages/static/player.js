// Films that play in step, and the timeline below them.
"use strict";

vlabench.player = (() => {
  const { element, drawing } = vlabench;
  const APART_S = 0.12;

  // a film, or why there is none
  function screen(run, row, label, how) {
    if (!row || !row.film) {
      const told = !row ? "This run has no such episode." : row.status === "missing" ? "This episode has not run." : "Not filmed yet.";
      return element("div", { class: "unfilmed" }, told, ...(row && row.status !== "missing" && how
        ? [" Film it, and write the report again: ", element("br"), element("code", {}, `${how} ${row.id}`)] : []));
    }
    const video = element("video", {
      src: `media/${run}/${row.id}.mp4`, preload: "none", playsinline: true, "aria-label": label,
      poster: row.poster ? `media/${run}/${row.id}.jpg` : null,
    });
    video.muted = true;
    return video;
  }

  // one set of controls for several films; `moved` is told the time in seconds
  function together(videos, moved = () => {}) {
    const play = element("button", { type: "button" }, "Play");
    const slider = element("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0, "aria-label": "Time" });
    const clock = element("span", { class: "clock" }, "0.0 s");
    const speed = element("select", { "aria-label": "Speed" },
      ...[0.25, 0.5, 1, 2, 4].map((x) => element("option", { value: x, selected: x === 1 }, `${x} ×`)));
    const bar = element("div", { class: "controls" }, play, slider, clock, speed);
    let playing = false;
    let turn = 0;

    const long = (video) => (video.error ? 0 : video.duration || 0);
    const length = () => Math.max(0, ...videos.map(long));
    const leader = () => videos.reduce((a, b) => (long(b) > long(a) ? b : a));

    function tell() {
      const now = leader().currentTime;
      slider.max = String(length() || 1);
      slider.value = String(now);
      clock.textContent = `${now.toFixed(1)} of ${length().toFixed(1)} s`;
      slider.setAttribute("aria-valuetext", clock.textContent);
      moved(now);
    }

    function stop() {
      playing = false;
      turn += 1;
      for (const video of videos) video.pause();
      play.textContent = "Play";
      bar.dataset.playing = "";
    }

    async function start() {
      const own = ++turn;
      playing = true;
      play.textContent = "Pause";
      bar.dataset.playing = "1";
      await Promise.all(videos.map(ready));
      // paused, or begun again, while the films were loading
      if (own !== turn) return;
      const at = leader().ended || leader().currentTime >= length() - 0.05 ? 0 : leader().currentTime;
      for (const video of videos) {
        video.playbackRate = Number(speed.value);
        video.currentTime = Math.min(at, long(video));
        if (at < long(video)) video.play().catch(() => { if (own === turn && !video.error) stop(); });
      }
      requestAnimationFrame(() => tick(own));
    }

    function ready(video) {
      if (video.readyState >= 1 || video.error) return Promise.resolve();
      return new Promise((done) => {
        video.addEventListener("loadedmetadata", done, { once: true });
        video.addEventListener("error", done, { once: true });
        if (video.preload === "auto") return;
        video.preload = "auto";
        video.load();
      });
    }

    function tick(own) {
      if (own !== turn) return;
      const first = leader();
      for (const video of videos) {
        if (video !== first && !video.ended && Math.abs(video.currentTime - first.currentTime) > APART_S) {
          video.currentTime = Math.min(first.currentTime, long(video));
        }
      }
      tell();
      if (first.ended) {
        // whoever lags behind is brought to the end too
        seek(length());
        stop();
        tell();
      } else {
        requestAnimationFrame(() => tick(own));
      }
    }

    play.addEventListener("click", () => (playing ? stop() : start()));
    speed.addEventListener("change", () => { for (const video of videos) video.playbackRate = Number(speed.value); });
    slider.addEventListener("input", async () => {
      const at = Number(slider.value) / Number(slider.max);
      await Promise.all(videos.map(ready));
      seek(at * length());
    });
    for (const video of videos) {
      video.addEventListener("loadedmetadata", tell);
      video.addEventListener("seeked", () => { if (!playing) tell(); });
      video.addEventListener("click", () => play.click());
      video.addEventListener("error", () => {
        const plays = video.canPlayType('video/mp4; codecs="avc1.42E01E"');
        video.replaceWith(element("div", { class: "unfilmed", role: "alert" }, plays
          ? "The film is missing or damaged; film the episode and write the report again."
          : "This browser cannot play the film; it is H.264 in MP4."));
        if (!videos.every((one) => one.error)) return;
        stop();
        for (const control of [play, slider, speed]) control.disabled = true;
      });
    }

    function seek(seconds) {
      for (const video of videos) video.currentTime = Math.min(Math.max(0, seconds), long(video));
    }

    async function go(seconds) {
      await Promise.all(videos.map(ready));
      seek(seconds);
    }
    return { bar, toggle: () => play.click(), go };
  }

  // stages, what was said, contacts and forces over the steps of an episode
  function timeline(told, width, go) {
    const { hz, steps, stages, said, events, found } = told;
    const WIDTH = Math.max(280, width || 860);
    const LEFT = 84;
    const force = Array.isArray(found && found.contact_force_n) ? found.contact_force_n.filter(Number.isFinite) : [];
    const lanes = [];
    const marks = (list) => (Array.isArray(list) ? list.filter((one) => Number.isFinite(one)) : []);
    lanes.push({ name: "stages", tall: 26 });
    const grasps = Array.isArray(found && found.grasps) ? found.grasps.filter((one) => Array.isArray(one)) : [];
    if (grasps.length) lanes.push({ name: "held", tall: 22 });
    if (force.length) lanes.push({ name: "force", tall: 64 });
    if (marks(found && found.collisions).length) lanes.push({ name: "collisions", tall: 20 });
    if (marks(found && found.drops).length) lanes.push({ name: "drops", tall: 20 });
    if (said.length) lanes.push({ name: "said", tall: 20 });
    if (events.length) lanes.push({ name: "events", tall: 20 });
    const height = lanes.reduce((sum, lane) => sum + lane.tall + 6, 0) + 24;
    const x = (step) => LEFT + (WIDTH - LEFT - 8) * Math.min(1, Math.max(0, step / Math.max(1, steps)));
    const summary = `Timeline of ${steps} control steps: ${stages.map(([name, done, step]) => (done && step !== null ? `${name} at ${(step / hz).toFixed(1)} s` : `${name} not reached`)).join(", ")}`;
    const svg = drawing("svg", { viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, role: "img", "aria-label": summary });
    const text = (at, y, words, anchor = "start", color = "muted", size = 11.5) => drawing("text", { x: at, y, dy: "0.35em", "text-anchor": anchor, "font-size": size, fill: `var(--${color})` }, words);
    const tip = (words) => drawing("title", {}, words);
    const short = (words, most) => (words.length > most ? `${words.slice(0, most - 1)}…` : words);
    let y = 0;
    for (const lane of lanes) {
      const middle = y + lane.tall / 2;
      svg.append(text(0, middle, lane.name));
      svg.append(drawing("line", { x1: LEFT, x2: WIDTH - 8, y1: y + lane.tall + 2, y2: y + lane.tall + 2, stroke: "var(--grid)" }));
      if (lane.name === "stages") {
        let from = 0;
        for (const [name, done, step] of stages) {
          if (!done || step === null) continue;
          const wide = Math.max(2, x(step) - x(from) - 1);
          svg.append(drawing("rect", { x: x(from), y: y + 3, width: wide, height: lane.tall - 6, rx: 3, fill: "var(--gain-2)" }, tip(`${name}: step ${step}, ${(step / hz).toFixed(2)} s`)));
          if (wide > 40) svg.append(text(x(from) + 6, middle, short(name, Math.floor(wide / 6.6)), "start", "ink"));
          from = Math.max(from, step);
        }
        const missed = stages.find(([, done]) => !done);
        if (missed && from < steps) {
          const wide = Math.max(2, x(steps) - x(from));
          svg.append(drawing("rect", { x: x(from), y: y + 3, width: wide, height: lane.tall - 6, rx: 3, fill: "var(--loss-2)" }, tip(`${missed[0]}: not reached`)));
          if (wide > 60) svg.append(text(x(from) + 6, middle, short(`${missed[0]} not reached`, Math.floor(wide / 6.6)), "start", "ink"));
        }
      } else if (lane.name === "held") {
        for (const [from, to, name] of grasps) {
          if (!Number.isFinite(from)) continue;
          const end = Number.isFinite(to) ? to : steps;
          const wide = Math.max(2, x(end) - x(from));
          svg.append(drawing("rect", { x: x(from), y: y + 3, width: wide, height: lane.tall - 6, rx: 3, fill: "var(--gain-3)" }, tip(`${String(name)}: step ${from} to ${end}`)));
          if (wide > 40) svg.append(text(x(from) + 6, middle, short(String(name), Math.floor(wide / 6.6)), "start", "ink"));
        }
      } else if (lane.name === "force") {
        const most = Math.max(1, ...force);
        const points = force.map((value, step) => `${x(step + 1).toFixed(1)},${(y + lane.tall * (1 - Math.max(0, value) / most)).toFixed(1)}`);
        svg.append(drawing("polyline", { points: points.join(" "), fill: "none", stroke: "var(--after)", "stroke-width": 1.4 }, tip(`contact force, up to ${most.toFixed(0)} N`)));
        svg.append(text(LEFT - 6, y + 8, `${most.toFixed(0)} N`, "end"), text(LEFT - 6, y + lane.tall - 6, "0", "end"));
      } else {
        const list = lane.name === "said" ? said.map(([step]) => step) : lane.name === "events" ? events.map(([step]) => step) : marks(found[lane.name]);
        const color = { collisions: "after", drops: "bad-ink" }[lane.name] || "before";
        for (const step of list) svg.append(drawing("line", { x1: x(step), x2: x(step), y1: y + 3, y2: y + lane.tall - 3, stroke: `var(--${color})`, "stroke-width": 2 }, tip(`${lane.name}: step ${step}, ${(step / hz).toFixed(2)} s`)));
      }
      y += lane.tall + 6;
    }
    const seconds = steps / hz;
    const every = [0.5, 1, 2, 5, 10, 20, 50].find((one) => seconds / one <= (WIDTH - LEFT) / 70) || seconds;
    for (let t = 0; t <= seconds + 1e-9; t += every) svg.append(text(x(t * hz), y + 8, `${Number(t.toFixed(1))} s`, "middle"));
    const head = drawing("line", { x1: LEFT, x2: LEFT, y1: 0, y2: y - 4, stroke: "var(--ink)", "stroke-width": 1.4 });
    svg.append(head);
    svg.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width * WIDTH - LEFT) / (WIDTH - LEFT - 8);
      if (at >= 0 && at <= 1) go(at * seconds);
    });
    return {
      node: svg,
      move: (now) => { head.setAttribute("x1", x(now * hz)); head.setAttribute("x2", x(now * hz)); },
    };
  }

  return { screen, together, timeline };
})();
