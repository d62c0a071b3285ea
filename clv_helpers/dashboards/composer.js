// The composer: the board as it will be, suggestions, tables, columns and shelves. It holds nothing but what is open
// and what is being typed: each action goes to Python as a message { do, at, … }, and `state` comes back whole.
const clvComposer = (() => {
  const { element, makeCard, watchWidth, Board } = clvBoard;
  const { text, choice, onPicked, button, folded, labelled, problemAt, widgetForm, filterForms, boardForms, sqlForm, AGGREGATES, FORMATS } = clvForms;
  const SHELVES = { x: "x, across", y: "y, upwards", color: "colour", size: "size", columns: "columns" };
  const WIDTHS = { third: 1 / 3, half: 1 / 2, "two thirds": 2 / 3, full: 1 };
  const COLUMN = "text/x-clv-column", WIDGET = "text/x-clv-widget";
  const shelfName = (shelf) => SHELVES[shelf] || SHELVES[shelf.split(".")[0]];

  const render = ({ model, el }) => {
    const part = (tag, name, attributes = {}) => element(tag, { class: `clv-c-${name}`, ...attributes });
    const head = part("div", "head"), confirm = part("div", "confirm", { role: "alertdialog", "aria-label": "Please confirm", hidden: "" });
    const status = part("p", "status", { role: "status" });
    const preview = part("div", "preview", { tabindex: 0, role: "region", "aria-label": "The board as it will be" });
    const grid = element("div", { class: "clv-board" });
    const thumbs = part("div", "suggestions", { role: "group", "aria-label": "Suggestions" });
    const picker = part("div", "picker"), shelves = part("div", "shelves"), form = part("div", "widget"), more = part("div", "more");
    const offers = part("p", "offers"); // the choices at the top of the board, as it begins
    preview.append(offers, grid);
    // without the attribute, JupyterLab takes single keys for commands of the notebook
    const root = element("section", { class: "clv-composer", "aria-label": "Composer of boards", "data-lm-suppress-shortcuts": "true" },
      head, confirm, status, preview, thumbs, element("div", { class: "clv-c-bench" }, picker, shelves, form), more);
    el.append(root);

    const page = {
      state: model.get("state"), open: new Set(), told: false, query: "",
      send: (action, given = {}, at = "") => {
        root.setAttribute("aria-busy", "true");
        model.send({ do: action, at, ...given });
      },
    };
    const board = new Board(), small = new Board();
    let drawn = [], smalls = [];

    // A question before what cannot be undone; the way out has the focus.
    const ask = (question, yes, action) => {
      const opener = root.ownerDocument.activeElement;
      const close = () => { confirm.hidden = true; opener?.focus(); };
      const no = button("Keep", close);
      confirm.replaceChildren(element("span", {}, question), button(yes, () => { close(); action(); }, { class: "clv-c-danger" }), no);
      confirm.hidden = false;
      no.focus();
    };
    const unlessChanged = (action) => () => (page.state.isChanged ? ask("There are unsaved changes.", "Discard them", action) : action());

    // the file
    const drawHead = () => {
      const { state, send } = page;
      const boards = element("select", { "data-key": "board" }, element("option", {}, "…"), ...state.boards.map((name) => element("option", {}, name)));
      boards.value = state.boards.includes(state.opened) ? state.opened : "…";
      onPicked(page, boards, () => {
        const name = boards.value;
        boards.value = state.opened || "…";
        if (name !== "…") unlessChanged(() => send("open", { name }, "board"))();
      });
      const key = (name) => ({ "data-key": name });
      head.replaceChildren(
        element("div", { class: "clv-c-row" }, labelled("Open a board", boards), problemAt(page, "board"),
          button("New board", unlessChanged(() => send("new")), key("new")), button("Copy", () => send("copy"), key("copy")),
          button("Undo", () => send("undo"), { ...key("undo"), "aria-disabled": String(!state.canUndo) }),
          button("Redo", () => send("redo"), { ...key("redo"), "aria-disabled": String(!state.canRedo) })),
        element("div", { class: "clv-c-row clv-c-grow" },
          text(page, "head.title", "Title of the board", state.title, (value) => send("head", { key: "title", value }, "head.title"), { placeholder: state.proposedTitle || "from its first widget" }),
          text(page, "name", "File", state.name, (name) => send("rename", { name }, "name"), { placeholder: state.proposedName || "from the title" }),
          button("Save", () => send("save", {}, "name"), { ...key("save"), class: "clv-c-main" })));
    };

    const drawMore = () => {
      const { state, send } = page;
      const remove = button("Delete this board …", () => ask(`Delete dashboards/${state.opened}.yml? This cannot be undone.`, "Delete", () => send("delete_board")), { class: "clv-c-danger", "data-key": "delete", disabled: state.isOwn ? null : "" });
      more.replaceChildren(
        folded(page, "fold.board", "The board: description, choices at the top, delete",
          text(page, "head.description", "Description", state.description, (value) => send("head", { key: "description", value })),
          ...boardForms(page), remove),
        sqlForm(page));
    };

    // the board as it will be; a card that did not change is not drawn again
    let fresh = [];
    const arrange = () => {
      const { state } = page;
      const left = [...drawn];
      fresh = [];
      drawn = state.cards.map((card) => {
        const asked = JSON.stringify(card), at = left.findIndex((shown) => shown?.asked === asked);
        if (at >= 0) return left.splice(at, 1, null)[0];
        const shown = Object.assign(makeCard(board, card), { asked });
        fresh.push(shown);
        return shown;
      });
      left.forEach((shown) => shown?.finalize?.());
      board.shown = drawn;
      drawn.forEach(equip);
      const kept = preview.scrollTop;
      offers.textContent = state.filters.map(({ label, default: begins }) => `${label}: ${begins || "all"}`).join(" · ");
      const figures = drawn.map(({ figure }) => figure);
      if (figures.some((figure, i) => grid.children[i] !== figure) || grid.children.length !== figures.length)
        grid.replaceChildren(...(figures.length ? figures : [element("p", { class: "clv-c-empty" }, "An empty board. Choose a table below, then its columns.")]));
      preview.scrollTop = kept;
    };
    const paint = async () => {
      const { state } = page;
      await Promise.all(fresh.map((shown) => shown.card.spec && Object.keys(shown.card.spec).length && board.draw(shown)));
      // only within the preview: the page stays where it is
      const chosen = drawn[state.selected]?.figure;
      const mark = `${state.opened}/${state.selected}/${drawn.length}`;
      if (chosen && page.shown !== mark) {
        const [outer, inner] = [preview.getBoundingClientRect(), chosen.getBoundingClientRect()];
        if (inner.bottom > outer.bottom || inner.top < outer.top) preview.scrollTop += inner.top - outer.top - 12;
      }
      page.shown = mark;
      root.dataset.drawn = String(Number(root.dataset.drawn || 0) + 1);
    };

    // What a card of the preview has beside its picture: it is selected by a click, moved by dragging and by buttons.
    const equip = (shown, place) => {
      const { figure, card } = shown;
      const { state, send } = page;
      const on = place === state.selected;
      figure.classList.toggle("clv-c-on", on);
      figure.querySelector(":scope > .clv-c-tools")?.remove();
      figure.querySelector(":scope > .clv-c-edge")?.remove();
      const key = (name) => ({ "data-key": `card.${name}` });
      const last = state.cards.length - 1;
      const tools = element("div", { class: "clv-c-tools", role: "group", "aria-label": `Widget ${place + 1}: ${card.title}` },
        button(`⠿ ${place + 1}`, () => send("select", { place }), { "data-key": `select.${place}`, "aria-pressed": String(on), "aria-label": `Select widget ${place + 1}: ${card.title}`, title: "Click to select, drag to move" }),
        ...(on ? [
          button("←", () => send("move", { step: -1 }), { ...key("earlier"), "aria-label": "Earlier", title: "Earlier", "aria-disabled": String(!place) }),
          button("→", () => send("move", { step: 1 }), { ...key("later"), "aria-label": "Later", title: "Later", "aria-disabled": String(place === last) }),
          button("−", () => send("resize", { step: -1 }), { ...key("narrower"), "aria-label": "Narrower", title: "Narrower" }),
          button("+", () => send("resize", { step: 1 }), { ...key("wider"), "aria-label": "Wider", title: "Wider" }),
          button("Duplicate", () => send("duplicate"), key("duplicate")), button("Remove", () => send("delete"), key("remove"))] : []));
      tools.draggable = true;
      tools.addEventListener("dragstart", (event) => event.dataTransfer.setData(WIDGET, String(place)));
      figure.prepend(tools);
      figure.onclick = (event) => { if (!on && !event.target.closest("button, details, select")) send("select", { place }); };
      figure.ondragover = (event) => {
        if (!event.dataTransfer.types.includes(WIDGET)) return;
        event.preventDefault();
        figure.classList.add(isBefore(event, figure) ? "clv-c-before" : "clv-c-after");
        figure.classList.remove(isBefore(event, figure) ? "clv-c-after" : "clv-c-before");
      };
      figure.ondragleave = () => figure.classList.remove("clv-c-before", "clv-c-after");
      figure.ondrop = (event) => {
        figure.ondragleave();
        if (!event.dataTransfer.types.includes(WIDGET)) return;
        event.preventDefault();
        const from = Number(event.dataTransfer.getData(WIDGET));
        const target = place + (isBefore(event, figure) ? 0 : 1);
        if (from !== state.selected) send("select", { place: from });
        send("move_to", { place: target > from ? target - 1 : target });
      };
      if (on) figure.append(edge(figure, card));
    };
    const isBefore = (event, figure) => {
      const { left, width } = figure.getBoundingClientRect();
      return event.clientX < left + width / 2;
    };

    // The right edge of the selected card: dragged, the card takes the nearest of the four widths.
    const edge = (figure, card) => {
      const bar = element("div", { class: "clv-c-edge", title: "Drag to change the width", "aria-hidden": "true" });
      bar.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        bar.setPointerCapture(event.pointerId);
        let width = card.width;
        bar.onpointermove = ({ clientX }) => {
          const share = (clientX - figure.getBoundingClientRect().left) / grid.clientWidth;
          width = Object.keys(WIDTHS).reduce((a, b) => (Math.abs(WIDTHS[b] - share) < Math.abs(WIDTHS[a] - share) ? b : a));
          for (const name of Object.keys(WIDTHS)) figure.classList.toggle(`clv-${name.replace(" ", "-")}`, name === width);
        };
        bar.onpointerup = () => {
          bar.onpointermove = null;
          page.send("set", { path: "width", value: width });
        };
      });
      return bar;
    };

    // four ways to draw the chosen columns, each a click
    const drawSuggestions = () => {
      const { suggestions, widget } = page.state;
      if (suggestions === null) return; // still being drawn
      smalls.forEach((shown) => shown.finalize?.());
      smalls = [];
      const cards = suggestions.map((card) => {
        const holder = element("div", { class: "clv-chart clv-c-thumb", "aria-hidden": "true" });
        if (card.html) holder.innerHTML = card.html;
        else smalls.push({ card: { ...card, spec: bare(card.spec), pick: [] }, holder });
        return element("button", { type: "button", class: "clv-c-way", "data-key": `way.${card.place}`, "aria-pressed": String(card.isNow), onclick: () => page.send("suggest", { place: card.place }) },
          element("strong", {}, `${card.title}, ${card.form}`), element("span", {}, card.subtitle || ""), holder);
      });
      thumbs.replaceChildren(...(cards.length ? [element("h3", {}, widget?.problem ? "Or begin with" : "Drawn otherwise"), element("div", { class: "clv-board clv-c-ways" }, ...cards)] : []));
      smalls.forEach((shown) => small.draw(shown));
    };
    const bare = (spec) => {
      const copy = structuredClone(spec);
      for (const layer of [copy, ...(copy.layer || [])]) {
        for (const axis of ["x", "y"]) if (layer.encoding?.[axis]) layer.encoding[axis].axis = null;
        if (layer.encoding?.color) layer.encoding.color.legend = null;
      }
      return copy;
    };

    // tables, those meant for people first
    const drawPicker = () => {
      const { tables } = page.state;
      const search = element("input", { type: "search", "data-key": "table.search", placeholder: "such as region, decile, campaign" });
      const list = element("div", { class: "clv-c-tables", "data-scroll": "tables" });
      const entry = ({ name, title, about }) => button("", () => page.send("add", { table: name }), { class: "clv-c-table", "data-key": `table.${name}`, "aria-label": `New widget on ${title}`, title: name });
      const filled = (table) => {
        const made = entry(table);
        made.append(element("strong", {}, table.title), element("span", {}, table.about ? `One row: ${table.about}` : table.name));
        return made;
      };
      const fill = () => {
        const wanted = page.query.toLowerCase().split(/\s+/).filter(Boolean);
        const fits = (table) => wanted.every((word) => `${table.title} ${table.name} ${table.about} ${table.columns.join(" ")}`.toLowerCase().includes(word));
        const first = tables.filter((table) => table.first && fits(table)), others = tables.filter((table) => !table.first && fits(table));
        const rest = others.length ? [folded(page, "fold.tables", `More tables (${others.length})`, ...others.map(filled))] : [];
        list.replaceChildren(...first.map(filled), ...rest, ...(first.length + rest.length ? [] : [element("p", {}, `No table for “${page.query}”.`)]));
      };
      search.value = page.query;
      search.addEventListener("input", () => { page.query = search.value; fill(); });
      arrows(picker, () => [search, ...list.querySelectorAll("button, summary")].filter((each) => each.checkVisibility()), { ArrowDown: 1, ArrowUp: -1 });
      fill();
      picker.replaceChildren(element("h3", {}, "1. A table, for a new widget"), labelled("Search tables and their columns", search), list);
    };

    // Arrows move among the things that one chooses from; Tab goes on.
    const arrows = (part, things, steps) => {
      part.onkeydown = (event) => {
        const all = things(), next = all[all.indexOf(event.target) + steps[event.key]];
        if (!next || !all.includes(event.target)) return;
        event.preventDefault();
        next.focus();
      };
    };

    // columns as chips, and the shelves they go to
    const drawShelves = () => {
      const { state, send } = page;
      const { widget, columns } = state;
      const title = element("h3", {}, "2. Columns");
      if (!widget) return shelves.replaceChildren(title, element("p", {}, "They stand here once a table is chosen."));
      const chips = columns.map((column) => chip(column, widget));
      const zones = widget.shelves.map(shelf);
      const among = element("div", { class: "clv-c-chips", "data-scroll": "chips", role: "group", "aria-label": "Columns" }, ...chips);
      arrows(among, () => [...among.querySelectorAll("[aria-pressed]")], { ArrowRight: 1, ArrowLeft: -1 });
      shelves.replaceChildren(title, element("p", { class: "clv-c-about" }, `${widget.source}${widget.about ? `; one row: ${widget.about}` : ""}. Click a column to draw it, or drag it to a shelf.`),
        among,
        widget.problem ? element("p", { class: "clv-problem", role: "status" }, widget.problem) : "",
        element("div", { class: "clv-c-zones" }, ...zones),
        element("div", { class: "clv-c-row" }, button("Swap x and y", () => send("swap"), { "data-key": "swap" })), ...filterForms(page));
    };

    const chip = ({ name, kind, about, chosen }, widget) => {
      const toggle = button(name, () => page.send("take", { column: name }), { "data-key": `chip.${name}`, "aria-pressed": String(chosen), title: `${kind}${about ? `: ${about}` : ""}` });
      const where = button("▾", () => menu(holder, where, name, widget), { "data-key": `where.${name}`, "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": `Where ${name} goes` });
      const holder = element("span", { class: `clv-c-chip clv-c-${kind}` }, toggle, where);
      holder.draggable = true;
      holder.addEventListener("dragstart", (event) => event.dataTransfer.setData(COLUMN, name));
      return holder;
    };

    // The menu of shelves: arrows move within it, Escape closes it.
    const menu = (holder, opener, name, widget) => {
      const close = () => { list.remove(); opener.setAttribute("aria-expanded", "false"); };
      if (opener.getAttribute("aria-expanded") === "true") return holder.querySelector("[role=menu]").remove(), opener.setAttribute("aria-expanded", "false");
      const at = `where.${name}`;
      const item = (label, action, given = {}) => button(label, () => { close(); page.send(action, { column: name, ...given }, at); opener.focus(); }, { role: "menuitem", tabindex: -1 });
      const places = [...new Set(widget.shelves.map(({ shelf }) => shelf.split(".")[0]))];
      const list = element("div", { role: "menu", class: "clv-entries", "aria-label": `Where ${name} goes` },
        ...places.map((shelf) => item(`On ${shelfName(shelf)}`, "put", { shelf })), item("Some of its values only", "filter"), item("As a choice on top of the board", "offer"));
      const items = [...list.children];
      list.addEventListener("keydown", (event) => {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (step) items[(items.indexOf(root.ownerDocument.activeElement) + step + items.length) % items.length].focus();
        else if (event.key === "Escape" || event.key === "Tab") { close(); opener.focus(); }
        else return;
        if (event.key !== "Tab") event.preventDefault();
      });
      list.addEventListener("focusout", ({ relatedTarget }) => { if (relatedTarget && !holder.contains(relatedTarget)) close(); });
      opener.setAttribute("aria-expanded", "true");
      holder.append(list);
      if (list.getBoundingClientRect().right > root.getBoundingClientRect().right) Object.assign(list.style, { left: "auto", right: "0" });
      items[0].focus();
      return null;
    };

    const shelf = ({ shelf: name, column, aggregate, format, title }) => {
      const [key] = name.split(".");
      const label = page.state.widget.looks.mark === "number" ? "figure" : shelfName(name);
      const zone = element("div", { class: "clv-c-zone", "data-shelf": name, role: "group", "aria-label": `Shelf ${label}` }, element("span", { class: "clv-c-label" }, label));
      zone.addEventListener("dragover", (event) => {
        if (!event.dataTransfer.types.includes(COLUMN)) return;
        event.preventDefault();
        zone.classList.add("clv-c-over");
      });
      zone.addEventListener("dragleave", () => zone.classList.remove("clv-c-over"));
      zone.addEventListener("drop", (event) => {
        zone.classList.remove("clv-c-over");
        if (!event.dataTransfer.types.includes(COLUMN)) return;
        event.preventDefault();
        page.send("put", { shelf: key, column: event.dataTransfer.getData(COLUMN) });
      });
      if (!column) {
        zone.append(element("span", { class: "clv-c-drop" }, "drop a column here"));
        return zone;
      }
      zone.append(element("strong", {}, column), button("✕", () => page.send("clear", { shelf: name }), { "aria-label": `Nothing on ${shelfName(name)}: ${column}`, "data-key": `clear.${name}`, "data-next": `chip.${column}` }));
      if (key === "columns") return zone;
      const set = (inner) => (value) => page.send("set", { path: `${name}.${inner}`, value }, `${name}.${inner}`);
      const written = format && !Object.values(FORMATS).includes(format) ? { ...FORMATS, [format]: format } : FORMATS;
      zone.append(folded(page, `fold.${name}`, [aggregate, title].filter(Boolean).join(", ") || "more", element("div", { class: "clv-c-row" },
        choice(page, `${name}.aggregate`, `Added up (${shelfName(name)})`, AGGREGATES, aggregate, set("aggregate")),
        choice(page, `${name}.format`, `Written (${shelfName(name)})`, written, format, set("format")),
        text(page, `${name}.title`, `Heading (${shelfName(name)})`, title, set("title"), { placeholder: "by itself" }))));
      const more = zone.querySelector("summary"); // there is one on each shelf
      more.setAttribute("aria-label", `${more.textContent}: ${label}`);
      return zone;
    };

    const drawForm = () => form.replaceChildren(element("h3", {}, "3. The widget"), page.state.widget ? widgetForm(page) : element("p", {}, "Its title and looks stand here."));

    // Drawing anew keeps the focus, what is being typed, and how far lists are scrolled.
    const keeping = (draw) => {
      const now = root.ownerDocument.activeElement;
      const focused = root.contains(now) && now.dataset.key;
      const typed = focused && /^(input|textarea)$/i.test(now.tagName) && now.type !== "checkbox" ? now.value : null;
      const [begin, end] = typed !== null && /text|search|textarea/.test(now.type) ? [now.selectionStart, now.selectionEnd] : [null, null];
      const scrolled = [...root.querySelectorAll("[data-scroll]")].map((list) => [list.dataset.scroll, list.scrollTop]);
      const typing = typed !== null && typed !== now.defaultValue;
      page.drawing = true;
      draw();
      page.drawing = false;
      for (const [key, top] of scrolled) { const list = find("scroll", key); if (list) list.scrollTop = top; }
      if (!focused) return;
      const same = find("key", focused);
      // what was pressed can be gone: then what it names as next, else the widget at work has the focus
      const again = same || find("key", now.dataset.next || "") || find("key", `select.${page.state.selected}`) || find("key", "table.search");
      if (typing && page.typing === focused) again.value = typed;
      again.focus({ preventScroll: true });
      if (again !== same) again.scrollIntoView({ block: "nearest" });
      if (begin !== null && again === same) again.setSelectionRange?.(begin, end);
    };
    const find = (kind, value) => root.querySelector(`[data-${kind}="${CSS.escape(value)}"]`);
    root.addEventListener("input", ({ target }) => { page.typing = target.dataset.key; });
    root.addEventListener("change", () => { if (!page.drawing) page.typing = null; });

    const refresh = () => {
      page.state = model.get("state");
      const { state } = page;
      page.told = false;
      const isNew = !picker.childElementCount || page.tables !== state.tables.length;
      keeping(() => [drawHead, drawShelves, drawForm, drawMore, arrange, drawSuggestions, ...(isNew ? [drawPicker] : [])].forEach((draw) => draw()));
      page.tables = state.tables.length;
      const said = page.told ? "" : state.problem.text;
      status.classList.toggle("clv-problem", Boolean(said));
      const now = said || [state.status, state.isChanged ? "Not saved yet." : ""].filter(Boolean).join(" ");
      if (status.textContent !== now) status.textContent = now; // else it would be read out twice
      if (state.suggestions !== null) root.setAttribute("aria-busy", "false");
      return paint();
    };

    root.addEventListener("keydown", (event) => {
      if (!(event.ctrlKey || event.metaKey) || /^(input|textarea)$/i.test(event.target.tagName)) return;
      const action = event.key === "y" || (event.key.toLowerCase() === "z" && event.shiftKey) ? "redo" : event.key === "z" ? "undo" : "";
      if (!action) return;
      event.preventDefault();
      page.send(action);
    });
    model.on("change:state", refresh);
    requestAnimationFrame(refresh); // a card has its width only once it stands in the page
    const resized = watchWidth(grid);
    return () => {
      resized.disconnect();
      [...drawn, ...smalls].forEach((shown) => shown.finalize?.());
    };
  };

  return { render };
})();
