// Cards of charts on a grid: the same script in the live board (as an anywidget) and in the report (inlined once).
// Needs window.vegaEmbed; `ast` has it take expressions apart instead of evaluating them, which the report's policy
// forbids. A card is { title, subtitle, spec or html, width, pick, drill, sql, headers, choices }.
const clvBoard = (() => {
  const NARROW = 480;
  const SMALLEST = 340;
  // Each widget of a notebook brings its own Vega, and each of these counts the ids of its clip paths from 1: a bar would
  // be cut to the height of another board's. So all boards of a page draw with the first one.
  const vegaEmbed = (globalThis.clvVegaEmbed ??= globalThis.vegaEmbed);

  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  };

  // A name such as year-in-miles stands on one line, and so does a number with its unit.
  const named = (title) => title.split(/(\S+-\S+|\d[\d.,]* (?:k|M|bn)(?: [A-Z]{3})?\b)/).map((part, i) =>
    i % 2 && part.length < 25 ? element("span", { style: "white-space: nowrap" }, part) : part);

  // Categories whose names would stand on each other are turned, or every other number left out; so is what is written in
  // cells too narrow for it.
  const uncrowded = (spec, width) => {
    for (const { encoding } of spec.layer || [spec]) {
      if (!encoding?.x?.axis || !["nominal", "ordinal"].includes(encoding.x.type)) continue;
      const rows = Object.values(spec.datasets || {}).flat();
      const held = rows.map((row) => row[encoding.x.field]).filter((name) => name !== undefined);
      const names = [...new Set([...held, ...(encoding.x.scale?.domain || [])].map(String))];
      const step = (width - (encoding.y?.type === "nominal" ? 130 : 90)) / names.length;
      const isShort = names.every((name) => name.length < 4);
      const isBar = spec.layer?.some(({ mark }) => mark.type === "bar");
      const isShare = spec.layer?.some(({ transform }) => /%'\)/.test(transform?.at(-1)?.calculate));
      const least = isBar && !isShare ? 38 : 24;
      if (step < least && (isBar || spec.layer?.some(({ mark }) => mark.type === "rect"))) spec.layer = spec.layer.filter(({ mark }) => mark.type !== "text");
      if (step > 8 * Math.max(...names.map((name) => name.length))) encoding.x.axis.labelExpr = "datum.label";
      if (step > 8 * Math.max(...names.flatMap((name) => name.split(" ")).map((word) => word.length))) continue;
      Object.assign(encoding.x.axis, isShort ? { labelOverlap: "greedy", labelSeparation: 3 }
        : { labelExpr: "datum.label", labelAngle: -55, labelAlign: "right", labelBaseline: "middle", labelLimit: 130 });
    }
    return spec;
  };

  const onLines = (least) => `split(replace(datum.label, regexp('(.{${least},}?) ', 'g'), '$1\\n'), '\\n')`;

  // The spec as wide as its place; on a phone, long labels beside an axis stand on several lines.
  const fitted = (spec, width) => {
    const copy = structuredClone(spec);
    copy.width = "container";
    copy.autosize = { type: "fit", contains: "padding" };
    const isEnd = (layer) => layer.name?.startsWith("ends_");
    const ends = (copy.layer || []).filter(isEnd);
    for (const { encoding } of [copy, ...(copy.layer || [])]) {
      if (encoding?.y?.axis && encoding.y.type === "nominal") encoding.y.axis.labelExpr ??= onLines(width < NARROW ? 9 : 22);
    }
    if (width >= NARROW) return copy;
    if (copy.layer) copy.layer = copy.layer.filter((layer) => layer.name !== "events_names");
    if (ends.length) copy.layer = copy.layer.filter((layer) => !isEnd(layer));
    for (const layer of ends.length ? copy.layer : []) {
      if (layer.encoding?.color?.field) layer.encoding.color.legend = { orient: "top", labelLimit: 300 };
    }
    for (const layer of [copy, ...(copy.layer || [])]) {
      const isTight = width < SMALLEST || copy.layer?.some(({ mark }) => mark.type === "rect");
      if (isTight && layer.mark?.type === "text" && !(layer.mark.fontSize > 13)) layer.mark.fontSize = 9.5;
      const axis = layer.encoding?.y?.axis;
      if (axis && layer.encoding.y.type === "nominal") {
        axis.labelFontSize = 11;
      }
      if (layer.encoding?.x?.axis && layer.encoding.x.type === "quantitative") layer.encoding.x.axis.tickCount = 4;
      if (layer.encoding?.color?.legend) layer.encoding.color.legend.columns = layer.encoding.color.datum || width < SMALLEST ? 1 : 2;
    }
    return copy;
  };

  const rowsOf = (card, choice) => {
    if (!card.spec?.datasets) return [];
    const all = Object.values(card.spec.datasets).reduce((a, b) => (b.length > a.length ? b : a), []);
    return all.filter((row) => row.choice === undefined || row.choice === choice)
      .map(({ choice: _, ...row }) => row);
  };

  const inWords = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return value.toLocaleString("en", { maximumFractionDigits: 4 });
    return String(value).replace(/T00:00:00(\.000)?Z?$/, "");
  };

  const dataTable = (card, choice) => {
    const rows = rowsOf(card, choice);
    if (!rows.length) return element("p", {}, "No rows.");
    const own = Object.keys(rows[0]).filter((name) => !name.startsWith("_"));
    const headed = Object.keys(card.headers || {}).filter((name) => own.includes(name));
    const names = headed.length ? headed : own; // what a chart is sorted by is no part of what it shows
    const head = names.map((name) => element("th", { scope: "col" }, card.headers?.[name] || name.replaceAll("_", " ")));
    const cell = (row, name, i) => element(i ? "td" : "th", { scope: i ? null : "row", class: typeof row[name] === "number" ? "number" : null }, inWords(row[name]));
    const body = rows.map((row) => element("tr", {}, ...names.map((name, i) => cell(row, name, i))));
    return element("div", { class: "clv-scroll", tabindex: 0 },
      element("table", {}, element("caption", {}, card.title), element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)));
  };

  // A text that a spreadsheet would run as a formula is led by an apostrophe; numbers are left as they are.
  const csvCell = (value) => {
    let text = value === null || value === undefined ? "" : String(value);
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = "'" + text;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const csv = (card, choice) => {
    const rows = rowsOf(card, choice);
    const names = rows.length ? Object.keys(rows[0]) : [];
    return [names, ...rows.map((row) => names.map((name) => row[name]))].map((line) => line.map(csvCell).join(",")).join("\r\n");
  };

  const save = (address, name) => {
    const link = element("a", { href: address, download: name });
    document.body.append(link);
    link.click();
    link.remove();
  };
  const fileName = (card, ending) =>
    `${(card.title || "chart").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60)}.${ending}`;

  // The picture to keep bears its title, on white.
  const download = async (card, kind, choice) => {
    if (kind === "csv") {
      const address = URL.createObjectURL(new Blob(["\ufeff" + csv(card, choice)], { type: "text/csv" }));
      save(address, fileName(card, kind));
      URL.revokeObjectURL(address);
      return;
    }
    const text = wrapped(card.title, Math.floor((card.spec.width || 420) / 8));
    const spec = { ...card.spec, title: { text, subtitle: wrapped(card.subtitle || "", 70) }, background: "white" };
    const { view, finalize } = await vegaEmbed(document.createElement("div"), spec, { mode: "vega-lite", actions: false, ast: true, renderer: "svg" });
    if (choice !== undefined) await view.signal("choice", choice).runAsync();
    save(await view.toImageURL(kind, 2), fileName(card, kind));
    finalize();
  };
  const wrapped = (text, length) => text.split(" ").reduce((lines, word) => {
    if (lines.length && `${lines.at(-1)} ${word}`.length <= length) lines[lines.length - 1] += ` ${word}`;
    else lines.push(word);
    return lines;
  }, []);

  const menu = (shown) => {
    const panel = element("div", { class: "clv-panel", hidden: "" });
    const toggle = (what, make) => (event) => {
      const open = panel.dataset.what === what && !panel.hidden;
      panel.hidden = open;
      panel.dataset.what = what;
      panel.replaceChildren(open ? "" : make());
      event.target.closest("details").open = false;
    };
    const button = (label, onclick) => element("button", { type: "button", onclick }, label);
    const keep = (kind) => (event) => {
      event.target.closest("details").open = false;
      download(shown.card, kind, shown.choice);
    };
    const entries = [];
    if (shown.card.spec) {
      entries.push(button("View data", toggle("data", () => dataTable(shown.card, shown.choice))));
      if (shown.card.sql) entries.push(button("View SQL", toggle("sql", () => element("pre", { tabindex: 0 }, shown.card.sql))));
      entries.push(...["CSV", "PNG", "SVG"].map((kind) => button(`Download ${kind}`, keep(kind.toLowerCase()))));
    } else if (shown.card.sql) {
      entries.push(button("View SQL", toggle("sql", () => element("pre", { tabindex: 0 }, shown.card.sql))));
    }
    if (!entries.length) return [null, panel];
    const details = element("details", { class: "clv-menu" },
      element("summary", { "aria-label": `Options of: ${shown.card.title}`, title: "Data and downloads" }, "⋯"),
      element("div", { class: "clv-entries" }, ...entries));
    return [details, panel];
  };

  // What the board holds together: all its charts, and what was picked in one of them.
  class Board {
    constructor(hooks = {}) {
      this.hooks = hooks;
      this.shown = [];
      this.picked = null;
    }

    pick(picked, from) {
      const same = this.picked && picked && this.picked.column === picked.column && this.picked.value === picked.value;
      this.picked = same ? null : picked;
      for (const { view } of this.shown) signal(view, "picked", this.picked);
      this.hooks.onpick?.(this.picked, from);
    }

    async draw(shown) {
      const { card, holder } = shown;
      const still = [...holder.childNodes];
      try {
        const width = holder.clientWidth || 420;
        const spec = uncrowded(fitted(card.spec, width), width);
        const made = await vegaEmbed(holder, spec, { mode: "vega-lite", actions: false, ast: true, renderer: "svg", tooltip: { theme: "custom" }, logLevel: 1 });
        holder.classList.toggle("clv-heat", [spec, ...(spec.layer || [])].some(({ mark }) => mark?.type === "rect"));
        shown.finalize?.();
        shown.view = made.view;
        shown.finalize = made.finalize;
        holder.firstElementChild?.setAttribute?.("aria-hidden", "false");
        if (shown.choice !== undefined) signal(shown.view, "choice", shown.choice);
        if (this.picked) signal(shown.view, "picked", this.picked);
        made.view.addEventListener("click", (_, item) => {
          const column = (card.pick || []).find((name) => item?.datum?.[name] !== undefined);
          if (column) this.pick({ column, value: item.datum[column] }, shown);
        });
      } catch (error) {
        holder.replaceChildren(...still);
        console.error(error);
      }
    }
  }

  const isDay = (spec, column) => [spec, ...(spec?.layer || [])].some((layer) =>
    Object.values(layer?.encoding || {}).some(({ field, type }) => field === column && type === "temporal"));

  const signal = (view, name, value) => {
    if (!view) return;
    try {
      view.signal(name, value).runAsync();
    } catch {
      // this chart knows no such signal
    }
  };

  // One card of a live board.
  const makeCard = (board, card) => {
    const holder = element("div", { class: "clv-chart", role: "img", "aria-label": `${card.title}. ${card.subtitle || ""}` });
    const shown = { card, holder, board };
    const [details, panel] = menu(shown);
    shown.figure = element("figure", { class: `clv-card clv-${(card.width || "half").replace(" ", "-")}` },
      element("figcaption", {}, element("div", {}, element("h3", { class: "clv-title" }, ...named(card.title)), card.subtitle ? element("p", {}, card.subtitle) : null), details),
      holder, wayBack(shown, () => board.hooks.onreset?.()), drillLine(board, shown), panel);
    nothing(shown, card.empty, card.reset);
    if (card.html) {
      holder.removeAttribute("role");
      holder.innerHTML = card.html;
      if (holder.querySelector("table")) holder.tabIndex = 0; // wider than its place it is scrolled
    }
    return shown;
  };

  // A chart of nothing gives its place to the way back, where filters led there.
  const wayBack = (shown, reset) => {
    shown.back = element("p", { class: "clv-back", hidden: "" }, element("button", { type: "button", onclick: reset }, "Reset filters"));
    return shown.back;
  };
  const nothing = (shown, isEmpty, isChanged) => {
    shown.figure.classList.toggle("clv-nothing", Boolean(isEmpty));
    shown.back.hidden = !(isEmpty && isChanged);
  };

  // The way into a second board: by what is picked, or chosen from a list (the keyboard's way to the same).
  const drillLine = (board, shown) => {
    const { card } = shown;
    const column = card.pick?.[0];
    if (!card.drill || !card.drillTitle || !column) return null;
    const values = [...new Set(rowsOf(card).map((row) => row[column]))];
    const select = element("select", { "aria-label": `${card.drillTitle}: ${column.replaceAll("_", " ")}`, onchange: () => {
      if (select.selectedIndex > 0) board.hooks.ondrill?.(card.drill, { column, value: values[select.selectedIndex - 1] });
    } }, element("option", {}, `${column.replaceAll("_", " ")} …`), ...values.map((value) => element("option", {}, inWords(value))));
    return element("div", { class: "clv-drill" }, element("span", {}, `${card.drillTitle} for `), select);
  };

  // Vega measures its place when the window changes, not when a side bar is folded away.
  const watchWidth = (grid) => {
    let width = 0;
    const resized = new ResizeObserver(() => {
      if (width && Math.abs(grid.clientWidth - width) > 4) window.dispatchEvent(new Event("resize"));
      width = grid.clientWidth;
    });
    resized.observe(grid);
    return resized;
  };

  // The live board: a widget's cards, drawn again where they changed.
  const render = ({ model, el }) => {
    const grid = element("div", { class: "clv-board" });
    const bar = element("div", { class: "clv-picked", role: "status" });
    const hears = model.get("picks");
    bar.classList.toggle("clv-kept", Boolean(hears));
    el.append(bar, grid);
    let origin = null;
    const say = (picked, from = origin) => {
      const [action, said] = [model.get("action"), model.get("said")];
      const button = (label, onclick, css = null) => element("button", { type: "button", class: css, onclick }, label);
      origin = from;
      bar.replaceChildren();
      if (picked) {
        bar.append(element("span", {}, `Picked: ${picked.column.replaceAll("_", " ")} ${inWords(picked.value)}`));
        const target = from?.card.drill ? from : board.shown.find((s) => s.card.drill && s.card.pick?.includes(picked.column));
        if (target) bar.append(button(`${target.card.drillTitle} →`, () => model.send({ drill: target.card.drill, ...picked }), "clv-go"));
      }
      if (action) bar.append(button(action, () => model.send({ make: true })));
      if (picked) bar.append(button("Clear", () => board.pick(null)));
      if (said) bar.append(element("span", {}, said));
    };
    model.on("change:action change:said", () => say(board.picked));
    const board = new Board({
      onpick: (picked, from) => {
        // a day is a number to Vega, so it narrows nothing
        if (hears) model.send(picked && !isDay(from?.card.spec, picked.column) ? picked : { column: "" });
        say(picked, from ?? null);
      },
      ondrill: (drill, picked) => model.send({ drill, ...picked }),
      onreset: () => model.send({ reset: true }),
    });
    const update = async () => {
      const cards = model.get("cards");
      const kept = board.shown.length === cards.length && cards.every((card, i) => board.shown[i].card.key === card.key);
      if (!kept) {
        board.shown.forEach((shown) => shown.finalize?.());
        board.picked = model.get("picked")?.column ? model.get("picked") : null;
        board.shown = cards.map((card) => makeCard(board, card));
        grid.replaceChildren(...board.shown.map((shown) => shown.figure));
        say(board.picked, null);
      }
      const drawn = cards.map((card, i) => {
        const shown = board.shown[i];
        const changed = !kept || JSON.stringify(shown.card) !== JSON.stringify(card);
        if (!changed) return null;
        shown.card = card;
        shown.figure.querySelector(".clv-title").replaceChildren(...named(card.title));
        const subtitle = shown.figure.querySelector("figcaption p");
        if (subtitle) subtitle.textContent = card.subtitle || "";
        shown.holder.setAttribute("aria-label", `${card.title}. ${card.subtitle || ""}`);
        nothing(shown, card.empty, card.reset);
        if (card.html) shown.holder.innerHTML = card.html;
        return card.spec && Object.keys(card.spec).length ? board.draw(shown) : null;
      });
      await Promise.all(drawn);
      el.dataset.drawn = String(Number(el.dataset.drawn || 0) + 1);
    };
    model.on("change:cards", update);
    // a card has its width only once it stands in the page
    requestAnimationFrame(update);
    const resized = watchWidth(grid);
    const restore = () => location.hash.length > 1 && model.send({ address: location.hash.slice(1) });
    if (model.get("in_address")) {
      model.on("change:address", () => history.replaceState(null, "", `#${model.get("address")}`));
      addEventListener("hashchange", restore);
      restore();
    }
    return () => {
      resized.disconnect();
      removeEventListener("hashchange", restore);
      board.shown.forEach((shown) => shown.finalize?.());
    };
  };

  return { render, element, named, menu, signal, wayBack, nothing, makeCard, watchWidth, Board }; // also for composer and report
})();
