"use strict";
// Playback, A/B comparison and read-outs. Everything else on the page works without this script.
(() => {
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("read-out-data").textContent);
  const sounds = [...document.querySelectorAll(".card audio")];
  const plots = [...document.querySelectorAll(".plot[data-bus]")];
  const pointers = [...document.querySelectorAll(".pointer")];
  const playheads = [...document.querySelectorAll(".playhead")];
  const readOuts = [...document.querySelectorAll("[data-read-out]")];
  const whys = [...document.querySelectorAll("[data-why]")];
  const transport = document.querySelector(".transport");
  const shortcuts = document.querySelector('[data-does="shortcuts"]');
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

  const option = (name) => document.querySelector(`[data-does="${name}"]`);

  let chosen = 0; // index of the sound that the transport plays
  let pointed = null; // the moment under the pointer or the keyboard, in seconds

  // Numbers as words

  const decimal = (value, signed, decimals = 1) => {
    const size = Math.abs(value).toFixed(decimals);
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
  const wordsAt = (bus, seconds) => {
    const { time, gain, level, second, written, now, terms = [], why = [] } = data.buses[bus];
    const vertex = nearest(time, seconds);
    const edited = now && known(now[vertex]) && Math.abs(now[vertex] - written[vertex]) > 10;
    return {
      time: clock(seconds, 1),
      gain: decibels(gain[vertex]),
      level: known(level[vertex]) ? `${decimal(level[vertex] / 10, false)} LUFS` : vertex in level ? "silent" : "\u2014",
      second: second && decibels(second[vertex]),
      written: written && decibels(written[vertex]),
      now: now && decibels(now[vertex]) + (edited ? ", edited" : ""),
      why: terms.map(([raises, lowers], number) => {
        const tenths = why[number][vertex] || 0;
        return [tenths ? `${decimal(tenths / 10, true)} dB` : "", tenths < 0 ? lowers : raises];
      }),
    };
  };
  const spoken = (words) =>
    words.now
      ? `${words.time}, now ${words.now}, written ${words.written}, predicted ${words.gain}, level ${words.level}. ` +
        words.why.filter(([amount]) => amount).map((one) => one.join(" ")).join("; ")
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
        line.classList.toggle("quiet", !words.why[number][0]);
        [...line.children].forEach((part, index) => (part.textContent = words.why[number][index]));
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

  // Equal loudness, and the whole song from a file next to the page

  const loudness = sounds.map((sound) => Number(sound.dataset.loudness));
  const quietest = Math.min(...loudness);
  const matchLevels = () => {
    const matched = option("match-levels") && option("match-levels").checked;
    sounds.forEach((sound, index) => (sound.volume = matched ? 10 ** ((quietest - loudness[index]) / 20) : 1));
  };
  const embedded = sounds.map((sound) => ({ src: sound.getAttribute("src"), start: sound.dataset.start }));
  const useWhole = (wanted) => {
    sounds.forEach((sound, index) => {
      if (!sound.dataset.whole) return;
      const seconds = startOf(sound) + sound.currentTime;
      sound.pause();
      sound.dataset.start = wanted ? "0" : embedded[index].start;
      sound.src = wanted ? sound.dataset.whole : embedded[index].src;
      sound.addEventListener("loadedmetadata", () => (sound.currentTime = Math.max(seconds - startOf(sound), 0)), { once: true });
    });
    show();
  };
  const wholeFailed = (sound) => {
    if (!option("whole") || !option("whole").checked || !sound.dataset.whole) return false;
    option("whole").checked = false;
    option("whole").disabled = true;
    option("whole").parentElement.append(" The file was not found.");
    useWhole(false);
    return true;
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
      if (wholeFailed(sound)) return;
      sound.parentElement.classList.add("shown");
      const note = Object.assign(document.createElement("p"), { className: "failed" });
      note.textContent = "This browser cannot play this sound.";
      sound.before(note);
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

  // Panels in a folded group open when a link leads to them

  const unfold = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const group = target && target.closest("details.group");
    if (!group || group.open) return;
    group.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  unfold();

  root.classList.add("scripted");
  for (const readOut of readOuts) readOut.hidden = false;
  if (transport) {
    root.classList.add("playable");
    transport.hidden = false;
    transport.addEventListener("click", onTransport);
    transport.querySelector(".position").addEventListener("input", (event) => seek(Number(event.target.value)));
    for (const line of document.querySelectorAll(".shortcuts")) line.hidden = false;
    if (option("match-levels")) option("match-levels").addEventListener("change", matchLevels);
    if (option("whole")) option("whole").addEventListener("change", (event) => useWhole(event.target.checked));
    matchLevels();
    document.addEventListener("keydown", onKey);
  }
  show();

  // Solo and mute: the stems play together, each with its gain curve

  const mixer = document.querySelector(".mixer");
  if (!mixer || !window.AudioContext) return;
  const strips = [...mixer.querySelectorAll("audio")];
  const soloed = new Set();
  const muted = new Set();
  const [playButton, automation] = ["play", "automation"].map((name) => mixer.querySelector(`[data-mixer="${name}"]`));
  let context = null;
  let voices = null; // per stem: the source, its automation gain and its switch
  let buffers = null;
  let began = 0;

  const bytesOf = (strip) => {
    const text = atob(strip.getAttribute("src").split(",", 2)[1]);
    return Uint8Array.from(text, (letter) => letter.charCodeAt(0)).buffer;
  };
  const gainAt = (bus, seconds) => {
    const { time, gain } = data.buses[bus];
    const value = time.length ? gain[nearest(time, seconds)] : 0;
    return known(value) ? 10 ** (value / 2000) : 0;
  };
  const showSwitches = () => {
    const audible = (index) => (soloed.size ? soloed.has(index) : !muted.has(index));
    if (voices) voices.forEach((voice, index) => (voice.onOff.gain.value = audible(index) ? 1 : 0));
    for (const [name, chosenOnes] of [["solo", soloed], ["mute", muted]]) {
      for (const button of mixer.querySelectorAll(`[data-${name}]`)) {
        button.setAttribute("aria-pressed", String(chosenOnes.has(Number(button.dataset[name]))));
      }
    }
  };
  const stopMixer = () => {
    if (voices) for (const voice of voices) voice.source.stop();
    voices = null;
    playButton.textContent = "Play buses";
  };
  const startMixer = async (offset) => {
    context = context || new AudioContext();
    await context.resume();
    buffers = buffers || (await Promise.all(strips.map((strip) => context.decodeAudioData(bytesOf(strip)))));
    for (const sound of sounds) sound.pause();
    began = context.currentTime + 0.05 - offset;
    voices = strips.map((strip, index) => {
      const source = new AudioBufferSourceNode(context, { buffer: buffers[index] });
      const [fader, onOff] = [new GainNode(context), new GainNode(context)];
      source.connect(fader).connect(onOff).connect(context.destination);
      const left = buffers[index].duration - offset;
      if (automation.checked && left > 0.1) {
        const first = Number(strip.dataset.start) + offset;
        const count = Math.max(2, Math.ceil(left * 20));
        const curve = Float32Array.from({ length: count }, (_, step) => gainAt(Number(strip.dataset.stem), first + (step * left) / (count - 1)));
        fader.gain.setValueCurveAtTime(curve, context.currentTime + 0.05, left);
      }
      source.start(context.currentTime + 0.05, offset);
      return { source, onOff };
    });
    voices[0].source.addEventListener("ended", (event) => voices && event.target === voices[0].source && stopMixer());
    playButton.textContent = "Stop buses";
    showSwitches();
  };
  for (const sound of sounds) sound.addEventListener("play", stopMixer);
  playButton.addEventListener("click", () => (voices ? stopMixer() : startMixer(0)));
  automation.addEventListener("change", () => {
    if (!voices) return;
    const offset = Math.max(context.currentTime - began, 0);
    stopMixer();
    startMixer(offset);
  });
  mixer.addEventListener("click", (event) => {
    const button = event.target.closest("[data-solo], [data-mute]");
    if (!button) return;
    const [set, index] = "solo" in button.dataset ? [soloed, Number(button.dataset.solo)] : [muted, Number(button.dataset.mute)];
    if (!set.delete(index)) set.add(index);
    showSwitches();
  });
  mixer.querySelector(".mixer-controls").hidden = false;
})();
