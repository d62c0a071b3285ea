// The segment builder: rows of conditions edited in place, each with its count. It holds nothing but what is open and
// what is being typed: each action goes to Python as a message { do, path, … }, and `state` comes back whole.
const PATH = "text/x-clv-path";
const UNITS = ["minutes", "hours", "days", "weeks", "months", "years"];
const MOST_OFFERED = 60;
let instances = 0;

const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
};
const button = (label, onclick, attributes = {}) => element("button", { type: "button", onclick, ...attributes }, label);
const taken = (event) => { event.preventDefault(); event.stopPropagation(); }; // nobody else acts on it
const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);

const render = ({ model, el }) => {
  const id = `clv-builder-${(instances += 1)}`;
  const part = (name, attributes = {}) => element("div", { class: `clv-b-${name}`, ...attributes });
  const head = part("head"), confirm = part("confirm", { role: "alertdialog", "aria-label": "Please confirm", hidden: true });
  const status = element("p", { class: "clv-b-status", role: "status" });
  const templates = part("templates"), rule = part("rule", { role: "group", "aria-label": "The rule" });
  const panel = part("panel", { role: "status", "aria-label": "Who is in it", "aria-live": "polite" });
  const sentence = element("p", { class: "clv-b-sentence", "aria-label": "The rule as a sentence" }), then = part("then"), details = part("details");
  // without the attribute, JupyterLab takes single keys for commands of the notebook
  const root = element("section", { class: "clv-builder", "aria-label": "Segment builder", "data-lm-suppress-shortcuts": "true" },
    head, confirm, status, templates, part("bench"), then, details);
  root.querySelector(".clv-b-bench").append(element("div", { class: "clv-b-left" }, rule, sentence), panel);
  el.append(root);

  let state = model.get("state"), timer = null, waiting = null, toFocus = "", drawing = false, typing = null, told = false, count = 0;
  const open = new Set();
  const find = (key) => root.querySelector(`[data-key="${CSS.escape(key)}"]`);
  // `focus`: "new", the first empty field of the row that is selected then; "row", that row's menu.
  const send = (action, given = {}, focus = "") => {
    flush();
    if (focus) toFocus = focus;
    root.setAttribute("aria-busy", "true");
    model.send({ do: action, ...given });
  };
  // What is typed is sent half a second after the last key, or at once with the next action.
  const later = (act) => {
    clearTimeout(timer);
    waiting = act;
    timer = setTimeout(flush, 500);
  };
  const flush = () => {
    clearTimeout(timer);
    const act = waiting;
    waiting = null;
    act?.();
  };

  // A question before what cannot be undone; the way out has the focus.
  const ask = (question, yes, action) => {
    const opener = document.activeElement;
    const close = () => { confirm.hidden = true; opener?.focus(); };
    const no = button("Keep", close);
    confirm.replaceChildren(element("span", {}, question), button(yes, () => { close(); action(); }), no);
    confirm.hidden = false;
    no.focus();
  };
  const unlessChanged = (action) => () => (state.isChanged ? ask("There are unsaved changes.", "Discard them", action) : action());

  // fields

  const problemAt = (key) => {
    if (!state.problem.text || state.problem.at !== key) return null;
    told = true;
    return element("p", { class: "clv-b-problem", role: "alert" }, state.problem.text);
  };
  // A label in small letters is read with the row, so it is seen; others name the field for a screen reader.
  const labelled = (field, ...controls) => {
    const isSeen = field.seen || /^[a-z]/.test(field.label);
    return element("label", { class: "clv-b-field" }, element("span", { class: isSeen ? null : "clv-b-unseen" }, field.label), ...controls);
  };
  const attributesOf = (field, key, more = {}) => ({ "data-key": key, autocomplete: "off", placeholder: field.about, ...more });

  const typed = (tag, type) => (field, key, sent) => {
    const input = element(tag, attributesOf(field, key, { type, rows: tag === "textarea" ? 3 : null, step: "any", list: field.options?.length ? `${id}-${key}` : null }));
    input.value = input.defaultValue = field.value ?? "";
    let said = input.value;
    const finish = (isTyping) => {
      if (drawing || input.value === said) return;
      said = input.value;
      sent(input.value, isTyping);
    };
    input.addEventListener("input", () => later(() => finish(true)));
    for (const event of ["change", "blur"]) input.addEventListener(event, () => !drawing && (waiting ? flush() : finish(true)));
    input.addEventListener("keydown", ({ key: pressed }) => { if (pressed === "Enter" && tag !== "textarea") flush(); });
    return [labelled(field, input), offered(field, key)];
  };
  const offered = (field, key) => (field.options?.length ? element("datalist", { id: `${id}-${key}` }, ...field.options.map(([, text]) => element("option", { value: text }))) : null);

  const choice = (field, key, sent) => {
    let isKeyed = false; // by the keyboard one passes other options on the way to one's own
    const select = element("select", attributesOf(field, key, { onkeydown: () => { isKeyed = true; }, onpointerdown: () => { isKeyed = false; }, onblur: () => drawing || flush(),
      onchange: () => { later(() => sent(select.value)); if (!isKeyed) flush(); } }), ...field.options.map(([value, text]) => element("option", { value }, text)));
    if (!field.options.some(([value]) => value === field.value)) select.append(element("option", { value: field.value }, field.value));
    select.value = field.value;
    return [labelled(field, select)];
  };

  const duration = (field, key, sent) => {
    const [, number, word] = /^\s*(\d*)\s*(\w*)/.exec(field.value || "");
    const units = /^(.*\.)?(after|within)$/.test(key.split(":")[1]) && !key.includes("when") ? UNITS.slice(0, 4) : UNITS;
    const unit = word && !word.endsWith("s") ? `${word}s` : word || "days";
    const options = (units.includes(unit) ? units : [unit, ...units]).map((each) => [each, each]);
    let now = unit;
    const inputs = typed("input", "number")({ ...field, value: number }, key, (value, isTyping) => sent(`${value} ${now}`, isTyping));
    const [select] = choice({ label: `Unit of ${field.label}`, value: unit, options }, `${key}.unit`, (value) => { now = value; sent(`${find(key).value} ${value}`); });
    inputs[0].querySelector("input").min = 1;
    return [...inputs, select];
  };

  const values = (field, key, sent) => {
    const texts = new Map(field.options.map(([value, text]) => [value, text]));
    const valueOf = (text) => field.options.find(([, shown]) => shown.toLowerCase() === text.toLowerCase())?.[0] ?? text;
    const chips = field.value.map((value) => element("span", { class: "clv-b-chip" }, texts.get(value) || value,
      button("✕", () => sent(field.value.filter((each) => each !== value)), { "aria-label": `Without ${texts.get(value) || value}`, "data-key": `${key}.${value}`, "data-next": key })));
    const input = element("input", attributesOf(field, key, { list: `${id}-${key}`, placeholder: field.value.length ? "or …" : "type or choose" }));
    const add = () => {
      if (drawing || !input.value.trim()) return;
      const found = field.options.some(([, text]) => text === input.value) ? [input.value] : input.value.split(/[,;\t\n]/).map((each) => each.trim()).filter(Boolean);
      input.value = "";
      typing = null;
      sent([...new Set([...field.value, ...found.map(valueOf)])]);
    };
    input.addEventListener("change", add);
    input.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); add(); } });
    return [...chips, labelled(field, input), offered({ options: field.options.filter(([value]) => !field.value.includes(value)) }, key)];
  };

  const check = (field, key, sent) => {
    const box = element("input", { type: "checkbox", "data-key": key, onchange: () => sent(box.checked) });
    box.checked = field.value;
    return [element("label", { class: "clv-b-field" }, box, element("span", {}, field.label))];
  };

  // What a condition asks about: all attributes, events and audiences, found by typing.
  const block = (field, key, sent) => {
    const list = element("ul", { role: "listbox", class: "clv-b-offers", "aria-label": field.label, id: `${id}-${key}`, hidden: true });
    const input = element("input", attributesOf(field, key, { role: "combobox", "aria-expanded": "false", "aria-controls": list.id, "aria-autocomplete": "list", "aria-label": field.label }));
    input.value = input.defaultValue = field.value;
    let active = 0, within = ""; // of events: how long ago, typed behind their name, such as 90 days
    const close = () => { list.hidden = true; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); };
    const pick = (chosen) => { close(); input.value = ""; typing = null; sent(chosen, within); };
    const light = () => [...list.children].forEach((option, place) => {
      option.setAttribute("aria-selected", String(place === active));
      if (place === active && option.id) { input.setAttribute("aria-activedescendant", option.id); option.scrollIntoView({ block: "nearest" }); }
    });
    const show = (text) => {
      const [, words, , ago] = /^(.*?)(\s+(\d+ (?:minute|hour|day|week|month|year)s?))?\s*$/i.exec(text);
      within = (field.ago && ago) || "";
      const wanted = (within ? words : text).toLowerCase().split(/\s+/).filter((word) => word && !(within && /^(in|the|last)$/.test(word)));
      const fits = (where) => wanted.every((word) => where.toLowerCase().includes(word));
      const rank = ({ title }) => (title.toLowerCase().replace(/[“”]/g, "").startsWith(wanted.join(" ")) ? 0 : fits(title) ? 1 : 2);
      const offers = within ? state.blocks.filter(({ id: name }) => /^(no )?event:/.test(name)).map((each) => ({ ...each, title: `${each.title} in the last ${within}` })) : state.blocks;
      const found = offers.filter(({ title, about, id: name }) => fits(`${title} ${about} ${name}`)).sort((a, b) => rank(a) - rank(b)).slice(0, MOST_OFFERED);
      active = 0;
      list.replaceChildren(...(found.length ? found.map(({ id: name, title, about }, place) => element("li", { role: "option", id: `${list.id}-${place}`, "data-block": name, title: about,
        onmousedown: (event) => { event.preventDefault(); pick(name); } }, title, element("small", {}, about))) : [element("li", {}, "Nothing of that name.")]));
      list.hidden = false;
      input.setAttribute("aria-expanded", "true");
      light();
    };
    input.addEventListener("input", () => show(input.value));
    input.addEventListener("click", () => show(""));
    input.addEventListener("blur", () => { if (!drawing) { close(); input.value = field.value; } });
    input.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], options = list.querySelectorAll("[data-block]");
      if (step && list.hidden) show("");
      else if (step) { active = (active + step + options.length) % (options.length || 1); light(); }
      else if (event.key === "Enter" && !list.hidden && options[active]) pick(options[active].dataset.block);
      else if (event.key === "Escape" && !list.hidden) { close(); input.value = field.value; }
      else return;
      taken(event);
    });
    return [element("span", { class: "clv-b-picker" }, input, list)];
  };

  const MAKERS = { choice, duration, values, check, block, text: typed("input", "text"), number: typed("input", "number"), day: typed("input", "date"), area: typed("textarea", null) };
  const make = (field, key, sent) => MAKERS[field.type](field, key, sent);

  // A part that is folded; it stays as it was left.
  const folded = (key, summary, ...parts) => {
    return element("details", { open: open.has(key), ontoggle: ({ target }) => open[target.open ? "add" : "delete"](key) }, element("summary", { "data-key": `fold ${key}` }, summary), ...parts);
  };

  // rows

  const keyOf = (path, name) => `${path.join(".")}:${name}`;

  const drawForm = (form, path, prefix = "") => {
    const own = prefix || form.key || "";
    const set = (name) => (value, isTyping = false) => send("set", { path, key: name, value, typing: isTyping });
    const made = (field) => (field.type === "block"
      ? make(field, keyOf(path, own + field.key), (value) => send("set", { path, key: "block", value }, "new"))
      : make(field, keyOf(path, own + field.key), set(own + field.key)));
    const plain = form.fields.filter(({ more }) => !more), more = form.fields.filter((field) => field.more);
    const inner = form.forms.map((each) => drawForm(each, path, own && each.key.startsWith("where") ? own + each.key : each.key));
    const remove = form.remove ? button("✕", () => set(form.remove)(null), { "aria-label": `Remove ${form.label || "this step"}`, "data-key": keyOf(path, form.remove), "data-next": keyOf(path, "menu") }) : null;
    const label = form.label ? element("span", { class: "clv-b-label" }, form.label) : null;
    const add = adder(form.add, path, own), isList = !form.fields.length; // of steps, to which one is added at the end
    return element("div", { class: `clv-b-form${form.key ? " clv-b-inner" : ""}`, role: form.key ? "group" : null, "aria-label": form.key ? form.label || "Step" : null },
      isList ? null : element("div", { class: "clv-b-fields" }, label, ...plain.flatMap(made), remove, add,
        more.length ? folded(keyOf(path, `${own}more`), "more", element("div", { class: "clv-b-fields" }, ...more.flatMap((field) => made({ ...field, seen: true })))) : null),
      ...inner, isList ? add : null);
  };
  const adder = (add, path, own) => {
    if (!add) return null;
    const key = add.key.startsWith("where") ? own + add.key : add.key;
    const sent = (value) => send("set", { path, key, value }, "new");
    if (!add.options) return button(add.label, () => sent(null), { "data-key": keyOf(path, key), class: "clv-b-quiet" });
    const [made] = choice({ label: "Ask of the event", value: "", options: [["", add.label], ...add.options] }, keyOf(path, key), sent);
    made.classList.add("clv-b-quiet");
    return made;
  };

  const drawRow = (row) => {
    const { path } = row, isGroup = Boolean(row.kind), top = !path.length;
    const at = top ? {} : { "data-path": JSON.stringify(path) };
    const turn = top ? [] : choice({ label: "Has or has not", value: String(row.isOut), options: [["false", row.switch[0]], ["true", row.switch[1]]] }, keyOf(path, "out"), () => send("exclude", { path }));
    const joined = path.length && path[path.length - 1] ? button(row.joined, () => send("switch", { path: path.slice(0, -1) }), {
      class: "clv-b-joined", "data-key": keyOf(path, "joined"), title: "Click: and ↔ or", "aria-label": `${row.joined}; make it ${row.joined === "and" ? "or" : "and"}` }) : null;
    const number = row.count ? element("output", { class: "clv-b-count", title: `${state.customers} who meet this, of everyone` }, row.count) : element("output", { class: "clv-b-count" }, "–");
    const line = element("div", { class: "clv-b-line" }, top ? null : handle(row), ...turn,
      isGroup ? choice({ label: "All or any", value: row.kind, options: [["all", "all of these"], ["any", "any of these"]] }, keyOf(path, "kind"), () => send("switch", { path })) : drawForm(row.form, path),
      top ? null : number, top ? null : button("✕", () => send("remove", { path }, "row"), { "aria-label": "Remove this condition", "data-key": keyOf(path, "remove"), class: "clv-b-remove" }));
    const key = keyOf(path, "yaml");
    const yaml = !isGroup && open.has(key) ? element("div", {}, ...typed("textarea", null)({ label: "as YAML", value: row.yaml }, key, (text) => send("replace", { path, text, at: key })), problemAt(key)) : null;
    const below = isGroup ? element("div", { class: "clv-b-rows" }, ...row.rows.map(drawRow), addTo(row)) : null;
    const made = element("div", { class: `clv-b-row${isGroup ? " clv-b-group" : ""}${row.isOut ? " clv-b-out" : ""}${top ? " clv-b-top" : ""}`, role: "group",
      "aria-label": top ? "All conditions" : isGroup ? "Group" : "Condition", ...at }, top && !row.rows.length ? null : line,
      row.problem ? element("p", { class: "clv-b-problem" }, row.problem) : null, yaml, below);
    if (!top) accept(made, row);
    return joined ? element("div", { class: "clv-b-with" }, joined, made) : made;
  };

  const addTo = ({ path }) => element("div", { class: "clv-b-add" },
    ...block({ label: "Add a condition", value: "", about: "Add: attribute, events, audience …", ago: true }, keyOf(path, "add"), (chosen, within) => send("add", { path, block: chosen, within }, "new")),
    button("+ group", () => send("add_group", { path }, "new"), { "data-key": keyOf(path, "group"), class: "clv-b-quiet" }), problemAt(keyOf(path, "add")));

  // The handle is dragged; clicked, it opens the menu of all that can be done to the row.
  const handle = (row) => {
    const { path } = row, act = (label, action, given = {}, focus = "row") => [label, () => send(action, { path, ...given }, focus)];
    const items = [act("Move up", "move", { step: -1 }), act("Move down", "move", { step: 1 }), act("Together with the row above", "move_in"), act("Out of its group", "move_out"),
      act("Put into a group of its own", "wrap"), ...(row.kind ? [act("Ungroup", "unwrap")] : []), act("Duplicate", "duplicate"),
      ...(row.type === "audience" ? [act("Replace by its own rule", "to_rules")] : []),
      ...(row.kind ? [] : [["Edit as YAML", () => { const key = keyOf(path, "yaml"); open[open.has(key) ? "delete" : "add"](key); refresh(); }]]), act("Remove", "remove")];
    const opener = button("⠿", () => menu(holder, opener, items), { class: "clv-b-handle", "data-key": keyOf(path, "menu"), "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": "Move or change this row", title: "Drag, or click for a menu; Alt+arrows move" });
    const holder = element("span", { class: "clv-b-holder" }, opener);
    opener.draggable = true;
    opener.addEventListener("dragstart", (event) => event.dataTransfer.setData(PATH, JSON.stringify(path)));
    return holder;
  };
  const menu = (holder, opener, items) => {
    let isOpen = true; // taking the list away moves the focus out of it
    const close = () => { if (isOpen) { isOpen = false; list.remove(); opener.setAttribute("aria-expanded", "false"); } };
    if (holder.querySelector("[role=menu]")) return holder.querySelector("[role=menu]").dispatchEvent(new Event("close"));
    const list = element("div", { role: "menu", class: "clv-b-menu", "aria-label": "Move or change this row", onclose: () => close() },
      ...items.map(([label, action]) => button(label, () => { close(); opener.focus(); action(); }, { role: "menuitem", tabindex: -1 })));
    list.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], all = [...list.children];
      if (step) all[(all.indexOf(document.activeElement) + step + all.length) % all.length].focus();
      else if (event.key === "Escape" || event.key === "Tab") { close(); opener.focus(); }
      else return;
      if (event.key !== "Tab") taken(event);
    });
    list.addEventListener("focusout", ({ relatedTarget }) => { if (!holder.contains(relatedTarget)) close(); });
    opener.setAttribute("aria-expanded", "true");
    holder.append(list);
    return list.firstChild.focus();
  };

  // A row takes another one: before or after it, into a group, or with a condition into a new group.
  const accept = (made, row) => {
    const line = made.querySelector(".clv-b-line");
    const where = (event) => {
      const { top, height } = line.getBoundingClientRect(), share = (event.clientY - top) / height;
      return share < 0.3 ? "before" : row.kind ? "into" : share > 0.7 ? "after" : "with";
    };
    const clear = () => made.removeAttribute("data-drop");
    made.addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes(PATH)) return;
      taken(event);
      made.dataset.drop = where(event);
    });
    made.addEventListener("dragleave", clear);
    made.addEventListener("drop", (event) => {
      taken(event);
      clear();
      const path = JSON.parse(event.dataTransfer.getData(PATH));
      if (!isSame(path, row.path)) send("drop", { path, target: row.path, where: where(event) }, "row");
    });
    made.addEventListener("keydown", (event) => {
      const move = event.altKey && { ArrowUp: ["move", { step: -1 }], ArrowDown: ["move", { step: 1 }], ArrowLeft: ["move_out", {}], ArrowRight: ["move_in", {}] }[event.key];
      if (!move) return;
      taken(event);
      send(move[0], { path: row.path, ...move[1] }, "row");
    });
  };

  // the file, templates, what follows on the rule, what is folded

  const text = (key, label, value, action, given = {}) => typed("input", "text")({ label, value, seen: true, ...given }, key, action);
  const drawHead = () => {
    const files = [["", "…"], ...state.files.map(({ name, title }) => [name, title])];
    const [chooser] = choice({ label: "Open an audience", value: state.opened, options: files, seen: true }, "open", (name) => {
      find("open").value = state.opened;
      if (name) unlessChanged(() => send("open", { name, at: "open" }))();
    });
    const headed = (key) => (value) => send("head", { key, value, at: key });
    const streaming = choice({ label: "Evaluated", value: state.evaluation, options: [["batch", "on schedule"], ["streaming", "after each micro-batch, too"]], seen: true }, "evaluation", headed("evaluation"));
    head.replaceChildren(
      element("div", { class: "clv-b-bar" }, chooser, problemAt("open"), button("New", unlessChanged(() => send("new")), { "data-key": "new" }), button("Copy", () => send("copy"), { "data-key": "copy" }),
        button("Undo", () => send("undo"), { "data-key": "undo", "aria-disabled": String(!state.canUndo) }), button("Redo", () => send("redo"), { "data-key": "redo", "aria-disabled": String(!state.canRedo) })),
      element("div", { class: "clv-b-bar" }, ...text("title", "Title", state.title, headed("title"), { about: "what people call it" }), ...text("description", "Who is in it", state.description, headed("description")),
        ...text("name", "File", state.name, (name) => send("rename", { name }), { about: state.proposedName || "from the title" }),
        button("Save", () => send("save", { at: "save" }), { "data-key": "save", class: "clv-b-main" }), button("Evaluate", () => send("evaluate", { at: "save" }), { "data-key": "evaluate" }),
        folded("when", "more", element("div", { class: "clv-b-bar" }, ...streaming, ...text("time_zone", "Time zone", state.timeZone, headed("time_zone"))))),
      problemAt("save") || "");
  };
  const drawTemplates = () => {
    const made = state.templates.map(({ title, about }, place) => button(title, unlessChanged(() => send("template", { place })), { title: about, "data-key": `template.${place}` }));
    const isEmpty = state.rule && !state.rule.rows.length;
    if (isEmpty) open.add("templates");
    else if (templates.dataset.empty === "true") open.delete("templates");
    templates.dataset.empty = String(Boolean(isEmpty));
    templates.replaceChildren(folded("templates", "Begin with a template", element("div", { class: "clv-b-bar" }, ...made)));
  };
  const drawThen = () => then.replaceChildren(folded("then", "Exclude audiences, keep the first by rank, split; or SQL, a list, a priority in place of the rule",
    element("div", { class: "clv-b-bar" }, ...state.then.flatMap((field) => make({ ...field, seen: true }, `then:${field.key}`, (value) => send("then", { key: field.key, value, at: "then" })))), problemAt("then")));
  const drawDetails = () => {
    const shown = element("div", { class: "clv-b-detail", role: "region", "aria-label": state.detail || "Nothing unfolded", hidden: !state.detail });
    shown.innerHTML = state.detailHtml; // whose texts Python has escaped
    details.replaceChildren(element("div", { class: "clv-b-bar", role: "group", "aria-label": "Look closer" }, ...state.details.map((name) =>
      button(name, () => send("show", { name: name === state.detail ? "" : name }), { "aria-pressed": String(name === state.detail), "data-key": `show.${name}` }))), shown);
  };

  // Drawing anew keeps the focus, and what is being typed.
  const keeping = (draw) => {
    const now = document.activeElement, key = root.contains(now) ? now.dataset.key : null;
    const isTyped = key && typing === key && /^(input|textarea)$/i.test(now.tagName) && now.value !== now.defaultValue;
    const value = isTyped ? now.value : null, place = isTyped && now.type === "text" ? now.selectionStart : null;
    drawing = true;
    draw();
    drawing = false;
    // what was pressed can be gone: then what it names as next, else the row at work has the focus
    const again = toFocus ? focusOf(toFocus) : key && (find(key) || find(now.dataset.next || "") || focusOf("row"));
    toFocus = "";
    if (!again) return;
    again.focus({ preventScroll: true });
    if (again.dataset.key !== key) again.scrollIntoView({ block: "nearest" });
    if (again.dataset.key !== key || value === null) return;
    again.value = value;
    if (place !== null) again.setSelectionRange(place, place);
    again.dispatchEvent(new Event("input"));
  };
  const focusOf = (what) => {
    const path = state.selected, row = root.querySelector(`[data-path="${CSS.escape(JSON.stringify(path))}"]`);
    const empty = [...(row?.querySelectorAll(":is(input, select):not([type=checkbox])") || [])].find((each) => !each.value && each.checkVisibility() && !each.closest(".clv-b-quiet"));
    if (what === "new" && empty) return empty;
    return (what === "row" && find(keyOf(path, "menu"))) || find(keyOf(path.slice(0, -1), "add"));
  };
  root.addEventListener("input", ({ target }) => { typing = target.dataset?.key; });

  const refresh = () => {
    state = model.get("state");
    told = false;
    keeping(() => {
      [drawHead, drawTemplates, drawThen, drawDetails].forEach((draw) => draw());
      rule.replaceChildren(state.rule ? drawRow(state.rule) : element("p", {}, "Who is in it is said below, not by a rule."));
    });
    panel.innerHTML = state.panel;
    sentence.textContent = state.sentence;
    const said = told ? "" : state.problem.text;
    status.classList.toggle("clv-b-problem", Boolean(said));
    const now = said || [state.status, state.isChanged ? "Not saved yet." : ""].filter(Boolean).join(" ");
    if (status.textContent !== now) status.textContent = now; // else it would be read out twice
    root.setAttribute("aria-busy", "false");
    root.dataset.drawn = String((count += 1));
  };
  root.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || /^(input|textarea)$/i.test(event.target.tagName)) return;
    const action = event.key === "y" || (event.key.toLowerCase() === "z" && event.shiftKey) ? "redo" : event.key === "z" ? "undo" : "";
    if (!action) return;
    event.preventDefault();
    send(action);
  });
  model.on("change:state", refresh);
  refresh();
  return () => { clearTimeout(timer); model.off?.("change:state", refresh); };
};

export default { render };
