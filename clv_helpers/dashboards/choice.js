// A filter that takes several values: a button that says what is chosen; behind it a search and a list of boxes.
const element = (tag, attributes = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
};

const render = ({ model, el }) => {
  const label = model.get("description");
  const summary = element("summary");
  const search = element("input", { type: "search", placeholder: "Search", ariaLabel: `Search ${label}` });
  const list = element("div", { className: "clv-options", role: "group", ariaLabel: label });
  const entries = element("div", { className: "clv-entries" }, search, list);
  const fold = element("details", { className: "clv-choice" }, summary, entries);
  const boxes = () => [...list.querySelectorAll("input")];
  const say = () => {
    const value = model.get("value");
    summary.textContent = `${label}: ${!value.length ? "all" : value.length > 2 ? `${value.length} chosen` : value.join(", ")}`;
    boxes().forEach((box) => (box.checked = value.includes(box.value)));
  };
  const find = () => boxes().forEach((box) =>
    (box.parentElement.hidden = !box.value.toLowerCase().includes(search.value.trim().toLowerCase())));
  for (const option of model.get("options")) {
    const box = element("input", { type: "checkbox", value: option, onchange: () => {
      model.set("value", boxes().filter(({ checked }) => checked).map(({ value }) => value));
      model.save_changes();
    } });
    list.append(element("label", {}, box, option));
  }
  search.addEventListener("input", find);
  search.addEventListener("keydown", (event) => {
    event.stopPropagation(); // no short cut of JupyterLab
    const found = boxes().filter((box) => !box.parentElement.hidden);
    if (event.key === "Enter" && found.length) found[0].click();
  });
  fold.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    fold.open = false;
    summary.focus();
  });
  // Within the page's edge, wherever among the filters it stands.
  const place = () => {
    entries.style.left = 0;
    entries.style.left = `${Math.min(0, document.documentElement.clientWidth - 8 - entries.getBoundingClientRect().right)}px`;
  };
  fold.addEventListener("toggle", () => {
    if (!fold.open) return;
    place();
    search.focus();
  });
  const outside = (event) => (fold.open = fold.open && event.composedPath().includes(fold));
  document.addEventListener("pointerdown", outside);
  model.on("change:value", say);
  say();
  el.append(fold);
  return () => document.removeEventListener("pointerdown", outside);
};
export default { render };
