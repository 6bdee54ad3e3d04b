"use strict";
// Plays the sounds against each other and reads the charts out. The page shows everything else without it.
(() => {
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("read-out-data").textContent);
  const sounds = [...document.querySelectorAll("audio")];
  const plots = [...document.querySelectorAll(".plot[data-bus]")];
  const pointers = [...document.querySelectorAll(".pointer")];
  const playheads = [...document.querySelectorAll(".playhead")];
  const readOuts = [...document.querySelectorAll("[data-read-out]")];
  const whys = [...document.querySelectorAll("[data-why]")];
  const transport = document.querySelector(".transport");
  const shortcuts = document.querySelector('[data-does="shortcuts"]');
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

  let chosen = 0; // which sound the transport governs
  let pointed = null; // the moment under the pointer or the keyboard, in seconds

  // Numbers as words

  const decimal = (value, signed) => {
    const size = Math.abs(value).toFixed(1);
    const zero = Number(size) === 0;
    return (value < 0 && !zero ? "\u2212" : signed && !zero ? "+" : "") + size;
  };
  const clock = (seconds, decimals) => {
    const scale = 10 ** decimals;
    const ticks = Math.round(Math.max(seconds, 0) * scale);
    const rest = ((ticks % (60 * scale)) / scale).toFixed(decimals);
    return `${Math.floor(ticks / (60 * scale))}:${rest.padStart(decimals ? 3 + decimals : 2, "0")}`;
  };

  // The moment that is shown

  const clamp = (seconds) => Math.min(Math.max(seconds, 0), data.duration);
  const startOf = (sound) => Number(sound.dataset.start);
  const position = () => (sounds.length ? clamp(startOf(sounds[chosen]) + sounds[chosen].currentTime) : 0);
  const moment = () => (pointed === null ? position() : pointed);
  const playing = () => sounds.some((sound) => !sound.paused);

  const nearest = (times, seconds) => {
    const wanted = seconds * 100;
    let low = 0;
    let high = times.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (times[middle] <= wanted) low = middle;
      else high = middle;
    }
    return wanted - times[low] > times[high] - wanted ? high : low;
  };

  const known = (value) => value !== null && value !== undefined;
  const decibels = (gain) => (known(gain) ? `${decimal(gain / 100, true)} dB` : "\u2014");
  const reason = ([raises, lowers], role, tenths) =>
    (tenths >= 0 ? raises : lowers).replaceAll("{bus}", role).replaceAll("{amount}", `${decimal(Math.abs(tenths) / 10)} dB`);

  const wordsAt = (bus, seconds) => {
    const { time, gain, level, second, written, now, terms = [], why = [], role } = data.buses[bus];
    const vertex = nearest(time, seconds);
    const edited = now && known(now[vertex]) && Math.abs(now[vertex] - written[vertex]) > 10;
    return {
      time: clock(seconds, 1),
      gain: decibels(gain[vertex]),
      level: known(level[vertex]) ? `${decimal(level[vertex] / 10, false)} LUFS` : vertex in level ? "silent" : "\u2014",
      second: second && decibels(second[vertex]),
      written: written && decibels(written[vertex]),
      now: now && decibels(now[vertex]) + (edited ? ", edited" : ""),
      why: terms.map((term, number) => ({
        amount: `${decimal((why[number][vertex] || 0) / 10, true)} dB`,
        reason: reason(term, role, why[number][vertex] || 0),
      })),
    };
  };
  const spoken = (words) =>
    words.now
      ? `${words.time}, now ${words.now}, written ${words.written}, predicted ${words.gain}, level ${words.level}. ` +
        words.why.map((one) => one.reason).join("; ")
      : words.second
        ? `${words.time}, A ${words.gain}, B ${words.second}, level ${words.level}`
        : `${words.time}, gain ${words.gain}, level ${words.level}`;

  // A custom property on the root would restyle the whole page at every move.
  const place = (lines, seconds) => {
    const left = `${((100 * seconds) / data.duration).toFixed(3)}%`;
    for (const line of lines) line.style.left = left;
  };

  const showMoment = () => {
    const seconds = moment();
    place(pointers, seconds);
    if (root.classList.contains("pointing") !== (pointed !== null)) root.classList.toggle("pointing");
    for (const readOut of readOuts) {
      const words = wordsAt(Number(readOut.dataset.readOut), seconds);
      for (const cell of readOut.querySelectorAll("[data-shows]")) cell.textContent = words[cell.dataset.shows];
    }
    for (const plot of plots) {
      const words = wordsAt(Number(plot.dataset.bus), seconds);
      plot.setAttribute("aria-valuenow", seconds.toFixed(1));
      plot.setAttribute("aria-valuetext", spoken(words));
    }
    for (const box of whys) {
      const words = wordsAt(Number(box.dataset.why), seconds);
      box.querySelector('[data-shows="why-when"]').textContent = `at ${words.time}`;
      box.querySelectorAll("li").forEach((line, number) => {
        line.firstElementChild.textContent = words.why[number].amount;
        line.lastElementChild.textContent = words.why[number].reason;
      });
    }
  };

  const showPosition = () => {
    const seconds = position();
    place(playheads, seconds);
    if (!transport) return;
    const slider = transport.querySelector(".position");
    slider.value = seconds;
    slider.setAttribute("aria-valuetext", clock(seconds, 0));
    transport.querySelector('[data-shows="position"]').textContent = clock(seconds, 0);
  };

  const showTransport = () => {
    if (!transport) return;
    root.classList.toggle("playing", playing());
    transport.querySelector(".play").setAttribute("aria-label", playing() ? "Pause" : "Play");
    for (const choice of transport.querySelectorAll("[data-player]")) {
      choice.setAttribute("aria-pressed", String(Number(choice.dataset.player) === chosen));
    }
  };

  const show = () => {
    showPosition();
    showMoment();
    showTransport();
  };

  // Playing

  const start = (sound) => sound.play().catch(() => showTransport());
  const seek = (seconds) => {
    if (sounds.length) sounds[chosen].currentTime = Math.max(clamp(seconds) - startOf(sounds[chosen]), 0);
    show();
  };
  const toggle = () => (playing() ? sounds.forEach((sound) => sound.pause()) : start(sounds[chosen]));
  const choose = (index) => {
    if (index === chosen || index >= sounds.length) return;
    const [from, to] = [sounds[chosen], sounds[index]];
    const goesOn = !from.paused;
    to.currentTime = Math.max(startOf(from) + from.currentTime - startOf(to), 0);
    chosen = index;
    from.pause();
    if (goesOn) start(to);
    show();
  };

  let beat = 0;
  const follow = () => {
    showPosition();
    if (beat++ % 12 === 0) showMoment();
    if (playing() && !calm.matches) requestAnimationFrame(follow);
  };

  sounds.forEach((sound, index) => {
    sound.controls = false;
    sound.addEventListener("play", () => {
      chosen = index;
      sounds.forEach((other) => other !== sound && other.pause());
      showTransport();
      if (!calm.matches) requestAnimationFrame(follow);
    });
    for (const event of ["pause", "ended", "seeked", "loadedmetadata"]) sound.addEventListener(event, show);
    sound.addEventListener("timeupdate", () => index === chosen && calm.matches && show());
    sound.addEventListener("error", () => {
      const note = sound.parentElement.querySelector("p");
      note.classList.add("failed");
      note.textContent = "This browser cannot play this sound.";
    });
  });

  // Pointing at charts

  const point = (seconds) => {
    pointed = seconds === null ? null : clamp(seconds);
    showMoment();
  };
  let waiting = false; // for the next frame of the screen: a mouse moves more often
  const pointSoon = (seconds) => {
    pointed = clamp(seconds);
    if (!waiting) requestAnimationFrame(() => ((waiting = false), showMoment()));
    waiting = true;
  };
  const under = (plot, event) => {
    const box = plot.getBoundingClientRect();
    return clamp(((event.clientX - box.left) / box.width) * data.duration);
  };
  const steps = { ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01, PageDown: -0.1, PageUp: 0.1 };
  const onPlotKey = (event) => {
    if (event.key in steps) point(moment() + steps[event.key] * data.duration);
    else if (event.key === "Home") point(0);
    else if (event.key === "End") point(data.duration);
    else if (event.key === "Enter") seek(moment());
    else if (event.key === "Escape") point(null);
    else return;
    event.preventDefault();
  };

  for (const plot of plots) {
    plot.setAttribute("role", "slider");
    plot.setAttribute("aria-label", plot.dataset.slider);
    plot.setAttribute("aria-valuemin", "0");
    plot.setAttribute("aria-valuemax", data.duration.toFixed(1));
    plot.tabIndex = 0;
    plot.addEventListener("pointermove", (event) => pointSoon(under(plot, event)));
    plot.addEventListener("pointerdown", (event) => point(under(plot, event)));
    plot.addEventListener("pointerleave", () => sounds.length && point(null));
    plot.addEventListener("blur", () => point(null));
    plot.addEventListener("click", (event) => seek(under(plot, event)));
    plot.addEventListener("keydown", onPlotKey);
  }

  // The transport and the keys

  const onTransport = (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.does === "play") toggle();
    else if (button.dataset.does === "swap") choose((chosen + 1) % sounds.length);
    else choose(Number(button.dataset.player));
  };
  const onKey = (event) => {
    if (!shortcuts.checked || event.ctrlKey || event.metaKey || event.altKey) return;
    const busy = event.target.closest("a, button, input, summary, audio, select, textarea");
    const index = event.key.length === 1 ? event.key.toUpperCase().charCodeAt(0) - 65 : -1;
    if (event.key === " " && !busy) {
      event.preventDefault();
      if (!event.repeat) toggle();
    } else if (index >= 0 && index < sounds.length) choose(index);
  };

  root.classList.add("scripted");
  for (const readOut of readOuts) readOut.hidden = false;
  if (transport) {
    root.classList.add("playable");
    transport.hidden = false;
    transport.addEventListener("click", onTransport);
    transport.querySelector(".position").addEventListener("input", (event) => seek(Number(event.target.value)));
    document.querySelector(".shortcuts").hidden = false;
    document.addEventListener("keydown", onKey);
  }
  show();
})();
