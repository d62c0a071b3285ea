// Fields of the composer: each has a label, a key by which the focus finds it again, and what was wrong beneath it.
const clvForms = (() => {
  const { element } = clvBoard;
  const FORMATS = { "by itself": "", "1,234": ",.0f", "1.2k": ".2~s", "12.3M": ".3~s", "12%": ".0%", "12.3%": ".1%", "1.23": ",.2f" };
  const AGGREGATES = { "as it is": "", sum: "sum", mean: "avg", least: "min", most: "max" };
  const MARK_WORDS = { heatmap: "heat map", number: "key figure", venn: "overlap of sets" };

  // What went wrong with the field of this key; the state says where (`at`).
  const problemAt = (page, at) => {
    const { problem } = page.state;
    if (!problem.text || problem.at !== at) return null;
    page.told = true;
    return element("p", { class: "clv-problem", role: "alert" }, problem.text);
  };

  const labelled = (label, control, more = null) => element("label", { class: "clv-c-field" }, element("span", {}, label), control, more);

  // A text is sent when it is finished: by Enter, or when the field is left.
  const text = (page, key, label, value, send, attributes = {}) => {
    const input = element(attributes.rows ? "textarea" : "input", { "data-key": key, autocomplete: "off", ...attributes });
    input.value = value ?? "";
    let said = value ?? "";
    // not by "change" alone: it does not come for what was typed before the page was drawn anew
    const finish = (event) => {
      if (page.drawing || String(input.value) === String(said) || (event.type === "keydown" && (event.key !== "Enter" || attributes.rows))) return;
      said = input.value;
      page.typing = null;
      send(input.value);
    };
    for (const event of ["change", "blur", "keydown"]) input.addEventListener(event, finish);
    return element("div", { class: "clv-c-labelled" }, labelled(label, input), problemAt(page, key));
  };

  const number = (page, key, label, value, send, attributes = {}) =>
    text(page, key, label, value, (given) => send(given === "" ? null : Number(given)), { type: "number", min: 1, ...attributes });

  // By the keyboard one passes other options on the way to one's own: what is picked so is sent half a second later.
  const onPicked = (page, select, act) => {
    let isKeyed = false, timer = 0;
    const finish = () => {
      if (page.drawing || !timer) return;
      timer = clearTimeout(timer) || 0;
      act();
    };
    select.addEventListener("keydown", () => { isKeyed = true; });
    select.addEventListener("pointerdown", () => { isKeyed = false; });
    select.addEventListener("change", () => {
      clearTimeout(timer);
      timer = setTimeout(finish, 500);
      if (!isKeyed) finish();
    });
    select.addEventListener("blur", finish);
  };

  // `options`: by what is shown, what is sent.
  const choice = (page, key, label, options, value, send) => {
    const names = Object.keys(options);
    const select = element("select", { "data-key": key }, ...names.map((name) => element("option", {}, name)));
    select.selectedIndex = Math.max(0, names.findIndex((name) => options[name] === (value ?? "")));
    onPicked(page, select, () => send(options[names[select.selectedIndex]] === "" ? null : options[names[select.selectedIndex]]));
    return element("div", { class: "clv-c-labelled" }, labelled(label, select), problemAt(page, key));
  };
  const named = (values, none) => ({ ...(none ? { [none]: "" } : {}), ...Object.fromEntries(values.map((value) => [MARK_WORDS[value] || String(value), value])) });

  const button = (label, onclick, attributes = {}) => element("button", { type: "button", onclick, ...attributes }, label);

  // A part that is folded; it stays as it was left.
  const folded = (page, key, summary, ...parts) => {
    const details = element("details", { class: "clv-c-fold", open: page.open.has(key) ? "" : null }, element("summary", { "data-key": key }, summary), ...parts);
    details.addEventListener("toggle", () => page.open[details.open ? "add" : "delete"](key));
    return details;
  };

  // One of the selected widget's properties.
  const property = (page, make, path, label, value, ...more) =>
    make(page, `widget.${path}`, label, ...more, value, (given) => page.send("set", { path, value: given }, `widget.${path}`));

  // The selected widget: its texts and looks; what is seldom needed is folded.
  const widgetForm = (page) => {
    const { widget, marks, drills } = page.state;
    const { looks } = widget;
    const texts = ["title", "subtitle"].map((key) => property(page, text, key, key === "title" ? "Title" : "Second line: unit, which rows", looks[key]));
    const labels = element("input", { type: "checkbox", "data-key": "widget.labels" });
    labels.checked = looks.labels;
    labels.addEventListener("change", () => page.send("set", { path: "labels", value: labels.checked || null }));
    return element("div", { class: "clv-c-form" }, ...texts, element("div", { class: "clv-c-row" },
      property(page, choice, "mark", "Drawn as", looks.mark, named(marks)),
      property(page, choice, "width", "Width", looks.width, named(widget.widths)),
      property(page, choice, "drill", "A click leads to", looks.drill, named(drills, "nowhere")),
      highlight(page)),
    folded(page, "fold.looks", "More looks", element("div", { class: "clv-c-row" },
      property(page, choice, "legend", "Legend", looks.legend, named(widget.legends)),
      numberOf(page, "height", "Height in pixels", looks.height, { placeholder: "by itself", max: 1200 }),
      numberOf(page, "limit", "Rows at most", looks.limit, { placeholder: "all", max: 500 }),
      element("label", { class: "clv-c-check" }, labels, "Values on the marks"))));
  };
  const numberOf = (page, path, label, value, attributes) =>
    number(page, `widget.${path}`, label, value, (given) => page.send("set", { path, value: given }, `widget.${path}`), attributes);

  // Which mark stands out, while the others are grey.
  const highlight = (page) => {
    const { groups, highlight: now } = page.state.widget;
    const options = { "no mark": "" };
    for (const { column, values } of groups) for (const value of values) options[`${column}: ${value}`] = JSON.stringify([column, value]);
    return choice(page, "widget.highlight", "Stands out", options, now && JSON.stringify([now.column, now.value]), (picked) => {
      const [column, value] = picked ? JSON.parse(picked) : ["", null];
      page.send("highlight", { column, value }, "widget.highlight");
    });
  };

  // Rows that the widget is limited to: by column the values that are shown, or left out.
  const filterForms = (page) => page.state.widget.filters.map(({ kind, column, chosen, values }) => {
    const path = `${kind}.${column}`;
    const every = [...new Set([...values, ...chosen])];
    const boxes = every.map((value) => {
      const box = element("input", { type: "checkbox", "data-key": `${path}=${value}` });
      box.checked = chosen.includes(value);
      box.addEventListener("change", () => {
        const now = every.filter((each) => (each === value ? box.checked : chosen.includes(each)));
        page.send("set", { path, value: now.length === 1 ? now[0] : now.length ? now : null });
      });
      return element("label", { class: "clv-c-check" }, box, String(value));
    });
    return element("fieldset", { class: "clv-c-filter" }, element("legend", {}, column),
      choice(page, `${path}.kind`, `Rows of ${column}`, { "only these": "filters", "without these": "exclude" }, kind, () => page.send("turn_filter", { kind, column })),
      element("div", { class: "clv-c-values", "data-scroll": path }, ...boxes),
      button(`No filter by ${column}`, () => page.send("set", { path, value: null }), { "data-key": `${path}.none`, "data-next": `where.${column}` }));
  });

  // The choices that stand at the top of the board.
  const boardForms = (page) => page.state.filters.map(({ column, label, default: begins, values }, place) => {
    const set = (key) => (value) => page.send("set_offer", { place, key, value }, `offer.${place}.${key}`);
    return element("fieldset", { class: "clv-c-filter" }, element("legend", {}, `Choice by ${column}`), element("div", { class: "clv-c-row" },
      text(page, `offer.${place}.label`, "Label", label, set("label")),
      choice(page, `offer.${place}.default`, "Begins with", named(values.map(String), "all"), begins, set("default")),
      button(`Take the choice by ${column} away`, () => page.send("withdraw", { place }), { "data-key": `offer.${place}.none`, "data-next": "fold.board" })));
  });

  // A SELECT of one's own beside the query of the widget.
  const sqlForm = (page) => {
    const { sql, tables } = page.state;
    const name = element("input", { "data-key": "sql.name", placeholder: "by_region", autocomplete: "off" });
    const area = element("textarea", { "data-key": "sql.text", rows: 8, spellcheck: "false", placeholder: "SELECT … FROM a published table", "aria-autocomplete": "list" });
    [name.value, area.value] = [sql.name, sql.text];
    const words = completion(area, tables);
    const run = (action) => () => page.send(action, action === "use_sql" ? { name: name.value.trim(), text: area.value } : { text: area.value }, "sql.text");
    const rows = sql.rows.length ? element("div", { class: "clv-scroll", tabindex: 0, role: "region", "aria-label": "Rows of the SELECT" }, element("table", {},
      element("thead", {}, element("tr", {}, ...Object.keys(sql.rows[0]).map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, ...sql.rows.map((row) => element("tr", {}, ...Object.values(row).map((cell) => element("td", {}, cell))))))) : null;
    return folded(page, "fold.sql", "SQL", element("div", { class: "clv-c-two" },
      element("div", {}, element("h4", {}, "What is asked for the selected widget"), element("pre", { tabindex: 0, "data-scroll": "query", "aria-label": "SQL of the widget" }, sql.query || "Nothing yet.")),
      element("div", {}, element("h4", {}, "A SELECT of your own"), labelled("File, without .sql", name), labelled("SELECT", area), words, problemAt(page, "sql.text"),
        element("div", { class: "clv-c-buttons" }, button("Show a few rows", run("preview_sql"), { "data-key": "sql.rows" }), button("Save and use", run("use_sql"), { "data-key": "sql.use" })), rows)));
  };

  // The columns of the tables that the text names, and the tables, by how the word before the caret begins.
  const completion = (area, tables) => {
    const id = `clv-words-${Math.random().toString(36).slice(2)}`; // there can be several composers on a page
    area.setAttribute("aria-controls", id);
    const list = element("ul", { class: "clv-c-words", id, role: "listbox", "aria-label": "Completions", hidden: "" });
    const word = () => area.value.slice(0, area.selectionStart).match(/[\w.]+$/)?.[0] ?? "";
    const close = () => { list.hidden = true; };
    const take = (found) => {
      const end = area.selectionStart, begin = end - word().length;
      area.setRangeText(found, begin, end, "end");
      close();
      area.focus();
    };
    const mark = (place) => [...list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === place)));
    const at = () => [...list.children].findIndex((item) => item.getAttribute("aria-selected") === "true");
    area.addEventListener("input", () => {
      const begun = word().toLowerCase();
      const columns = tables.filter(({ name }) => area.value.includes(name)).flatMap((table) => table.columns);
      const known = [...new Set([...columns, ...tables.map(({ name }) => name)])];
      const found = begun ? known.filter((each) => each.toLowerCase().startsWith(begun) && each !== begun).slice(0, 8) : [];
      list.replaceChildren(...found.map((each) => element("li", { role: "option", onmousedown: (event) => { event.preventDefault(); take(each); } }, each)));
      list.hidden = !found.length;
      mark(0);
    });
    area.addEventListener("keydown", (event) => {
      if (list.hidden) return;
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) mark((at() + step + list.children.length) % list.children.length);
      else if (event.key === "Enter" || event.key === "Tab") take(list.children[at()].textContent);
      else if (event.key === "Escape") close();
      else return;
      event.preventDefault();
    });
    area.addEventListener("blur", close);
    return list;
  };

  return { text, choice, onPicked, button, folded, labelled, problemAt, widgetForm, filterForms, boardForms, sqlForm, AGGREGATES, FORMATS };
})();
